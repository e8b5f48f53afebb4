//! Restore: a volume that no running container has gets the files of one of its snapshots.
//!
//! The files are made beside the volume's. One write to the database then notes that they are to
//! follow; from there on it is carried through, by the next daemon if need be.

use super::OF_CONTAINERS;
use crate::Error;
use crate::catalog::Stamp;
use crate::journal::{self, Entry};
use crate::steps::{Steps, crash_at};
use crate::volumes::catalog::Held;
use crate::volumes::{Place, VolumeKind, VolumeWork, Volumes, ids};
use model::names::SnapshotName;
use storage::{Pool, VolumeSource};

/// Nobody's open files change under them.
const HINT: &str = "its files would change under them; stop them, or detach it first";

impl Volumes {
    /// Makes a volume's files what they were when a snapshot was taken. Its keys stay.
    ///
    /// # Errors
    /// Not found; a running container has the volume.
    pub async fn restore(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        snapshot: &str,
    ) -> Result<(), Error> {
        kind.must_be_custom(OF_CONTAINERS)?;
        let held = self.held(pool, name)?;
        let own = snapshot.strip_prefix(name).and_then(|rest| rest.strip_prefix('/'));
        let snapshot = held.snapshot(own.unwrap_or(snapshot))?.name.clone();
        let (volumes, place) = (self.clone(), held.place.clone());
        self.to_the_end(async move { volumes.restore_now(place, snapshot).await }).await
    }

    async fn restore_now(&self, place: Place, snapshot: SnapshotName) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        self.not_running(&place, HINT)?;
        let held = self.inner.catalog.get(&place)?;
        let mut new = held.as_ref().clone();
        // Whose files they are came with the snapshot.
        ids::inherit(&mut new.record.config, &held.snapshot(snapshot.as_str())?.config);
        let pool = self.inner.pools.usable(&place.pool)?;
        let config = new.config(&pool)?;
        let mut steps = Steps::new(&place.to_string());
        let store = &self.inner.store;
        let at =
            |staged| VolumeWork::Restore { pool: place.pool.clone(), volume: place.name.clone(), staged };
        let journal = steps.run("volume-restore:journal", journal::begin(store, at(None).into())).await?;
        steps.undo("volume-restore:journal", journal::give_up(store.clone(), journal));
        let (volume, source) = (place.volume(), VolumeSource::still(place.snapshot(&snapshot)));
        let staging = async { Ok(pool.stage(&volume, source, &config).await?) };
        let staged = steps.run("volume-restore:stage", staging).await?;
        let (undo, of) = (pool.clone(), volume.clone());
        steps.undo("volume-restore:stage", async move {
            if let Err(error) = undo.discard_staged(&of).await {
                tracing::error!(volume = %of, error = &error as &dyn std::error::Error, "cannot remove what was to be restored");
            }
        });
        let entry = Entry::from(at(Some(staged.clone())));
        let (record, old) = (new.record.clone(), held.record.clone());
        let stamp = steps
            .run("volume-restore:record", async {
                let done = store.write(move |tx| {
                    store::volumes::update(tx, &record)?;
                    store::journal::set_detail(tx, journal, &entry)?;
                    Ok(Stamp::take())
                });
                Ok(done.await?)
            })
            .await?;
        let undo = store.clone();
        steps.undo("volume-restore:record", async move {
            if let Err(error) = undo.write(move |tx| store::volumes::update(tx, &old)).await {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "cannot give a volume its keys back"
                );
            }
        });
        let exchanged = async { Ok(pool.commit_staged(&volume, staged).await?) };
        steps.run("volume-restore:files", exchanged).await?;
        steps.keep();
        crash_at("volume-restore:done");
        journal::give_up(store.clone(), journal).await;
        self.inner.catalog.put(stamp, new.clone());
        self.forget_removed(&pool, new).await;
        self.tell("restored", &place, Some(("snapshot", snapshot.as_str())));
        Ok(())
    }

    /// A driver may have been told to remove newer snapshots on the way.
    async fn forget_removed(&self, pool: &Pool, held: Held) {
        let removes = held
            .config(pool)
            .is_ok_and(|config| config.or(&pool.config().volume).remove_snapshots.unwrap_or(false));
        if !removes {
            return;
        }
        let Ok(there) = pool.snapshots(&held.place.volume()).await else { return };
        let (mut new, of) = (held.clone(), held.place.clone());
        new.snapshots.retain(|snapshot| there.contains(&snapshot.name));
        let gone: Vec<SnapshotName> =
            held.snapshot_names().into_iter().filter(|name| !there.contains(name)).collect();
        let forgotten = self.inner.store.write(move |tx| {
            for name in &gone {
                store::volume_snapshots::delete(tx, of.of(), name)?;
            }
            Ok(Stamp::take())
        });
        match forgotten.await {
            Ok(stamp) => self.inner.catalog.put(stamp, new),
            Err(error) => {
                tracing::error!(volume = %held.place, error = &error as &dyn std::error::Error, "cannot forget snapshots that are gone");
            }
        }
    }
}
