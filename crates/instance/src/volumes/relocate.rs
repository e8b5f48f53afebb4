//! Another pool for a volume that nobody uses: a copy with all snapshots, then the original goes.

use super::copy::Source;
use super::create::{own_keys, volatile_keys};
use super::{Place, VolumeKind, VolumeWork, Volumes};
use crate::catalog::Stamp;
use crate::journal::{self, Entry};
use crate::pools::Pools;
use crate::steps::{Steps, crash_at};
use crate::{Error, Work};
use storage::VolumeConfig;

impl Volumes {
    /// Moves a volume to another pool, under another name or the one that it has.
    ///
    /// # Errors
    /// Not found; in use; the name is bad or taken there.
    pub fn relocate(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        target: (&str, &str),
    ) -> Result<Work, Error> {
        kind.must_be_custom("move the container instead; images are unpacked where they are needed")?;
        let from = Place::parse(pool, name)?;
        let to = Place::parse(target.0, if target.1.is_empty() { name } else { target.1 })?;
        self.inner.catalog.get(&from)?;
        self.inner.pools.usable(&to.pool)?;
        self.inner.catalog.is_free(&to)?;
        self.unused(&from)?;
        let volumes = self.clone();
        Ok(self.in_background(async move { volumes.relocate_now(from, to).await }))
    }

    /// One write makes the copy the volume and the original what is to be removed: before it a crash
    /// undoes everything, after it the next daemon goes on.
    async fn relocate_now(&self, from: Place, to: Place) -> Result<(), Error> {
        let _turns = self.inner.turns.both_alone(&from, &to).await;
        let held = self.inner.catalog.get(&from)?;
        self.inner.catalog.is_free(&to)?;
        self.unused(&from)?;
        let (old, pool) = (self.inner.pools.usable(&from.pool)?, self.inner.pools.usable(&to.pool)?);
        let mut config = VolumeConfig::fitting(pool.kind(), &own_keys(held.record.config.clone()));
        config.extend(volatile_keys(&held.record.config));
        let mut steps = Steps::new(&from.to_string());
        let journal = self.begin_create(&to, &mut steps).await?;
        let source = Source { held: held.clone(), snapshot: None, alone: false };
        steps.run("volume-move:volume", self.copy_files(&source, &pool, &to, &config)).await?;
        let (undo, volume) = (pool.clone(), to.volume());
        steps.undo("volume-move:volume", async move { Pools::take_back(&undo, &volume).await });
        let mut moved = held.as_ref().clone();
        moved.record.pool = to.pool.clone();
        moved.record.name = to.name.to_string();
        moved.record.config = config;
        moved.place = to.clone();
        let work = VolumeWork::Delete { pool: from.pool.clone(), volume: from.name.clone() };
        let (gone, here, rest) = steps
            .run("volume-move:record", async {
                let (from, record, rest) = (from.clone(), moved.record.clone(), Entry::from(work));
                let done = self.inner.store.write(move |tx| {
                    store::volumes::relocate(tx, &from.pool, from.name.as_str(), &record)?;
                    store::journal::end(tx, journal)?;
                    let rest = journal::write(tx, &rest)?;
                    Ok((Stamp::take(), Stamp::take(), rest))
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        self.inner.catalog.remove(gone, &from);
        self.inner.catalog.put(here, moved);
        crash_at("volume-move:moved");
        if let Err(error) = old.delete_volume(&from.volume()).await {
            // A volume that is made there later must not be taken for it.
            tracing::error!(volume = %from, error = &error as &dyn std::error::Error, "cannot remove what was moved to another pool; remove it by hand");
        }
        journal::give_up(self.inner.store.clone(), rest).await;
        self.tell("renamed", &to, Some(("old_name", &from.to_string())));
        Ok(())
    }
}
