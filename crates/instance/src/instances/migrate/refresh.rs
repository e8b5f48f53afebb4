//! An earlier copy is brought up to date: it gets the snapshots that it lacks and loses those that the
//! source has no longer, and its files become those of the source. Its configuration stays.

use super::offer;
use super::peer::Peer;
use super::receive::{Place, into};
use crate::instances::context::Context;
use crate::instances::copy::inherited;
use crate::instances::owner::{Owner, Request};
use crate::instances::registry::Entry;
use crate::instances::{Creation, allowed};
use crate::journal::{self, Entry as Journal};
use crate::pools::Pools;
use crate::steps::Steps;
use crate::{Error, Progress, Work};
use api::Config;
use api::instances::Source;
use migration::Sink;
use model::arch::Architecture;
use model::names::{InstanceName, ProfileName, SnapshotName};
use model::state::Action;
use std::sync::Arc;
use storage::{Volume, VolumeConfig, VolumeSource};
use store::instances::NewInstance;
use store::snapshots::Snapshot;

/// What an earlier copy becomes.
pub(crate) struct Fresh {
    /// Snapshots that it has not.
    snapshots: Vec<(Snapshot, VolumeSource)>,
    /// Snapshots that it has no longer.
    gone: Vec<SnapshotName>,
    /// Its files.
    content: VolumeSource,
    /// Keys that tell what they are like.
    keys: Config,
}

/// Brings a container up to date with a container of this server or of another one.
pub(in crate::instances) fn refresh(
    context: &Arc<Context>,
    entry: Arc<Entry>,
    source: &Source,
    progress: Progress,
) -> Result<Creation, Error> {
    allowed(&entry, Action::Restore)?;
    let name = entry.view().name.clone();
    let alone = source.container_only || source.instance_only;
    if source.kind == "migration" {
        let (peer, streams) = Peer::of(source)?;
        let (context, work_entry) = (context.clone(), entry);
        let work: Work = Box::pin(async move {
            from_server(&context, &work_entry, peer, alone, &progress).await?;
            Ok(None)
        });
        return Ok(Creation { name, source: None, streams, work });
    }
    if source.kind != "copy" || source.source.contains('/') || source.source == name {
        return Err(Error::Missing {
            field: "other container",
            hint: "only a copy of a whole container can be brought up to date",
        });
    }
    let from = context.registry.get(&source.source)?;
    let context = context.clone();
    let work: Work = Box::pin(async move {
        from_here(&context, &entry, &from, alone).await?;
        Ok(None)
    });
    Ok(Creation { name, source: Some(source.source.clone()), streams: None, work })
}

/// The snapshots that are missing, and those that are too many: one of the same name that was taken at
/// another time is both. No I/O.
fn compare(theirs: Vec<Snapshot>, ours: &[Arc<Snapshot>]) -> (Vec<Snapshot>, Vec<SnapshotName>) {
    let same = |one: &Snapshot, other: &Snapshot| {
        one.name == other.name && one.created_at.unix() == other.created_at.unix()
    };
    let gone = ours.iter().filter(|ours| !theirs.iter().any(|theirs| same(theirs, ours)));
    let gone = gone.map(|snapshot| snapshot.name.clone()).collect();
    let missing = theirs.into_iter().filter(|theirs| !ours.iter().any(|ours| same(theirs, ours))).collect();
    (missing, gone)
}

async fn from_here(context: &Context, entry: &Entry, from: &Entry, alone: bool) -> Result<(), Error> {
    let hold = from.ask(|reply| Request::Hold { reply }).await?;
    let (source, target) = (from.view(), entry.view());
    let (pool, own) = (context.pools.of_instance(&source)?, context.pools.of_instance(&target)?);
    if pool != own {
        return Err(Error::Unsupported {
            subject: format!("Bringing a copy on the pool {own} up to date from {pool}"),
            feature: "updates of copies between pools",
            hint: "copy the container again",
        });
    }
    let container = InstanceName::parse(&source.name)?;
    let (missing, gone) = if alone {
        (Vec::new(), Vec::new())
    } else {
        let theirs = from.snapshots().iter().map(|snapshot| Snapshot::clone(snapshot)).collect();
        compare(theirs, &entry.snapshots())
    };
    let snapshots = missing.into_iter().map(|mut snapshot| {
        snapshot.content.config = inherited(&snapshot.content.config);
        let source = VolumeSource::still(Volume::ContainerSnapshot(container.clone(), snapshot.name.clone()));
        (snapshot, source)
    });
    let running = from.live().is_some();
    let on_disk = source.config.get(offer::ON_DISK).cloned().unwrap_or_default();
    let fresh = Box::new(Fresh {
        snapshots: snapshots.collect(),
        gone,
        content: VolumeSource::Volume {
            volume: Volume::Container(container),
            snapshots: Vec::new(),
            running,
        },
        keys: Config::from([(offer::ON_DISK.to_owned(), on_disk)]),
    });
    entry.ask(|reply| Request::Refresh { fresh, reply }).await?;
    drop(hold);
    Ok(())
}

