//! How large volumes are, and how full.

use super::pool::rounded;
use super::{DEFAULT_SIZE, EXTENT, Lvm};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::pool::blocking;
use crate::volume::{Resized, Volume};
use model::units::Bytes;
use rustix::fs::statvfs;
use std::io::{Seek as _, SeekFrom};
use std::path::Path;
use tools::lvm::Lvm as Tool;

/// How much smaller than its device a file system may be for reasons of its own.
const SLACK: u64 = 16 << 20;

impl Lvm {
    /// The size that was asked for, or else of all volumes.
    pub(super) fn size(&self, config: &VolumeConfig) -> Bytes {
        config.size.or(self.config.volume.size).unwrap_or(DEFAULT_SIZE)
    }

    /// It comes to its end also when nobody waits for it any more: a file system that stops getting smaller in
    /// the middle is lost.
    pub(super) async fn resize_volume(
        &self,
        volume: &Volume,
        config: &VolumeConfig,
    ) -> Result<Resized, Error> {
        let (this, volume, config) = (self.clone(), volume.clone(), config.clone());
        let work = tokio::spawn(async move { this.change_size(&volume, &config).await });
        work.await.map_err(|_| Error::ShuttingDown)?
    }

    async fn change_size(&self, volume: &Volume, config: &VolumeConfig) -> Result<Resized, Error> {
        let tool = self.tool().await?;
        let name = self.name(volume)?.name;
        self.expect_active(&tool, &name, volume).await?;
        let path = self.paths.volume(volume);
        let mounted = block::is_mounted(&path)?.then_some(path);
        self.set_size(&tool, &name, self.size(config), true, mounted.as_deref(), Some(volume)).await
    }

    /// Gives a logical volume another size, and the file system on it. Larger: first the volume; smaller: first
    /// the file system. After an interruption the same call goes on where it ended.
    pub(super) async fn set_size(
        &self,
        tool: &Tool,
        name: &str,
        size: Bytes,
        may_shrink: bool,
        mounted: Option<&Path>,
        volume: Option<&Volume>,
    ) -> Result<Resized, Error> {
        let device = self.device(name);
        let present = device_size(&device).await?;
        if size.0 > present {
            if let Err(error) = tool.extend(&self.group, name, size.0).await {
                return Err(self.explain(tool, error, volume, size.0 - present).await);
            }
            let scratch = self.scratch()?;
            block::grow(&device, mounted, &scratch.path).await?;
            return Ok(Resized::Now);
        }
        if may_shrink && present - size.0 >= EXTENT {
            let group = tool.group(&self.group).await?.ok_or_else(|| self.no_group())?;
            let smaller = rounded(size, group.extent);
            if smaller < present {
                let scratch = self.scratch()?;
                if block::shrink(&device, Bytes(smaller), mounted, &scratch.path).await? == Resized::Later {
                    return Ok(Resized::Later);
                }
                tool.reduce(&self.group, name, smaller).await?;
                return Ok(Resized::Now);
            }
        }
        let found = block::probe_async(&device).await?;
        if found.is_some_and(|found| found.size + SLACK < present) {
            let scratch = self.scratch()?;
            block::grow(&device, mounted, &scratch.path).await?;
        }
        Ok(Resized::Now)
    }

    /// What is in use of a file system: as it says itself while it is mounted, and as it noted when it was
    /// unmounted otherwise.
    pub(super) async fn usage_of(&self, volume: &Volume) -> Result<Option<u64>, Error> {
        let path = self.paths.volume(volume);
        if block::is_mounted(&path)? {
            let stat =
                blocking(move || statvfs(&path).map_err(io_error("ask for the free space of", path))).await?;
            return Ok(Some(stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(stat.f_frsize)));
        }
        let tool = self.tool().await?;
        let name = self.name(volume)?.name;
        let device = self.device(&name);
        let was_active = device.exists();
        self.expect_active(&tool, &name, volume).await?;
        let found = block::probe_async(&device).await?;
        if !was_active {
            tool.deactivate(&self.group, &name).await?;
        }
        Ok(found.map(|found| found.used))
    }

    /// Makes the device of a volume appear, if there is such a volume.
    pub(super) async fn expect_active(&self, tool: &Tool, name: &str, volume: &Volume) -> Result<(), Error> {
        match self.active(tool, name).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let list = self.list(tool).await?;
                Err(if list.iter().any(|found| found.name == name) { error } else { self.missing(volume) })
            }
        }
    }
}

/// In bytes.
pub(super) async fn device_size(device: &Path) -> Result<u64, Error> {
    let path = device.to_owned();
    blocking(move || {
        let mut file = std::fs::File::open(&path).map_err(io_error("open", &path))?;
        file.seek(SeekFrom::End(0)).map_err(io_error("look at", path))
    })
    .await
}
