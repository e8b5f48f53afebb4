//! Delete a snapshot of a volume.

use super::OF_CONTAINERS;
use crate::catalog::Stamp;
use crate::journal;
use crate::steps::Steps;
use crate::volumes::{Place, VolumeKind, VolumeWork, Volumes};
use crate::{Error, Work};
use model::names::SnapshotName;

impl Volumes {
    /// Removes a snapshot.
    ///
    /// # Errors
    /// Not found.
    pub fn delete_snapshot(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        snapshot: &str,
    ) -> Result<Work, Error> {
        kind.must_be_custom(OF_CONTAINERS)?;
        let held = self.held(pool, name)?;
        let gone = held.snapshot(snapshot)?.name.clone();
        let (volumes, place) = (self.clone(), held.place.clone());
        Ok(self.in_background(async move { volumes.delete_snapshot_now(place, gone).await }))
    }

    /// What has been begun is finished at the next start-up if the daemon dies on the way.
    pub(super) async fn delete_snapshot_now(&self, place: Place, name: SnapshotName) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        let held = self.inner.catalog.get(&place)?;
        held.snapshot(name.as_str())?;
        let pool = self.inner.pools.usable(&place.pool)?;
        let mut steps = Steps::new(&format!("{place}/{name}"));
        let store = &self.inner.store;
        let work = VolumeWork::DeleteSnapshot {
            pool: place.pool.clone(),
            volume: place.name.clone(),
            snapshot: name.clone(),
        };
        let journal = steps.run("volume-unsnapshot:journal", journal::begin(store, work.into())).await?;
        steps.undo("volume-unsnapshot:journal", journal::give_up(store.clone(), journal));
        let volume = place.snapshot(&name);
        let removed = async { Ok(pool.delete_volume(&volume).await?) };
        steps.run("volume-unsnapshot:volume", removed).await?;
        let stamp = steps
            .run("volume-unsnapshot:record", async {
                let (of, name) = (place.clone(), name.clone());
                let done = store.write(move |tx| {
                    store::volume_snapshots::delete(tx, of.of(), &name)?;
                    store::journal::end(tx, journal)?;
                    Ok(Stamp::take())
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        let mut new = held.as_ref().clone();
        new.snapshots.retain(|snapshot| snapshot.name != name);
        self.inner.catalog.put(stamp, new);
        self.tell_snapshot("deleted", &place, name.as_str(), None);
        Ok(())
    }
}
