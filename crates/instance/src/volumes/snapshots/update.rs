//! A snapshot's description, and when it is removed.

use super::OF_CONTAINERS;
use crate::catalog::Stamp;
use crate::volumes::{Place, VolumeKind, Volumes};
use crate::{Error, Work};
use api::Time;
use api::storage::VolumeSnapshotPut;
use model::names::SnapshotName;

impl Volumes {
    /// Changes what can be changed of a snapshot.
    ///
    /// # Errors
    /// Not found.
    pub fn update_snapshot(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        (snapshot, put): (&str, VolumeSnapshotPut),
    ) -> Result<Work, Error> {
        kind.must_be_custom(OF_CONTAINERS)?;
        let held = self.held(pool, name)?;
        let name = held.snapshot(snapshot)?.name.clone();
        let (volumes, place) = (self.clone(), held.place.clone());
        Ok(self.in_background(async move { volumes.update_snapshot_now(place, name, put).await }))
    }

    async fn update_snapshot_now(
        &self,
        place: Place,
        name: SnapshotName,
        put: VolumeSnapshotPut,
    ) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        let held = self.inner.catalog.get(&place)?;
        let mut record = held.snapshot(name.as_str())?.clone();
        record.description = put.description;
        record.expires_at = put.expires_at.filter(|time| time.is_set()).unwrap_or(Time::UNSET);
        let (of, stored) = (place.clone(), record.clone());
        let write = self
            .inner
            .store
            .write(move |tx| store::volume_snapshots::update(tx, of.of(), &stored).map(|()| Stamp::take()));
        let stamp = write.await?;
        let mut new = held.as_ref().clone();
        for snapshot in new.snapshots.iter_mut().filter(|snapshot| snapshot.name == name) {
            snapshot.clone_from(&record);
        }
        self.inner.catalog.put(stamp, new);
        self.tell_snapshot("updated", &place, name.as_str(), None);
        Ok(())
    }
}
