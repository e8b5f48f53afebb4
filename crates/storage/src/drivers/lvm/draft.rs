//! Volumes in the making: logical volumes `tmp_<n>`, mounted where only root comes, named when they are
//! whole.

use super::{EXTENT, Lvm, names, unique};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::paths::mode;
use crate::paths::{PRIVATE, TEMPORARY};
use crate::pool::blocking;
use crate::volume::{Draft, Volume, VolumeSource};
use model::SnapshotName;
use std::path::Path;
use tools::lvm::{Lvm as Tool, Snapshot};

impl Lvm {
    /// The logical volume of a draft.
    pub(super) fn draft_volume(draft: &Draft) -> String {
        format!("tmp_{}", draft.name.strip_prefix(TEMPORARY).unwrap_or(&draft.name))
    }

    pub(super) async fn make_draft(
        &self,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Draft, Error> {
        let name = format!("{TEMPORARY}{}", unique());
        let draft = Draft { path: self.paths.drafts().join(&name), name };
        let result = self.fill_draft(&draft, source, config).await;
        if result.is_err()
            && let Err(error) = self.discard_draft(draft.clone()).await
        {
            tracing::warn!(pool = %self.pool, error = &error as &dyn std::error::Error, "cannot remove a half-made volume; the next start will");
        }
        result.map(|()| draft)
    }

    async fn fill_draft(
        &self,
        draft: &Draft,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let tool = self.tool().await?;
        let name = Self::draft_volume(draft);
        let origin = match &source {
            VolumeSource::Empty => None,
            VolumeSource::Volume { volume, .. } => Some(self.name(volume)?.name),
            VolumeSource::Draft(other) => Some(Self::draft_volume(other)),
        };
        match (&origin, &self.thin) {
            (Some(origin), Some(_)) => {
                let mounted = match &source {
                    VolumeSource::Volume { volume, .. } => self.paths.volume(volume),
                    VolumeSource::Draft(other) => other.path.clone(),
                    VolumeSource::Empty => draft.path.clone(),
                };
                block::flush_btrfs(&mounted).await?;
                if let Err(error) = tool.snapshot(&self.group, origin, &name, Snapshot::Thin, None).await {
                    if let VolumeSource::Volume { volume, .. } = &source
                        && !self.has_volume(volume).await?
                    {
                        return Err(self.missing(volume));
                    }
                    return Err(self.explain(&tool, error, None, EXTENT).await);
                }
                block::make_unique(&self.device(&name)).await?;
                self.set_size(&tool, &name, self.size(config), false, None, None).await?;
                self.mount_draft(&tool, draft, config).await
            }
            _ => {
                self.make_empty(&tool, &name, config).await?;
                self.mount_draft(&tool, draft, config).await?;
                // Made by mkfs.ext4 for what e2fsck may find; it makes it again if it does.
                let lost = draft.path.join("lost+found");
                let _ = blocking(move || Ok(std::fs::remove_dir(lost))).await;
                match source {
                    VolumeSource::Empty => Ok(()),
                    VolumeSource::Volume { volume, running, .. } => {
                        self.copy_into(draft, &volume, &[], running).await
                    }
                    VolumeSource::Draft(other) => {
                        self.copy_files(&other.path, &draft.path, false, false).await
                    }
                }
            }
        }
    }

    async fn mount_draft(&self, tool: &Tool, draft: &Draft, config: &VolumeConfig) -> Result<(), Error> {
        let path = draft.path.clone();
        blocking(move || super::pool::make_directory(&path, PRIVATE)).await?;
        let device = self.active(tool, &Self::draft_volume(draft)).await?;
        block::mount(&device, &draft.path, self.options(config), false).await?;
        Self::set_mode(&draft.path, PRIVATE).await
    }

    pub(super) async fn snapshot_draft(&self, draft: &Draft, snapshot: &SnapshotName) -> Result<(), Error> {
        let tool = self.tool().await?;
        let name = Self::draft_volume(draft);
        self.written(&tool, &draft.path, &name, None).await?;
        let to = self.draft_name(&name, snapshot)?;
        let (kind, needed) = if self.thin.is_some() {
            (Snapshot::ThinReadOnly, EXTENT)
        } else {
            let size = super::size::device_size(&self.device(&name)).await?;
            (Snapshot::Thick(size), size)
        };
        let made = tool.snapshot(&self.group, &name, &to.name, kind, to.tag.as_deref()).await;
        if let Err(error) = made {
            return Err(self.explain(&tool, error, None, needed).await);
        }
        if self.thin.is_none() {
            block::make_unique(&self.active(&tool, &to.name).await?).await?;
        }
        Ok(())
    }

    pub(super) async fn finish_draft(&self, draft: Draft, volume: &Volume) -> Result<(), Error> {
        let tool = self.tool().await?;
        let name = Self::draft_volume(&draft);
        Self::set_mode(&draft.path, mode(volume.kind())).await?;
        self.written(&tool, &draft.path, &name, Some(volume)).await?;
        block::unmount(&draft.path).await?;
        let path = draft.path.clone();
        blocking(move || std::fs::remove_dir(&path).map_err(io_error("remove", path))).await?;
        let Volume::Image(fingerprint) = volume else {
            self.name_with_snapshots(&tool, &name, volume).await?;
            return self.make_mount_point(volume).await;
        };
        self.finish_image(&tool, &name, volume).await?;
        self.known().images.insert(fingerprint.clone());
        Ok(())
    }

    /// One that is there already is as good; one with the file system that new volumes had before is not.
    async fn finish_image(&self, tool: &Tool, name: &str, volume: &Volume) -> Result<(), Error> {
        let device = self.active(tool, name).await?;
        let found = block::probe_async(&device).await?;
        let found = found.ok_or_else(|| block::BlockError::Unknown { device: device.clone() })?;
        let tag = names::filesystem_tag(found.filesystem.name());
        let own = self.name(volume)?;
        let list = self.list(tool).await?;
        if let Some(present) = list.iter().find(|present| present.name == own.name) {
            if present.tags.contains(&tag) {
                return self.remove_named(tool, vec![name.to_owned()]).await;
            }
            self.remove_volume(volume).await?;
        }
        if self.thin.is_some() {
            tool.seal(&self.group, name, &tag).await?;
            // What is made of it does not need its device.
            if let Err(error) = tool.deactivate(&self.group, name).await {
                tracing::debug!(%error, "an image's device stays for now");
            }
        } else {
            tool.tag(&self.group, name, &tag).await?;
        }
        self.give_name(tool, name, &own).await
    }

    /// Names a volume that is whole, and its snapshots. As long as some have their names and it has not, it
    /// is called `new_…`.
    pub(super) async fn name_with_snapshots(
        &self,
        tool: &Tool,
        name: &str,
        volume: &Volume,
    ) -> Result<(), Error> {
        let own = self.name(volume)?;
        let list = self.list(tool).await?;
        if list.iter().any(|present| present.name == own.name) {
            return Err(self.exists(volume));
        }
        let snapshots: Vec<_> = list
            .iter()
            .filter_map(|found| {
                let snapshot = names::parse_of_draft(name, &found.name, &found.tags)?;
                Some((found.name.as_str(), volume.snapshot(&snapshot)?))
            })
            .collect();
        if snapshots.is_empty() {
            return self.give_name(tool, name, &own).await;
        }
        let between = names::Name { name: format!("new_{}", own.name), tag: own.tag.clone() };
        self.give_name(tool, name, &between).await?;
        for (from, snapshot) in snapshots {
            self.give_name(tool, from, &self.name(&snapshot)?).await?;
            self.make_mount_point(&snapshot).await?;
        }
        self.give_name(tool, &between.name, &own).await
    }

    /// Renames a logical volume. Its tag is there before its name needs it.
    pub(super) async fn give_name(&self, tool: &Tool, from: &str, to: &names::Name) -> Result<(), Error> {
        if let Some(tag) = &to.tag {
            tool.tag(&self.group, from, tag).await?;
        }
        Ok(tool.rename(&self.group, from, &to.name).await?)
    }

    pub(super) async fn discard_draft(&self, draft: Draft) -> Result<(), Error> {
        block::unmount(&draft.path).await?;
        let path = draft.path.clone();
        blocking(move || remove_empty(&path)).await?;
        self.remove_with_prefix(&self.tool().await?, &Self::draft_volume(&draft)).await
    }
}

/// Removes a directory that something was mounted on. One that is not there is fine.
pub(super) fn remove_empty(path: &Path) -> Result<(), Error> {
    match std::fs::remove_dir(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", path)(error)),
        _ => Ok(()),
    }
}
