//! Another configuration for a pool: other names of what it is on, and a larger file.

use super::{Lvm, Source, names};
use crate::block::MountOptions;
use crate::config::PoolConfig;
use crate::error::Error;

impl Lvm {
    /// All is checked before anything is done. Each step is fine if it was done before.
    pub(super) async fn update_pool(&self, new: &PoolConfig) -> Result<(), Error> {
        let other = Self::new(self.pool.clone(), new, self.paths.clone());
        let filesystem = other.filesystem(&new.volume);
        MountOptions::parse(filesystem, new.volume.mount_options.as_deref())?;
        let tool = self.tool().await?;
        let renames = |what: &str, to: &str| format!("rename its {what} to {to:?}");
        if other.group != self.group {
            if let Some(why) = names::wrong_group(&other.group) {
                return Err(self.cannot(renames("volume group", &other.group), why));
            }
            if tools::lvm::Lvm::of_host().group(&other.group).await?.is_some() {
                let why = "there is a volume group of this name".to_owned();
                return Err(self.cannot(renames("volume group", &other.group), why));
            }
        }
        if let (Some(old), Some(new)) = (&self.thin, &other.thin)
            && old != new
        {
            if let Some(why) = names::wrong_pool(new) {
                return Err(self.cannot(renames("thin pool", new), why));
            }
            if self.list(&tool).await?.iter().any(|found| found.name == *new) {
                let why = "there is a logical volume of this name".to_owned();
                return Err(self.cannot(renames("thin pool", new), why));
            }
        }
        self.grow_file(new).await?;
        if let (Some(old), Some(new)) = (&self.thin, &other.thin)
            && old != new
        {
            tool.rename(&self.group, old, new).await?;
        }
        if other.group != self.group {
            tool.rename_group(&self.group, &other.group).await?;
        }
        Ok(())
    }

    /// The file, the device, what LVM knows of it, the thin pool: each only grows.
    async fn grow_file(&self, new: &PoolConfig) -> Result<(), Error> {
        let Some(size) = new.size.filter(|size| Some(*size) != self.config.size) else { return Ok(()) };
        let what = || format!("have {}", size.human(2));
        let Source::File(file) = &self.source else {
            let why = "it is on a volume group; use vgextend to make that larger".to_owned();
            return Err(self.cannot(what(), why));
        };
        let present = file.size().await?;
        if present > size {
            let why = format!("it has {} by now and can only grow", present.human(2));
            return Err(self.cannot(what(), why));
        }
        let Some(device) = file.grow(size).await? else {
            return Err(self.unusable(format!("its file {} is not attached", file.path().display())));
        };
        let tool = self.tool().await?;
        tool.resize_device(&device).await?;
        let group = tool.group(&self.group).await?.ok_or_else(|| self.no_group())?;
        match &self.thin {
            Some(pool) if group.free > 0 => Ok(tool.extend_pool(&self.group, pool).await?),
            _ => Ok(()),
        }
    }
}
