//! Another name for a volume that nobody uses.

use super::{Place, VolumeKind, VolumeWork, Volumes};
use crate::Error;
use crate::catalog::Stamp;
use crate::journal;
use crate::steps::Steps;
use model::names::VolumeName;
use store::volumes::VolumeKind as Number;

impl Volumes {
    /// Moves the files, then the record; the start-up finishes or undoes what was interrupted.
    ///
    /// # Errors
    /// Not found; in use; the new name is bad or taken.
    pub async fn rename(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        new_name: &str,
    ) -> Result<(), Error> {
        kind.must_be_custom("rename the container instead; images have no names")?;
        let from = Place::parse(pool, name)?;
        let to = Place { pool: from.pool.clone(), name: VolumeName::parse(new_name)? };
        self.inner.catalog.get(&from)?;
        let volumes = self.clone();
        self.to_the_end(async move { volumes.rename_now(from, to).await }).await
    }

    async fn rename_now(&self, from: Place, to: Place) -> Result<(), Error> {
        let _turns = self.inner.turns.both_alone(&from, &to).await;
        let held = self.inner.catalog.get(&from)?;
        self.inner.catalog.is_free(&to)?;
        self.unused(&from)?;
        let pool = self.inner.pools.usable(&from.pool)?;
        let mut steps = Steps::new(&from.to_string());
        let store = &self.inner.store;
        let work =
            VolumeWork::Rename { pool: from.pool.clone(), from: from.name.clone(), to: to.name.clone() };
        let journal = steps.run("volume-rename:journal", journal::begin(store, work.into())).await?;
        steps.undo("volume-rename:journal", journal::give_up(store.clone(), journal));
        let (old, new) = (from.volume(), to.volume());
        let renamed = async { Ok(pool.rename(&old, &new).await?) };
        steps.run("volume-rename:volume", renamed).await?;
        let (undo, back, made) = (pool.clone(), old.clone(), new.clone());
        steps.undo("volume-rename:volume", async move {
            if let Err(error) = undo.rename(&made, &back).await {
                tracing::error!(volume = %back, error = &error as &dyn std::error::Error, "cannot give the volume its name back");
            }
        });
        let (gone, here) = steps
            .run("volume-rename:record", async {
                let (from, to) = (from.clone(), to.clone());
                let done = store.write(move |tx| {
                    let kind = Number::Custom;
                    store::volumes::rename(tx, &from.pool, kind, from.name.as_str(), to.name.as_str())?;
                    store::journal::end(tx, journal)?;
                    Ok((Stamp::take(), Stamp::take()))
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        let mut renamed = held.as_ref().clone();
        renamed.record.name = to.name.to_string();
        renamed.place = to.clone();
        self.inner.catalog.remove(gone, &from);
        self.inner.catalog.put(here, renamed);
        self.tell("renamed", &to, Some(("old_name", from.name.as_str())));
        Ok(())
    }
}
