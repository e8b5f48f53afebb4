//! Delete: a volume that nobody uses, with its snapshots; or what an image has in a pool.

use super::{Place, VolumeKind, VolumeWork, Volumes};
use crate::Error;
use crate::catalog::Stamp;
use crate::journal;
use crate::steps::Steps;
use model::names::PoolName;
use storage::Volume;
use store::volumes::VolumeKind as Number;

impl Volumes {
    /// Removes a volume. An image is unpacked again when it is needed there.
    ///
    /// # Errors
    /// Not found; in use; a container's.
    pub async fn delete(&self, pool: &str, kind: VolumeKind, name: &str) -> Result<(), Error> {
        let volumes = self.clone();
        match kind {
            VolumeKind::Container => kind.must_be_custom("delete the container instead"),
            VolumeKind::Image => {
                let (image, pool) = (self.image(pool, name).await?, PoolName::parse(pool)?);
                self.to_the_end(async move {
                    volumes.inner.pools.usable(&pool)?.delete_volume(&Volume::Image(image)).await?;
                    Ok(())
                })
                .await
            }
            VolumeKind::Custom => {
                let place = Place::parse(pool, name)?;
                self.inner.catalog.get(&place)?;
                self.to_the_end(async move { volumes.delete_now(place).await }).await
            }
        }
    }

    /// What has been begun is finished at the next start-up if the daemon dies on the way. What could not
    /// be removed is a volume as before, which somebody may go on using.
    async fn delete_now(&self, place: Place) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        self.inner.catalog.get(&place)?;
        self.unused(&place)?;
        let pool = self.inner.pools.usable(&place.pool)?;
        let mut steps = Steps::new(&place.to_string());
        let store = &self.inner.store;
        let work = VolumeWork::Delete { pool: place.pool.clone(), volume: place.name.clone() };
        let journal = steps.run("volume-delete:journal", journal::begin(store, work.into())).await?;
        steps.undo("volume-delete:journal", journal::give_up(store.clone(), journal));
        let volume = place.volume();
        let removed = async { Ok(pool.delete_volume(&volume).await?) };
        steps.run("volume-delete:volume", removed).await?;
        let stamp = steps
            .run("volume-delete:record", async {
                let gone = place.clone();
                let done = store.write(move |tx| {
                    store::volumes::delete(tx, &gone.pool, Number::Custom, gone.name.as_str())?;
                    store::journal::end(tx, journal)?;
                    Ok(Stamp::take())
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        self.inner.catalog.remove(stamp, &place);
        self.tell("deleted", &place, None);
        Ok(())
    }
}