async fn from_server(
    context: &Context,
    entry: &Entry,
    peer: Peer,
    alone: bool,
    progress: &Progress,
) -> Result<(), Error> {
    let mut sink = Sink::begin(peer.connect().await?).await?;
    match receive(context, entry, &mut sink, alone, progress).await {
        Ok(()) => {
            if let Err(error) = sink.finish().await {
                tracing::warn!(
                    instance = entry.view().name,
                    error = &error as &dyn std::error::Error,
                    "cannot tell the other server that everything is here"
                );
            }
            Ok(())
        }
        Err(error) => {
            sink.fail(&error.story()).await;
            Err(error)
        }
    }
}

async fn receive(
    context: &Context,
    entry: &Entry,
    sink: &mut Sink,
    alone: bool,
    progress: &Progress,
) -> Result<(), Error> {
    let record = record(context, entry)?;
    let idmap = offer::believe_idmap(&sink.offer().idmap)?.to_json();
    let has_profile = |profile: &ProfileName| context.profiles.get(profile.as_str()).is_ok();
    let offered = offer::believe(sink.offer(), &record, &idmap, has_profile)?;
    let (missing, gone) = if alone { (Vec::new(), Vec::new()) } else { compare(offered, &entry.snapshots()) };
    let volumes = context.pools.usable(&record.pool)?;
    let present = VolumeSource::still(Volume::Container(record.name.clone()));
    let config = VolumeConfig::default();
    let fill = |removes| if removes { present.clone() } else { VolumeSource::Empty };
    let place = Place::of(&volumes, fill(sink.removes()), &config).await?;
    sink.answer(Some(missing.iter().map(|snapshot| snapshot.name.to_string()).collect())).await?;
    let mut kept = Vec::new();
    let mut snapshots = Vec::new();
    for snapshot in missing {
        into(sink, place.path(), snapshot.name.as_str(), progress).await?;
        let own = Place::of(&volumes, place.source().await?, &config).await?;
        snapshots.push((snapshot, own.source().await?));
        kept.push(own);
        if !sink.removes() {
            place.clear().await?;
        }
    }
    into(sink, place.path(), record.name.as_str(), progress).await?;
    if sink.comes_twice() {
        into(sink, place.path(), record.name.as_str(), progress).await?;
    }
    let content = place.source().await?;
    let keys = Config::from([(offer::ON_DISK.to_owned(), idmap)]);
    let fresh = Box::new(Fresh { snapshots, gone, content, keys });
    entry.ask(|reply| Request::Refresh { fresh, reply }).await
}

/// What the container is, as what is received belongs to it.
fn record(context: &Context, entry: &Entry) -> Result<NewInstance, Error> {
    let view = entry.view();
    let profiles = view.profiles.iter().map(|name| ProfileName::parse(name)).collect::<Result<_, _>>()?;
    let host = context.platform.host().architecture;
    Ok(NewInstance {
        name: InstanceName::parse(&view.name)?,
        architecture: Architecture::parse(&view.architecture).unwrap_or(host),
        ephemeral: view.ephemeral,
        created_at: view.created_at,
        description: view.description.clone(),
        config: view.config.clone(),
        devices: view.devices.clone(),
        profiles,
        pool: context.pools.of_instance(&view)?,
    })
}

impl Owner {
    /// Takes over what is fresh. Each snapshot and the files change as a whole or not at all.
    pub(in crate::instances) async fn refresh(&mut self, fresh: Fresh) -> Result<(), Error> {
        self.allow(Action::Restore)?;
        let Fresh { snapshots, gone, content, keys } = fresh;
        for name in &gone {
            self.delete_snapshot(name).await?;
        }
        for (record, source) in snapshots {
            self.add_snapshot(record, source).await?;
        }
        let mut new = self.record.clone();
        new.config.extend(keys);
        self.replace_content(content, new).await
    }

    /// A snapshot that was taken elsewhere.
    async fn add_snapshot(&mut self, record: Snapshot, source: VolumeSource) -> Result<(), Error> {
        let (context, container) = (self.context.clone(), self.record.name.clone());
        let (pool, name) = (self.record.pool.clone(), record.name.clone());
        let volumes = context.pools.usable(&pool)?;
        let mut steps = Steps::new(&format!("{container}/{name}"));
        let entry = Journal::Snapshot { name: container.clone(), snapshot: name.clone(), pool };
        let journal = steps.run("refresh:journal", journal::begin(&context.store, entry)).await?;
        steps.undo("refresh:journal", journal::give_up(context.store.clone(), journal));
        let volume = Volume::ContainerSnapshot(container.clone(), name.clone());
        let made = async { Ok(volumes.make(&volume, source, &VolumeConfig::default()).await?) };
        steps.run("refresh:snapshot", made).await?;
        let (undo, made) = (volumes.clone(), volume.clone());
        steps.undo("refresh:snapshot", async move { Pools::take_back(&undo, &made).await });
        let (of, stored) = (container.clone(), record.clone());
        let write = context.store.write(move |tx| {
            store::snapshots::insert(tx, &of, &stored)?;
            store::journal::end(tx, journal)
        });
        steps.run("refresh:record", async { Ok(write.await?) }).await?;
        steps.keep();
        self.change_snapshots(|list| list.push(Arc::new(record)));
        Ok(())
    }
}
