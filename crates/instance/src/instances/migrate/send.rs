//! The side that has the container: its snapshots and itself, or one snapshot, go to another server.
//!
//! What is stopped is held for as long, so that nobody starts, changes or removes it. What runs is sent
//! while it runs; then it is frozen, and what has changed is sent.

use super::peer::Peer;
use super::{Hold, Meter, StreamSender, offer};
use crate::instances::Instances;
use crate::instances::context::Context;
use crate::instances::owner::Request;
use crate::instances::registry::Entry;
use crate::{Error, Progress, Work};
use api::instances::InstancePost;
use migration::{Offer, Source};
use model::names::{InstanceName, SnapshotName};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage::{Volume, VolumeConfig};
use store::snapshots::Snapshot;

/// How long a running container may stand still.
const FROZEN: Duration = Duration::from_secs(5 * 60);

/// A container or snapshot that is about to be sent.
pub struct Departure {
    /// `Migrating container` and its like.
    pub description: &'static str,
    /// Where the streams go, if the other server connects them.
    pub streams: Option<StreamSender>,
    /// The rest.
    pub work: Work,
}

/// What is sent.
enum What {
    /// The container, perhaps with its snapshots.
    Container { snapshots: bool },
    /// A snapshot, as a container.
    Snapshot(Arc<Snapshot>),
}

impl Instances {
    /// Sends a container to another server.
    ///
    /// # Errors
    /// Not found; with the state of its processes; the other server is not named as it should be.
    pub fn send(&self, name: &str, post: &InstancePost, progress: Progress) -> Result<Departure, Error> {
        let entry = self.context.registry.get(name)?;
        if post.live.unwrap_or(true) && entry.live().is_some() {
            return Err(Error::Unsupported {
                subject: format!("Sending the running container {name:?} to another server"),
                feature: "moving the state of processes",
                hint: "stop it first, or leave its processes behind with --stateless (\"live\": false)",
            });
        }
        let what = What::Container { snapshots: !post.container_only && !post.instance_only };
        self.depart(entry, what, "Migrating container", post, progress)
    }

    /// Sends a snapshot, which becomes a container there.
    ///
    /// # Errors
    /// As for [`send`](Self::send).
    pub fn send_snapshot(
        &self,
        name: &str,
        snapshot: &str,
        post: &InstancePost,
        progress: Progress,
    ) -> Result<Departure, Error> {
        let entry = self.context.registry.get(name)?;
        let what = What::Snapshot(entry.snapshot(snapshot)?);
        self.depart(entry, what, "Transferring snapshot", post, progress)
    }

    fn depart(
        &self,
        entry: Arc<Entry>,
        what: What,
        description: &'static str,
        post: &InstancePost,
        progress: Progress,
    ) -> Result<Departure, Error> {
        let (peer, streams) = match &post.target {
            Some(target) => (Peer::of_target(target)?, None),
            None => {
                let (peer, sender) = Peer::calls();
                (peer, Some(sender))
            }
        };
        let context = self.context.clone();
        let work = Box::pin(async move {
            let streams = peer.connect().await?;
            let trip = Trip { context, entry, what, progress };
            trip.run(streams).await?;
            Ok(None)
        });
        Ok(Departure { description, streams, work: self.context.explained(work) })
    }
}

/// One sending.
struct Trip {
    context: Arc<Context>,
    entry: Arc<Entry>,
    what: What,
    progress: Progress,
}

impl Trip {
    async fn run(self, streams: migration::Streams) -> Result<(), Error> {
        let mut hold = None;
        if self.entry.live().is_none() {
            hold = Some(self.hold().await?);
        }
        // It may have been started before it was held: then it stands still only when it has to.
        let runs = self.entry.live().is_some() && matches!(self.what, What::Container { .. });
        if runs {
            hold = None;
        }
        let offer = self.offer(runs)?;
        let mut source = Source::begin(streams, offer).await?;
        match self.trees(&mut source, runs).await {
            Ok(()) => {
                source.finish().await?;
                drop(hold);
                tracing::info!(instance = self.entry.view().name, "sent to another server");
                Ok(())
            }
            Err(error) => {
                source.fail(&error.story()).await;
                Err(error)
            }
        }
    }

    async fn hold(&self) -> Result<Hold, Error> {
        self.entry.ask(|reply| Request::Hold { reply }).await
    }

    fn offer(&self, running: bool) -> Result<Offer, Error> {
        let (config, snapshots) = match &self.what {
            What::Snapshot(snapshot) => (snapshot.content.config.clone(), Vec::new()),
            What::Container { snapshots } => {
                let all = if *snapshots { self.entry.snapshots() } else { Arc::default() };
                let told = all.iter().map(|snapshot| offer::tell(snapshot)).collect();
                (self.entry.view().config.clone(), told)
            }
        };
        Ok(Offer { idmap: offer::tell_idmap(&config)?, snapshots, running })
    }

    /// Sends everything.
    async fn trees(&self, source: &mut Source, runs: bool) -> Result<(), Error> {
        let view = self.entry.view();
        let name = InstanceName::parse(&view.name)?;
        let pool = self.context.pools.of_instance(&view)?;
        let (volumes, limit) = (self.context.pools.usable(&pool)?, self.context.pools.send_limit(&pool));
        for snapshot in source.wanted().to_vec() {
            let snapshot = SnapshotName::parse(&snapshot)?;
            let volume = Volume::ContainerSnapshot(name.clone(), snapshot.clone());
            let mounted = volumes.mount_volume(&volume, &VolumeConfig::default()).await?;
            self.tree(source, mounted.path(), snapshot.as_str(), limit).await?;
        }
        let volume = match &self.what {
            What::Snapshot(snapshot) => Volume::ContainerSnapshot(name.clone(), snapshot.name.clone()),
            What::Container { .. } => Volume::Container(name.clone()),
        };
        let mounted = volumes.mount_volume(&volume, &VolumeConfig::default()).await?;
        let tree = mounted.path();
        self.tree(source, tree, name.as_str(), limit).await?;
        if !runs {
            return Ok(());
        }
        let frozen = self.hold().await?;
        let rest = self.tree(source, tree, name.as_str(), limit);
        let too_long = |_| Error::FrozenTooLong { name: name.to_string(), limit: FROZEN };
        tokio::time::timeout(FROZEN, rest).await.map_err(too_long)??;
        // It goes on; the other side only has to say that it has everything.
        drop(frozen);
        Ok(())
    }

    async fn tree(
        &self,
        source: &mut Source,
        tree: &Path,
        name: &str,
        limit: Option<u64>,
    ) -> Result<(), Error> {
        crate::steps::crash_at("send:tree");
        let meter = Meter::new(&self.progress, name);
        Ok(source.send(tree, limit, &|bytes| meter.carried(bytes)).await?)
    }
}
