//! Volumes that are in use stay mounted; the last user's end unmounts them.

use super::Pool;
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::volume::Volume;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// How many use each mounted volume.
#[derive(Clone, Default)]
pub(super) struct Users {
    counts: Arc<Mutex<HashMap<Volume, usize>>>,
}

impl Users {
    fn add(&self, volume: &Volume) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        *counts.entry(volume.clone()).or_default() += 1;
    }

    /// True: that was the last one.
    fn remove(&self, volume: &Volume) -> bool {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(count) = counts.get_mut(volume) else { return false };
        *count -= 1;
        let last = *count == 0;
        if last {
            counts.remove(volume);
        }
        last
    }

    fn has(&self, volume: &Volume) -> bool {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).contains_key(volume)
    }
}

/// A mounted volume: its files are there until this is dropped, and as long as others hold one.
pub struct Mounted {
    pool: Pool,
    volume: Volume,
    path: PathBuf,
}

impl Mounted {
    /// Where its files are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl std::fmt::Debug for Mounted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Mounted").field(&self.volume).finish()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if !self.pool.capabilities().mounts || !self.pool.inner.users.remove(&self.volume) {
            return;
        }
        let (pool, volume) = (self.pool.clone(), self.volume.clone());
        // Without a runtime the daemon ends; the next one unmounts it after its next use.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if let Err(error) = pool.unmount_unused(&volume).await {
                tracing::warn!(pool = %pool.name(), %volume, error = &error as &dyn std::error::Error, "cannot unmount a volume");
            }
        });
    }
}

impl Pool {
    /// Makes a volume's files visible for as long as the result lives.
    ///
    /// # Errors
    /// [`Error::NoVolume`], others.
    pub async fn mount_volume(&self, volume: &Volume, config: &VolumeConfig) -> Result<Mounted, Error> {
        let mounted =
            || Mounted { pool: self.clone(), volume: volume.clone(), path: self.volume_path(volume) };
        if !self.capabilities().mounts {
            return Ok(mounted());
        }
        let _turn = self.inner.turns.take(volume).await;
        self.inner.driver.mount_volume(volume, &self.resolve(config)).await?;
        self.inner.users.add(volume);
        Ok(mounted())
    }

    /// Unmounts a volume unless somebody uses it.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn unmount_unused(&self, volume: &Volume) -> Result<(), Error> {
        let _turn = self.inner.turns.take(volume).await;
        if self.inner.users.has(volume) {
            return Ok(());
        }
        self.inner.driver.unmount_volume(volume).await
    }
}
