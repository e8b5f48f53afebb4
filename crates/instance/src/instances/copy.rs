//! Copies of a container's files for another container, made by the one that owns them, so that
//! they are not changed, moved or removed meanwhile.

use super::owner::Owner;
use crate::Error;
use api::Config;
use model::names::{InstanceName, PoolName, SnapshotName};
use std::sync::Arc;
use storage::{Parcel, Volume, VolumeConfig, VolumeSource};
use store::snapshots::Snapshot;

/// What is copied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The container, perhaps with its snapshots.
    Container { snapshots: bool },
    /// One snapshot, which becomes a container.
    Snapshot(SnapshotName),
}

/// What is copied where.
pub(crate) struct Job {
    /// The new container.
    pub(crate) name: InstanceName,
    /// Its pool.
    pub(crate) pool: PoolName,
    /// What is asked of its volume.
    pub(crate) config: VolumeConfig,
    pub(crate) what: What,
}

impl Owner {
    /// Makes the volumes of a copy; gives the records of the snapshots among them. On failure nothing of
    /// them is there.
    pub(super) async fn copy_to(&mut self, job: Job) -> Result<Vec<Snapshot>, Error> {
        let Job { name, pool, config, what } = job;
        let (from, container) = (self.record.pool.clone(), Volume::Container(self.record.name.clone()));
        let (volumes, target) = (self.context.pools.usable(&pool)?, Volume::Container(name));
        let entry = self.entry().clone();
        let (snapshots, volume, running) = match what {
            What::Container { snapshots: true } => (entry.snapshots(), container, entry.live().is_some()),
            What::Container { snapshots: false } => (Arc::default(), container, entry.live().is_some()),
            What::Snapshot(name) => {
                (Arc::default(), Volume::ContainerSnapshot(self.record.name.clone(), name), false)
            }
        };
        let names: Vec<SnapshotName> = snapshots.iter().map(|snapshot| snapshot.name.clone()).collect();
        let other = if from == pool { None } else { Some(self.context.pools.usable(&from)?) };
        let copied = async {
            let made = match other {
                None => {
                    let source = VolumeSource::Volume { volume, snapshots: names, running };
                    volumes.make(&target, source, &config).await
                }
                Some(other) => {
                    let there = VolumeConfig::default();
                    let parcel = Parcel { volume, snapshots: names, config: there, running };
                    volumes.copy_from(&other, &parcel, &target, &config).await
                }
            };
            Ok(made?)
        };
        if running {
            self.still(copied).await?;
        } else {
            copied.await?;
        }
        Ok(snapshots.iter().map(|snapshot| of_copy(snapshot)).collect())
    }
}

/// A snapshot's record for a copy of its container.
fn of_copy(snapshot: &Snapshot) -> Snapshot {
    let mut copy = snapshot.clone();
    copy.content.config = inherited(&copy.content.config);
    copy
}

/// The keys that a copy takes over: none that belong to one container alone.
pub(super) fn inherited(config: &Config) -> Config {
    let kept = |key: &str| {
        !key.starts_with("volatile.") || key == "volatile.base_image" || key == "volatile.last_state.idmap"
    };
    config.iter().filter(|(key, _)| kept(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
}
