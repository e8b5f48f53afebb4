//! Another name for a snapshot of a volume.

use super::OF_CONTAINERS;
use crate::catalog::Stamp;
use crate::journal;
use crate::steps::Steps;
use crate::volumes::{Place, VolumeKind, VolumeWork, Volumes};
use crate::{Error, Work};
use model::names::SnapshotName;

impl Volumes {
    /// Gives a snapshot another name.
    ///
    /// # Errors
    /// Not found; the new name is bad or taken.
    pub fn rename_snapshot(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        (snapshot, new_name): (&str, &str),
    ) -> Result<Work, Error> {
        kind.must_be_custom(OF_CONTAINERS)?;
        let held = self.held(pool, name)?;
        let from = held.snapshot(snapshot)?.name.clone();
        let to = SnapshotName::parse(new_name)?;
        held.is_free(&to)?;
        let (volumes, place) = (self.clone(), held.place.clone());
        Ok(self.in_background(async move { volumes.rename_snapshot_now(place, from, to).await }))
    }

    async fn rename_snapshot_now(
        &self,
        place: Place,
        from: SnapshotName,
        to: SnapshotName,
    ) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        let held = self.inner.catalog.get(&place)?;
        held.snapshot(from.as_str())?;
        held.is_free(&to)?;
        let pool = self.inner.pools.usable(&place.pool)?;
        let mut steps = Steps::new(&format!("{place}/{from}"));
        let store = &self.inner.store;
        let work = VolumeWork::RenameSnapshot {
            pool: place.pool.clone(),
            volume: place.name.clone(),
            from: from.clone(),
            to: to.clone(),
        };
        let journal = steps.run("volume-resnapshot:journal", journal::begin(store, work.into())).await?;
        steps.undo("volume-resnapshot:journal", journal::give_up(store.clone(), journal));
        let (old, made) = (place.snapshot(&from), place.snapshot(&to));
        let renamed = async { Ok(pool.rename(&old, &made).await?) };
        steps.run("volume-resnapshot:volume", renamed).await?;
        let undo = pool.clone();
        steps.undo("volume-resnapshot:volume", async move {
            if let Err(error) = undo.rename(&made, &old).await {
                tracing::error!(volume = %old, error = &error as &dyn std::error::Error, "cannot give the snapshot its name back");
            }
        });
        let stamp = steps
            .run("volume-resnapshot:record", async {
                let (of, from, to) = (place.clone(), from.clone(), to.clone());
                let done = store.write(move |tx| {
                    store::volume_snapshots::rename(tx, of.of(), &from, &to)?;
                    store::journal::end(tx, journal)?;
                    Ok(Stamp::take())
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        let mut new = held.as_ref().clone();
        for snapshot in new.snapshots.iter_mut().filter(|snapshot| snapshot.name == from) {
            snapshot.name = to.clone();
        }
        self.inner.catalog.put(stamp, new);
        self.tell_snapshot("renamed", &place, to.as_str(), Some(from.as_str()));
        Ok(())
    }
}
