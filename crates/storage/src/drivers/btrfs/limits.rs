//! How much fits into a volume, and how much it takes: counted by btrfs in its quota groups, once a
//! size is wanted for the first time. A size limits what a volume shares with no other one.

use super::{State, place};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::pool::blocking;
use crate::volume::{Resized, Volume};
use model::units::Bytes;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tools::btrfs;

/// How long a file system may count what it has before the first limit is relied on.
const COUNTING: Duration = Duration::from_secs(20);

impl State {
    pub(super) async fn resize(&self, volume: &Volume, config: &VolumeConfig) -> Result<Resized, Error> {
        self.expect(volume)?;
        let path = self.paths.volume(volume);
        if let Some(size) = config.size {
            self.count().await?;
            let of = path.clone();
            // What is not on disk yet is not counted yet.
            blocking(move || super::draft::sync_all(&of)).await?;
            if let Some(used) = self.used(&path).await?.filter(|used| *used > size.0) {
                let what = format!("give the {volume} a size of {}", size.human_binary(2));
                let why = format!("it holds {} of its own", Bytes(used).human_binary(2));
                return Err(self.cannot(what, why));
            }
        }
        self.limit_path(&path, config.size).await?;
        Ok(Resized::Now)
    }

    /// Limits a subvolume. No limit is none of a file system that does not count.
    pub(super) async fn limit_path(&self, path: &Path, size: Option<Bytes>) -> Result<(), Error> {
        if size.is_some() {
            self.count().await?;
        } else if self.groups().await?.is_none() {
            return Ok(());
        }
        let bytes = size.map(|size| size.0);
        if btrfs::limit(path, bytes).await.is_ok() {
            return Ok(());
        }
        // Somebody removed what counts it.
        let id = btrfs::id(path).await?;
        if btrfs::create_quota_group(id, &self.paths.mount).await.is_ok() && bytes.is_none() {
            return Ok(());
        }
        Ok(btrfs::limit(path, bytes).await?)
    }

    /// Sees to it that the file system counts.
    async fn count(&self) -> Result<(), Error> {
        if self.groups().await?.is_some() {
            return Ok(());
        }
        btrfs::enable_quotas(&self.paths.mount).await.map_err(|error| {
            self.cannot("limit the size of volumes", format!("its file system keeps no quotas: {error}"))
        })?;
        // Large ones take minutes. A limit holds from now on, whatever was there before.
        if let Err(error) = btrfs::wait_for_quotas(&self.paths.mount, COUNTING).await {
            tracing::info!(pool = %self.pool, %error, "btrfs is still counting what volumes use");
        }
        Ok(())
    }

    /// Bytes that are a volume's alone; `None`: nobody counts.
    pub(super) async fn usage(&self, volume: &Volume) -> Result<Option<u64>, Error> {
        self.expect(volume)?;
        self.used(&self.paths.volume(volume)).await
    }

    async fn used(&self, path: &Path) -> Result<Option<u64>, Error> {
        let Some(groups) = self.groups().await? else { return Ok(None) };
        let file = groups.join(format!("0_{}", btrfs::id(path).await?)).join("exclusive");
        let read = move || Ok(std::fs::read_to_string(file).ok().and_then(|text| text.trim().parse().ok()));
        blocking(read).await
    }

    /// Where the kernel shows its numbers; `None`: it does not count, or is too old to show them.
    async fn groups(&self) -> Result<Option<PathBuf>, Error> {
        let path = self.paths.mount.clone();
        let groups =
            move || Ok(place::sysfs(&path).map(|system| system.join("qgroups")).filter(|g| g.is_dir()));
        blocking(groups).await
    }

    /// Removes what counted subvolumes that are gone. If that fails, only a few bytes of the file system
    /// remain in use.
    pub(super) async fn forget_stale(&self) {
        if !matches!(self.groups().await, Ok(Some(_))) {
            return;
        }
        if let Err(error) = btrfs::clear_stale_quota_groups(&self.paths.mount).await {
            tracing::debug!(pool = %self.pool, %error, "cannot remove quota groups of subvolumes that are gone");
        }
    }
}
