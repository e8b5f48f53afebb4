//! Update and patch: other keys and another description.

use super::catalog::Held;
use super::create::{own_keys, volatile_keys};
use super::{Place, VolumeKind, VolumeWork, Volumes};
use crate::Error;
use crate::journal;
use crate::steps::Steps;
use api::Config;
use api::storage::{VolumePatch, VolumePut};
use model::config::is_true;
use storage::{Pool, Resized, VolumeConfig};

/// Changes of the owners on disk wait until nobody has the files open.
const SHIFTED: &str = "security.shifted";
const OF_CONTAINERS: &str = "the size of a container's root is a property of its root device";

impl Volumes {
    /// Replaces everything that can be changed.
    ///
    /// # Errors
    /// Not found; a bad key or value; it does not fit, or not while containers run.
    pub async fn update(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        put: VolumePut,
    ) -> Result<(), Error> {
        kind.must_be_custom(OF_CONTAINERS)?;
        self.change(Place::parse(pool, name)?, move |record| {
            (record.config, record.description) = (put.config, put.description);
        })
        .await
    }

    /// Changes what is given; an empty value unsets a key.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn patch(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        patch: VolumePatch,
    ) -> Result<(), Error> {
        kind.must_be_custom(OF_CONTAINERS)?;
        self.change(Place::parse(pool, name)?, move |record| {
            record.config.extend(patch.config.unwrap_or_default());
            if let Some(description) = patch.description {
                record.description = description;
            }
        })
        .await
    }

    async fn change(
        &self,
        place: Place,
        change: impl FnOnce(&mut store::volumes::Volume) + Send + 'static,
    ) -> Result<(), Error> {
        let volumes = self.clone();
        self.to_the_end(async move {
            let _turn = volumes.inner.turns.alone(&place).await;
            let old = volumes.inner.catalog.get(&place)?;
            let mut new = old.as_ref().clone();
            change(&mut new.record);
            // What only we set stays as it is, whatever the client knows of it.
            let mut config = own_keys(std::mem::take(&mut new.record.config));
            config.extend(volatile_keys(&old.record.config));
            new.record.config = config;
            volumes.change_now(&old, new).await
        })
        .await
    }

    async fn change_now(&self, old: &Held, new: Held) -> Result<(), Error> {
        let place = new.place.clone();
        let pool = self.inner.pools.usable(&place.pool)?;
        let wanted = VolumeConfig::check_update(pool.kind(), &old.record.config, &new.record.config)
            .map_err(storage::Error::from)?;
        let shifted = |config: &Config| config.get(SHIFTED).is_some_and(|value| is_true(value));
        if shifted(&old.record.config) != shifted(&new.record.config) {
            self.not_running(
                &place,
                "the owners of its files change with security.shifted; stop them first",
            )?;
        }
        let before = old.config(&pool)?;
        if (before.size, before.use_refquota) == (wanted.size, wanted.use_refquota) {
            self.save(new, None).await?;
        } else {
            self.resize(&pool, (&before, &wanted), new).await?;
        }
        self.tell("updated", &place, None);
        Ok(())
    }

    async fn resize(
        &self,
        pool: &Pool,
        (before, wanted): (&VolumeConfig, &VolumeConfig),
        new: Held,
    ) -> Result<(), Error> {
        let (place, volume) = (new.place.clone(), new.place.volume());
        let mut steps = Steps::new(&place.to_string());
        let store = &self.inner.store;
        let work = VolumeWork::Resize { pool: place.pool.clone(), volume: place.name.clone() };
        let journal = steps.run("volume-resize:journal", journal::begin(store, work.into())).await?;
        steps.undo("volume-resize:journal", journal::give_up(store.clone(), journal));
        let resized = async {
            match pool.resize(&volume, wanted).await? {
                Resized::Now => Ok(()),
                Resized::Later => {
                    let hint = "it cannot become smaller while it is mounted; stop them first";
                    self.not_running(&place, hint)?;
                    Err(Error::VolumeBusy { volume: place.to_string() })
                }
            }
        };
        steps.run("volume-resize:volume", resized).await?;
        let (undo, of, old) = (pool.clone(), volume.clone(), before.clone());
        steps.undo("volume-resize:volume", async move {
            if let Err(error) = undo.resize(&of, &old).await {
                tracing::error!(volume = %of, error = &error as &dyn std::error::Error, "cannot give a volume its size back");
            }
        });
        steps.run("volume-resize:record", self.save(new, Some(journal))).await?;
        steps.keep();
        Ok(())
    }
}
