//! The side that gets the container: files come into a directory that only root can reach, and become
//! the volumes of snapshots, one after the other, and of the container.

use super::peer::Peer;
use super::{Meter, offer};
use crate::instances::context::Context;
use crate::{Error, Progress};
use api::Config;
use migration::Sink;
use model::names::{Fingerprint, ProfileName};
use std::path::{Path, PathBuf};
use std::time::Duration;
use storage::VolumeSource;
use store::instances::NewInstance;
use store::snapshots::Snapshot;

/// How often a directory is tried to be removed while the program that writes into it dies.
const TRIES: u32 = 20;
/// How long is waited between them.
const PAUSE: Duration = Duration::from_millis(250);

/// What has come: the volumes are there, and the other side waits for the word that they stay.
pub(in crate::instances) struct Received {
    /// Records of the snapshots.
    pub(in crate::instances) snapshots: Vec<Snapshot>,
    /// Keys of the container that tell what its files are like.
    pub(in crate::instances) keys: Config,
    /// To say how it ended.
    pub(in crate::instances) sink: Sink,
}

/// Receives the volumes of a new container. On failure some of them may be there; the other side has
/// been told.
pub(in crate::instances) async fn receive(
    context: &Context,
    record: &NewInstance,
    peer: Peer,
    base: Option<Fingerprint>,
    progress: &Progress,
) -> Result<Received, Error> {
    let streams = peer.connect().await?;
    let mut sink = Sink::begin(streams).await?;
    match take(context, record, &mut sink, base, progress).await {
        Ok((snapshots, keys)) => Ok(Received { snapshots, keys, sink }),
        Err(error) => {
            sink.fail(&error.story()).await;
            Err(error)
        }
    }
}

async fn take(
    context: &Context,
    record: &NewInstance,
    sink: &mut Sink,
    base: Option<Fingerprint>,
    progress: &Progress,
) -> Result<(Vec<Snapshot>, Config), Error> {
    let idmap = offer::believe_idmap(&sink.offer().idmap)?.to_json();
    let has_profile = |profile: &ProfileName| context.profiles.get(profile.as_str()).is_ok();
    let snapshots = offer::believe(sink.offer(), record, &idmap, has_profile)?;
    let volumes = context.pools.usable(&record.pool)?;
    let mut place = Place::make(context, &volumes, base.filter(|_| sink.removes()), progress).await?;
    sink.answer(None).await?;
    crate::steps::crash_at("receive:answer");
    for snapshot in &snapshots {
        into(sink, &place.path, snapshot.name.as_str(), progress).await?;
        let source = VolumeSource::Received { from: place.path.clone(), stays: true };
        volumes.create_snapshot(&record.name, &snapshot.name, source).await?;
        crate::steps::crash_at("receive:snapshot");
        if !sink.removes() {
            // What is no longer there would stay.
            place = Place::make(context, &volumes, None, progress).await?;
        }
    }
    into(sink, &place.path, record.name.as_str(), progress).await?;
    if sink.comes_twice() {
        into(sink, &place.path, record.name.as_str(), progress).await?;
    }
    crate::steps::crash_at("receive:volume");
    let source = VolumeSource::Received { from: place.path.clone(), stays: false };
    volumes.create_container(&record.name, source).await?;
    Ok((snapshots, Config::from([(offer::ON_DISK.to_owned(), idmap)])))
}

pub(super) async fn into(sink: &mut Sink, path: &Path, name: &str, progress: &Progress) -> Result<(), Error> {
    crate::steps::crash_at("receive:tree");
    let meter = Meter::new(progress, name);
    Ok(sink.receive(path, &|bytes| meter.carried(bytes)).await?)
}

/// A directory for what comes, which goes in the end, with what is left in it.
pub(super) struct Place {
    volumes: storage::Pool,
    pub(super) path: PathBuf,
}

impl Place {
    /// Filled with the image that the container was made of, so that less has to come.
    async fn make(
        context: &Context,
        volumes: &storage::Pool,
        base: Option<Fingerprint>,
        progress: &Progress,
    ) -> Result<Self, Error> {
        let source = match base {
            Some(fingerprint) => {
                let files = context.images.files(&fingerprint);
                context.pools.ensure_image(volumes, &fingerprint, files, progress).await?;
                VolumeSource::Image(fingerprint)
            }
            None => VolumeSource::Empty,
        };
        Self::of(volumes, source).await
    }

    /// Filled with this.
    pub(super) async fn of(volumes: &storage::Pool, source: VolumeSource) -> Result<Self, Error> {
        Ok(Self { volumes: volumes.clone(), path: volumes.receive(source).await? })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let (volumes, path) = (self.volumes.clone(), std::mem::take(&mut self.path));
        // Without a runtime the daemon ends; the next start removes it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            for _ in 1..TRIES {
                if volumes.discard_received(&path).await.is_ok() {
                    return;
                }
                tokio::time::sleep(PAUSE).await;
            }
            if let Err(error) = volumes.discard_received(&path).await {
                tracing::warn!(path = %path.display(), error = &error as &dyn std::error::Error, "cannot remove what was received; the next start will");
            }
        });
    }
}
