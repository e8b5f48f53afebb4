//! What an interrupted daemon has left of work on volumes.

use super::{Place, VolumeWork, Volumes};
use crate::Error;
use crate::catalog::Stamp;
use model::names::{PoolName, SnapshotName, VolumeName};
use std::collections::BTreeMap;
use storage::{Kind, Volume};
use store::volumes::VolumeKind;

impl Volumes {
    /// Finishes or undoes it.
    pub(crate) async fn repair(&self, work: VolumeWork) -> Result<(), Error> {
        // It may be done late, when a pool has come back.
        let _turn = self.inner.turns.alone(&work.place()).await;
        match work {
            VolumeWork::Create { pool, volume } => {
                let place = Place { pool, name: volume };
                if self.inner.catalog.get(&place).is_err() {
                    self.pool(&place)?.delete_volume(&place.volume()).await?;
                }
            }
            VolumeWork::Delete { pool, volume } => {
                let place = Place { pool, name: volume };
                self.pool(&place)?.delete_volume(&place.volume()).await?;
                self.forget(&place).await?;
            }
            VolumeWork::Rename { pool, from, to } => self.repair_rename(pool, from, to).await?,
            VolumeWork::Resize { pool, volume } => {
                let place = Place { pool, name: volume };
                if let Ok(held) = self.inner.catalog.get(&place) {
                    let pool = self.pool(&place)?;
                    pool.resize(&place.volume(), &held.config(&pool)?).await?;
                }
            }
            VolumeWork::Restore { pool, volume, staged } => {
                let place = Place { pool, name: volume };
                let pool = self.pool(&place)?;
                match staged {
                    Some(staged) => pool.commit_staged(&place.volume(), staged).await?,
                    None => pool.discard_staged(&place.volume()).await?,
                }
            }
            VolumeWork::Snapshot { pool, volume, snapshot } => {
                let place = Place { pool, name: volume };
                if !self.has_snapshot(&place, &snapshot) {
                    self.pool(&place)?.delete_volume(&place.snapshot(&snapshot)).await?;
                }
            }
            VolumeWork::DeleteSnapshot { pool, volume, snapshot } => {
                let place = Place { pool, name: volume };
                self.pool(&place)?.delete_volume(&place.snapshot(&snapshot)).await?;
                self.forget_snapshot(&place, &snapshot).await?;
            }
            VolumeWork::RenameSnapshot { pool, volume, from, to } => {
                let place = Place { pool, name: volume };
                let renamed = self.has_snapshot(&place, &to);
                let (wanted, other) = if renamed { (to, from) } else { (from, to) };
                self.pool(&place)?.rename(&place.snapshot(&other), &place.snapshot(&wanted)).await?;
            }
        }
        Ok(())
    }

    fn pool(&self, place: &Place) -> Result<storage::Pool, Error> {
        self.inner.pools.usable(&place.pool)
    }

    fn has_snapshot(&self, place: &Place, name: &SnapshotName) -> bool {
        self.inner.catalog.get(place).is_ok_and(|held| held.snapshot(name.as_str()).is_ok())
    }

    async fn repair_rename(&self, pool: PoolName, from: VolumeName, to: VolumeName) -> Result<(), Error> {
        let [from, to] = [from, to].map(|name| Place { pool: pool.clone(), name });
        let renamed = self.inner.catalog.get(&to).is_ok();
        let (wanted, other) = if renamed { (to, from) } else { (from, to) };
        Ok(self.pool(&wanted)?.rename(&other.volume(), &wanted.volume()).await?)
    }

    async fn forget(&self, place: &Place) -> Result<(), Error> {
        let gone = place.clone();
        let write = self.inner.store.write(move |tx| {
            store::volumes::delete(tx, &gone.pool, VolumeKind::Custom, gone.name.as_str())
                .map(|()| Stamp::take())
        });
        match write.await {
            Ok(stamp) => self.inner.catalog.remove(stamp, place),
            Err(store::Error::NotFound { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    async fn forget_snapshot(&self, place: &Place, name: &SnapshotName) -> Result<(), Error> {
        let Ok(held) = self.inner.catalog.get(place) else { return Ok(()) };
        if held.snapshot(name.as_str()).is_err() {
            return Ok(());
        }
        let (of, gone) = (place.clone(), name.clone());
        let write = self
            .inner
            .store
            .write(move |tx| store::volume_snapshots::delete(tx, of.of(), &gone).map(|()| Stamp::take()));
        let stamp = write.await?;
        let mut new = held.as_ref().clone();
        new.snapshots.retain(|snapshot| snapshot.name != *name);
        self.inner.catalog.put(stamp, new);
        Ok(())
    }

    /// Volumes on disk that nobody knows are somebody's data: they are named, never removed.
    pub(crate) async fn name_orphans(&self) {
        for pool in self.inner.pools.all_usable() {
            let known: BTreeMap<_, _> = self
                .inner
                .catalog
                .of_pool(pool.name())
                .into_iter()
                .map(|held| (held.place.volume(), held.clone()))
                .collect();
            let found = match pool.volumes(Kind::Custom).await {
                Ok(found) => found,
                Err(error) => {
                    tracing::error!(pool = %pool.name(), error = &error as &dyn std::error::Error, "cannot list its volumes");
                    continue;
                }
            };
            let unknown = |volume: &&Volume| !known.contains_key(*volume);
            for volume in found.iter().filter(unknown) {
                tracing::warn!(pool = %pool.name(), %volume, "a volume that nobody knows; \"lxd recover\" takes it over");
            }
        }
    }
}
