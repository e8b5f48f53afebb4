//! Sizes of volumes: of the device, and of the file system on it.

use super::mounts::{make_directory, remove_directory};
use super::{State, names};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::paths::PRIVATE;
use crate::pool::blocking;
use crate::volume::{Resized, Volume};
use model::units::Bytes;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Size of volumes that nothing is said about.
pub(super) const DEFAULT: Bytes = Bytes(10_000_000_000);
/// Devices are made of whole ones of these, in bytes.
const UNIT: u64 = 1 << 20;
/// How often and after how long it is looked again whether the kernel knows of a new size.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(50);

/// The next whole size of a device.
pub(super) fn whole(bytes: u64) -> u64 {
    bytes.div_ceil(UNIT).max(1).saturating_mul(UNIT)
}

impl State {
    pub(super) async fn resize(&self, volume: &Volume, config: &VolumeConfig) -> Result<Resized, Error> {
        let path = self.paths.volume(volume);
        let mounted = block::is_mounted(&path)?.then_some(path);
        let size = config.size.unwrap_or(DEFAULT);
        let result = self.resize_device(&names::device(volume), mounted.as_deref(), size).await;
        self.expected(volume, result).await
    }

    /// Gives a device and its file system another size. `mounted`: where it is, if it is.
    pub(super) async fn resize_device(
        &self,
        device: &str,
        mounted: Option<&Path>,
        size: Bytes,
    ) -> Result<Resized, Error> {
        let wanted = whole(size.0);
        let Some(info) = self.rbd.info(device).await? else {
            return Err(self.cannot(format!("resize {device}"), "it is gone".to_owned()));
        };
        let was_mapped = !self.mapped(device).await?.is_empty();
        let path = self.map(device).await?;
        let scratch = self.paths.drafts().join(names::draft_directory(&names::draft()));
        let directory = scratch.clone();
        blocking(move || make_directory(&directory, PRIVATE)).await?;
        let result = if wanted < info.size {
            self.shrink(device, &path, mounted, wanted, &scratch).await
        } else {
            // Also when the device has the size: a crash may have come between it and its file system.
            self.grow(device, &path, mounted, (info.size, wanted), &scratch).await.map(|()| Resized::Now)
        };
        blocking(move || remove_directory(&scratch)).await?;
        if !was_mapped {
            self.unmap(device).await?;
        }
        result
    }

    async fn grow(
        &self,
        device: &str,
        path: &Path,
        mounted: Option<&Path>,
        (old, wanted): (u64, u64),
        scratch: &Path,
    ) -> Result<(), Error> {
        if wanted > old {
            self.rbd.resize(device, wanted).await?;
        }
        await_size(path, wanted).await?;
        if block::probe_async(path).await?.is_some_and(|found| found.size == wanted) {
            return Ok(());
        }
        if let Err(error) = block::grow(path, mounted, scratch).await {
            // Its file system ends where it ended before.
            if wanted > old {
                self.rbd.resize(device, old).await?;
            }
            return Err(error.into());
        }
        Ok(())
    }

    /// A crash between the two leaves a device that is larger than its file system, which the same call
    /// mends.
    async fn shrink(
        &self,
        device: &str,
        path: &Path,
        mounted: Option<&Path>,
        wanted: u64,
        scratch: &Path,
    ) -> Result<Resized, Error> {
        let shrunk = block::shrink(path, Bytes(wanted), mounted, scratch).await?;
        if shrunk == Resized::Now {
            self.rbd.resize(device, wanted).await?;
            await_size(path, wanted).await?;
        }
        Ok(shrunk)
    }
}

/// The kernel is told of a new size by the cluster.
async fn await_size(path: &Path, wanted: u64) -> Result<(), Error> {
    let file: PathBuf = Path::new("/sys/class/block").join(path.file_name().unwrap_or_default()).join("size");
    for _ in 0..TRIES {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        // In sectors of 512 bytes, whatever the device's are.
        if text.trim().parse::<u64>().is_ok_and(|sectors| sectors.saturating_mul(512) == wanted) {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(crate::error::io_error("wait for the new size of", path)(std::io::Error::from(
        std::io::ErrorKind::TimedOut,
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_have_whole_sizes() {
        assert_eq!(whole(0), UNIT);
        assert_eq!(whole(UNIT), UNIT);
        assert_eq!(whole(UNIT + 1), 2 * UNIT);
        assert!(whole(DEFAULT.0) >= DEFAULT.0 && whole(DEFAULT.0).is_multiple_of(UNIT));
    }
}
