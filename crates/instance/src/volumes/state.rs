//! How much of a volume is used.

use super::{Place, VolumeKind, Volumes, view};
use crate::Error;
use api::storage::{VolumeState, VolumeUsage};
use model::names::{InstanceName, PoolName};
use storage::{Volume, VolumeConfig};

impl Volumes {
    /// How much is used, of how much. Where the driver keeps no account, every file is looked at.
    ///
    /// # Errors
    /// Not found; the pool cannot be used.
    pub async fn state(&self, pool: &str, kind: VolumeKind, name: &str) -> Result<VolumeState, Error> {
        let (volume, config) = self.in_pool(pool, kind, name).await?;
        let pool = self.inner.pools.usable(&PoolName::parse(pool)?)?;
        let used = pool.usage(&volume).await?;
        let size = config.size.or(pool.config().volume.size);
        let total = size.and_then(|size| i64::try_from(size.0).ok()).unwrap_or(0);
        Ok(VolumeState { usage: Some(VolumeUsage { used, total }) })
    }

    async fn in_pool(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
    ) -> Result<(Volume, VolumeConfig), Error> {
        match kind {
            VolumeKind::Custom => {
                let held = self.inner.catalog.get(&Place::parse(pool, name)?)?;
                let usable = self.inner.pools.usable(&held.place.pool)?;
                Ok((held.place.volume(), held.config(&usable)?))
            }
            VolumeKind::Image => {
                let image = self.image(pool, name).await?;
                Ok((Volume::Image(image), VolumeConfig::default()))
            }
            VolumeKind::Container => {
                let entry = self.inner.registry.get(name)?;
                let view = entry.view();
                if self.inner.pools.of_instance(&view)? != *pool {
                    return Err(Error::not_found("Storage volume", &format!("{pool}/container/{name}")));
                }
                let config = view::root(&view.expanded_devices).map(|root| Self::container_config(&root));
                Ok((Volume::Container(InstanceName::parse(name)?), config.unwrap_or_default()))
            }
        }
    }
}
