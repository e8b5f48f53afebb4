//! Volumes that are in a pool and not in the database, taken over as they are.

use super::create::new_held;
use super::{Place, Volumes, ids};
use crate::Error;
use api::{Config, Time};
use std::os::unix::fs::MetadataExt as _;
use storage::VolumeConfig;
use store::volume_snapshots::Snapshot;

impl Volumes {
    /// Takes over a volume with its snapshots. Its keys are lost; whose files are in it is told by the
    /// owner of its root.
    ///
    /// # Errors
    /// It is known already; it cannot be mounted.
    pub(crate) async fn adopt(&self, place: Place) -> Result<(), Error> {
        let _turn = self.inner.turns.alone(&place).await;
        self.inner.catalog.is_free(&place)?;
        let pool = self.inner.pools.usable(&place.pool)?;
        let mounted = pool.mount_volume(&place.volume(), &VolumeConfig::default()).await?;
        let path = mounted.path().to_owned();
        let owner = tokio::task::spawn_blocking(move || {
            let looked = std::fs::metadata(&path).map(|metadata| metadata.uid());
            looked.map_err(|source| Error::Path { doing: "look at", path, source })
        });
        let owner = owner.await.map_err(|_| Error::Shutdown)??;
        let mut config = Config::new();
        ids::guess(&mut config, self.inner.platform.idmap(), owner);
        let names = pool.snapshots(&place.volume()).await?;
        let snapshots = names.into_iter().map(|name| Snapshot {
            name,
            created_at: Time::now(),
            expires_at: Time::UNSET,
            description: String::new(),
            config: config.clone(),
        });
        let snapshots = snapshots.collect();
        self.record_new(new_held(place, String::new(), config, snapshots), None).await
    }
}
