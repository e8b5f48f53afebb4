//! Volumes are seen while they are mounted.

use super::pool::make_directory;
use super::{EXTENT, Lvm};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::paths::mode;
use crate::pool::blocking;
use crate::volume::{Kind, Volume};
use tools::lvm::{Lvm as Tool, Snapshot};

impl Lvm {
    /// The options that volumes are mounted with.
    pub(super) fn options<'a>(&'a self, config: &'a VolumeConfig) -> Option<&'a str> {
        config.mount_options.as_deref().or(self.config.volume.mount_options.as_deref())
    }

    /// What nobody may write to.
    const fn is_sealed(volume: &Volume) -> bool {
        volume.kind().is_snapshot() || matches!(volume.kind(), Kind::Image)
    }

    pub(super) fn view(name: &str) -> String {
        format!("view_{name}")
    }

    /// Makes the directory that a volume is mounted on.
    pub(super) async fn make_mount_point(&self, volume: &Volume) -> Result<(), Error> {
        let (path, mode) = (self.paths.volume(volume), mode(volume.kind()));
        let parent = volume.parent().map(|parent| self.paths.snapshots(&parent));
        blocking(move || {
            if let Some(parent) = parent {
                make_directory(&parent, crate::paths::PRIVATE)?;
            }
            // What is mounted there has a mode of its own.
            if path.is_dir() { Ok(()) } else { make_directory(&path, mode) }
        })
        .await
    }

    /// Removes it, and the place of its snapshots when that is empty.
    pub(super) async fn remove_mount_point(&self, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.volume(volume);
        let places =
            [volume.parent().map(|parent| self.paths.snapshots(&parent)), Some(self.paths.snapshots(volume))];
        blocking(move || {
            super::draft::remove_empty(&path)?;
            for place in places.into_iter().flatten() {
                // Others are in it, or there is none.
                let _ = std::fs::remove_dir(place);
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn show(&self, volume: &Volume, config: &VolumeConfig) -> Result<(), Error> {
        let path = self.paths.volume(volume);
        if block::is_mounted(&path)? {
            return Ok(());
        }
        let tool = self.tool().await?;
        let mut name = self.name(volume)?.name;
        let sealed = Self::is_sealed(volume);
        if sealed && self.thin.is_some() {
            name = self.make_view(&tool, &name, volume).await?;
        } else {
            self.expect_active(&tool, &name, volume).await?;
        }
        self.make_mount_point(volume).await?;
        Ok(block::mount(&self.device(&name), &path, self.options(config), sealed).await?)
    }

    /// What was left of a former one is replaced.
    async fn make_view(&self, tool: &Tool, name: &str, volume: &Volume) -> Result<String, Error> {
        let view = Self::view(name);
        let make = || tool.snapshot(&self.group, name, &view, Snapshot::Thin, None);
        if let Err(error) = make().await {
            let list = self.list(tool).await?;
            if !list.iter().any(|found| found.name == name) {
                return Err(self.missing(volume));
            }
            if !list.iter().any(|found| found.name == view) {
                return Err(self.explain(tool, error, Some(volume), EXTENT).await);
            }
            self.remove_named(tool, vec![view.clone()]).await?;
            make().await?;
        }
        block::make_unique(&self.device(&view)).await?;
        Ok(view)
    }

    pub(super) async fn hide(&self, volume: &Volume) -> Result<(), Error> {
        let unmounted = block::unmount(&self.paths.volume(volume)).await?;
        if unmounted != block::Unmounted::Already && Self::is_sealed(volume) && self.thin.is_some() {
            let view = Self::view(&self.name(volume)?.name);
            self.remove_named(&self.tool().await?, vec![view]).await?;
        }
        Ok(())
    }
}
