//! Copies of a container's files for another container, made by the one that owns them, so that
//! they are not changed, moved or removed meanwhile.

use super::owner::Owner;
use crate::Error;
use api::Config;
use model::names::{InstanceName, PoolName, SnapshotName};
use storage::VolumeSource;
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
    pub(crate) what: What,
}

impl Owner {
    /// Makes the volumes of a copy; gives the records of the snapshots among them. On failure some
    /// of the volumes may be there.
    pub(super) async fn copy_to(&mut self, job: Job) -> Result<Vec<Snapshot>, Error> {
        let Job { name, pool, what } = job;
        let (from, source) = (self.record.pool.clone(), self.record.name.clone());
        if from != pool {
            return Err(Error::Unsupported {
                subject: format!("Copying from the pool {from} to {pool}"),
                feature: "copies between pools",
                hint: "copy within the pool",
            });
        }
        let volumes = self.context.pools.usable(&pool)?;
        let mut copied = Vec::new();
        if what == (What::Container { snapshots: true }) {
            for snapshot in self.entry().snapshots().iter() {
                let old = VolumeSource::Snapshot { container: source.clone(), name: snapshot.name.clone() };
                volumes.create_snapshot(&name, &snapshot.name, old).await?;
                copied.push(of_copy(snapshot));
            }
        }
        match what {
            What::Snapshot(snapshot) => {
                let old = VolumeSource::Snapshot { container: source, name: snapshot };
                volumes.create_container(&name, old).await?;
            }
            What::Container { .. } => {
                let running = self.entry().live().is_some();
                let old = VolumeSource::Container { name: source, running };
                self.still(async { Ok(volumes.create_container(&name, old).await?) }).await?;
            }
        }
        Ok(copied)
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
