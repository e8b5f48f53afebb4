//! Copy: of a volume with its snapshots or without, or of one of its snapshots, in one pool or between
//! two.

use super::catalog::Held;
use super::create::{new_held, own_keys};
use super::{Place, Volumes, ids};
use crate::pools::Pools;
use crate::steps::Steps;
use crate::{Error, Work};
use api::Config;
use api::storage::VolumesPost;
use model::names::SnapshotName;
use std::sync::Arc;
use storage::{Parcel, Pool, Volume, VolumeConfig, VolumeSource};

/// What is copied.
pub(super) struct Source {
    pub(super) held: Arc<Held>,
    /// The snapshot that is meant; none: the volume as it is.
    pub(super) snapshot: Option<SnapshotName>,
    /// Without its snapshots.
    pub(super) alone: bool,
}

impl Source {
    fn volume(&self) -> Volume {
        match &self.snapshot {
            Some(name) => self.held.place.snapshot(name),
            None => self.held.place.volume(),
        }
    }

    /// Snapshots that come along.
    fn snapshots(&self) -> Vec<SnapshotName> {
        if self.alone || self.snapshot.is_some() { Vec::new() } else { self.held.snapshot_names() }
    }

    /// What it is made with.
    fn config(&self) -> Result<&Config, Error> {
        match &self.snapshot {
            Some(name) => Ok(&self.held.snapshot(name.as_str())?.config),
            None => Ok(&self.held.record.config),
        }
    }
}

impl Volumes {
    /// Makes a volume of another one.
    pub(super) fn copy(&self, target: Place, post: VolumesPost) -> Result<Work, Error> {
        if post.source.refresh {
            return Err(Error::Unsupported {
                subject: format!("A copy to {target}"),
                feature: "bringing earlier copies up to date",
                hint: "delete the earlier copy, and leave \"refresh\" out",
            });
        }
        let from = if post.source.pool.is_empty() { target.pool.as_str() } else { &post.source.pool };
        let (name, snapshot) = match post.source.name.split_once('/') {
            Some((name, snapshot)) => (name, Some(SnapshotName::parse(snapshot)?)),
            None => (post.source.name.as_str(), None),
        };
        let place = Place::parse(from, name)?;
        let held = self.inner.catalog.get(&place)?;
        if let Some(snapshot) = &snapshot {
            held.snapshot(snapshot.as_str())?;
        }
        let pool = self.inner.pools.usable(&target.pool)?;
        let given = VolumeConfig::fitting(pool.kind(), &own_keys(post.config.clone()));
        VolumeConfig::parse(pool.kind(), &given).map_err(storage::Error::from)?;
        let volumes = self.clone();
        Ok(self.in_background(async move {
            // The name was free a moment ago, so this is another volume.
            let _turns = volumes.inner.turns.copy(&place, &target).await;
            volumes.inner.catalog.is_free(&target)?;
            let held = volumes.inner.catalog.get(&place)?;
            let source = Source { held, snapshot, alone: post.source.volume_only };
            volumes.copy_now(&source, target, post).await
        }))
    }

    async fn copy_now(&self, source: &Source, target: Place, post: VolumesPost) -> Result<(), Error> {
        let pool = self.inner.pools.usable(&target.pool)?;
        let of_source = source.config()?;
        let wished = own_keys(post.config);
        let keys = if wished.is_empty() { own_keys(of_source.clone()) } else { wished };
        let mut config = VolumeConfig::fitting(pool.kind(), &keys);
        ids::inherit(&mut config, of_source);
        let description = match post.description.as_str() {
            "" => source.held.record.description.clone(),
            given => given.to_owned(),
        };
        let mut steps = Steps::new(&target.to_string());
        let journal = self.begin_create(&target, &mut steps).await?;
        steps.run("volume-copy:volume", self.copy_files(source, &pool, &target, &config)).await?;
        let (undo, volume) = (pool.clone(), target.volume());
        steps.undo("volume-copy:volume", async move { Pools::take_back(&undo, &volume).await });
        let mut snapshots = source.held.snapshots.clone();
        let along = source.snapshots();
        snapshots.retain(|snapshot| along.contains(&snapshot.name));
        let held = new_held(target.clone(), description, config, snapshots);
        steps.run("volume-copy:record", self.record_new(held, Some(journal))).await?;
        steps.keep();
        self.tell("created", &target, None);
        Ok(())
    }

    /// Makes the files of one volume those of another, which is there afterwards.
    pub(super) async fn copy_files(
        &self,
        source: &Source,
        pool: &Pool,
        target: &Place,
        config: &Config,
    ) -> Result<(), Error> {
        let config = VolumeConfig::parse(pool.kind(), config).map_err(storage::Error::from)?;
        let running = source.snapshot.is_none() && !self.inner.attachments.of(&source.held.place).is_empty();
        let (volume, snapshots) = (source.volume(), source.snapshots());
        if source.held.place.pool == target.pool {
            let from = VolumeSource::Volume { volume, snapshots, running };
            return Ok(pool.make(&target.volume(), from, &config).await?);
        }
        let other = self.inner.pools.usable(&source.held.place.pool)?;
        let parcel = Parcel { volume, snapshots, config: source.held.config(&other)?, running };
        Ok(pool.copy_from(&other, &parcel, &target.volume(), &config).await?)
    }
}
