//! Devices made of something: of nothing, of images, of other volumes and their snapshots.

use super::mounts::set_mode;
use super::{State, is, names};
use crate::block;
use crate::config::{Filesystem, VolumeConfig};
use crate::error::{Error, io_error};
use crate::paths::PRIVATE;
use crate::pool::blocking;
use crate::volume::{Volume, VolumeSource};
use rustix::fs::{CWD, Mode, mkdirat};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use tools::RunError;

/// Mode of the root directory of an empty container.
const ROOTFS: Mode = Mode::from_raw_mode(0o755);

/// A snapshot that clones can be made of.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) device: String,
    pub(super) snapshot: String,
}

impl State {
    /// Makes a device under a name of its own: at once if that is one step, under that of a draft else.
    /// `of` is what it is for.
    pub(super) async fn build(
        self: &Arc<Self>,
        to: &str,
        of: &Volume,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        if let Some(base) = self.base_of(source).await? {
            let result = self.build_of(&base, to, of, config).await;
            if result.is_err() {
                self.forget_base(&base).await;
            }
            return result;
        }
        let draft = names::draft();
        self.make_empty(&draft, config).await?;
        let result = async {
            self.fill_empty(&draft, of).await?;
            Ok(self.rbd.rename(&draft, to).await?)
        };
        self.or_retire(&draft, result.await).await
    }

    async fn build_of(
        self: &Arc<Self>,
        base: &Base,
        to: &str,
        of: &Volume,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        // A copy of a device that is mounted too must not look the same to the kernel.
        let unique = config.filesystem == Some(Filesystem::Btrfs);
        let whole = self.copies_data(base);
        let size = match config.size {
            Some(size) if !of.kind().is_snapshot() => {
                let wanted = super::size::whole(size.0);
                (self.size_of_base(base).await? != wanted).then_some(size)
            }
            _ => None,
        };
        if !unique && !whole && size.is_none() {
            return Ok(self.rbd.clone_snapshot(&base.device, &base.snapshot, to).await?);
        }
        let draft = names::draft();
        self.copy_base(base, &draft).await?;
        let result = async {
            if unique {
                let path = self.map(&draft).await?;
                block::make_unique(&path).await?;
            }
            if let Some(size) = size {
                self.resize_device(&draft, None, size).await?;
            }
            self.unmap_for_good(&draft).await?;
            self.rbd.rename(&draft, to).await?;
            if whole {
                self.forget_base(base).await;
            }
            Ok(())
        };
        self.or_retire(&draft, result.await).await
    }

    /// Makes a device of a base, with its data or sharing it.
    pub(super) async fn copy_base(&self, base: &Base, to: &str) -> Result<(), RunError> {
        if self.copies_data(base) {
            self.rbd.copy_snapshot(&base.device, &base.snapshot, to).await
        } else {
            self.rbd.clone_snapshot(&base.device, &base.snapshot, to).await
        }
    }

    /// Containers always share data with their image.
    pub(super) fn copies_data(&self, base: &Base) -> bool {
        !self.settings.clone_copy && !names::is_image(&base.device)
    }

    /// What a source is cloned of; none: of nothing.
    pub(super) async fn base_of(&self, source: &VolumeSource) -> Result<Option<Base>, Error> {
        match source {
            VolumeSource::Empty => Ok(None),
            VolumeSource::Volume { volume, .. } => self.base(volume).await.map(Some),
            VolumeSource::Draft(draft) => {
                self.sync(draft.path.clone()).await?;
                self.base_now(&draft.name).await.map(Some)
            }
        }
    }

    /// A snapshot that holds what a volume holds now.
    pub(super) async fn base(&self, volume: &Volume) -> Result<Base, Error> {
        let device = names::device(volume);
        if let Some(of) = volume.parent() {
            let base = Base { device: names::device(&of), snapshot: names::snapshot_of(volume) };
            let result = self.rbd.snap_protect(&base.device, &base.snapshot).await;
            return match result {
                Err(error) if tools::rbd::failed_with(&error, Errno::NOENT) => self.readonly(volume).await,
                result => Ok(result.map(|()| base)?),
            };
        }
        if matches!(volume, Volume::Image(_)) {
            return Ok(Base { device, snapshot: names::READONLY.to_owned() });
        }
        self.sync(self.paths.volume(volume)).await?;
        let result = self.base_now(&device).await;
        self.expected(volume, result).await
    }

    /// The one snapshot of a device that is a snapshot as such.
    async fn readonly(&self, volume: &Volume) -> Result<Base, Error> {
        let base = Base { device: names::device(volume), snapshot: names::READONLY.to_owned() };
        let result = self.rbd.snap_create(&base.device, &base.snapshot).await;
        if is(&result, Errno::NOENT) {
            return Err(self.none(volume));
        }
        if !is(&result, Errno::EXIST) {
            result?;
        }
        self.rbd.snap_protect(&base.device, &base.snapshot).await?;
        Ok(base)
    }

    async fn base_now(&self, device: &str) -> Result<Base, Error> {
        let base = Base { device: device.to_owned(), snapshot: names::zombie_snapshot() };
        self.rbd.snap_create(&base.device, &base.snapshot).await?;
        self.rbd.snap_protect(&base.device, &base.snapshot).await?;
        Ok(base)
    }

    /// Removes a base that nothing was made of.
    pub(super) async fn forget_base(&self, base: &Base) {
        if let Err(error) = self.drop_if_zombie(&base.device, &base.snapshot).await {
            tracing::warn!(
                device = base.device,
                error = &error as &dyn std::error::Error,
                "cannot remove a snapshot; the next start will"
            );
        }
    }

    async fn size_of_base(&self, base: &Base) -> Result<u64, Error> {
        let image = names::is_image(&base.device);
        let known = || self.images.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(size) = known().get(&base.device).filter(|_| image) {
            return Ok(*size);
        }
        // A snapshot may be of another size than its device is now.
        let snapshots = self.rbd.snapshots(&base.device).await?.unwrap_or_default();
        let size =
            snapshots.into_iter().find(|found| found.name == base.snapshot).map_or(0, |found| found.size);
        if image && size > 0 {
            known().insert(base.device.clone(), size);
        }
        Ok(size)
    }

    /// Makes an empty device with a file system.
    pub(super) async fn make_empty(
        self: &Arc<Self>,
        device: &str,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let size = super::size::whole(config.size.unwrap_or(super::size::DEFAULT).0);
        self.rbd.create(device, size).await?;
        let filesystem = config.filesystem.unwrap_or(Filesystem::Ext4);
        let result = async {
            let path = self.map(device).await?;
            Ok(block::make(&path, filesystem, true).await?)
        };
        self.or_retire(device, result.await).await
    }

    /// Gives an empty file system the shape of a volume.
    async fn fill_empty(&self, draft: &str, of: &Volume) -> Result<(), Error> {
        let path = self.paths.drafts().join(names::draft_directory(draft));
        self.mount_draft(draft, &path, None).await?;
        let (directory, container) = (path.clone(), matches!(of, Volume::Container(_)));
        let mode = crate::paths::mode(of.kind());
        let filled = blocking(move || {
            if container {
                make_rootfs(&directory)?;
            }
            set_mode(&directory, mode)
        });
        let filled = filled.await;
        self.unmount_draft(draft, &path).await?;
        self.unmap_for_good(draft).await?;
        filled
    }

    /// Mounts a draft on a directory that only root reaches.
    pub(super) async fn mount_draft(
        &self,
        draft: &str,
        path: &Path,
        options: Option<&str>,
    ) -> Result<(), Error> {
        let directory: PathBuf = path.to_owned();
        blocking(move || super::mounts::make_directory(&directory, PRIVATE)).await?;
        self.mount_device(draft, path, options, false).await?;
        let directory: PathBuf = path.to_owned();
        blocking(move || {
            // What a check of ext4 finds goes there; it makes it anew.
            super::mounts::remove_directory(&directory.join("lost+found"))?;
            set_mode(&directory, PRIVATE)
        })
        .await
    }

    pub(super) async fn unmount_draft(&self, draft: &str, path: &Path) -> Result<(), Error> {
        self.unmount_device(draft, path).await?;
        let directory: PathBuf = path.to_owned();
        blocking(move || super::mounts::remove_directory(&directory)).await
    }

    /// Removes a device again that something failed for.
    pub(super) async fn or_retire<T>(
        self: &Arc<Self>,
        device: &str,
        result: Result<T, Error>,
    ) -> Result<T, Error> {
        if result.is_err()
            && let Err(error) = self.retire(device).await
        {
            tracing::warn!(
                device,
                error = &error as &dyn std::error::Error,
                "cannot remove a half-made device; the next start will"
            );
        }
        result
    }
}

fn make_rootfs(volume: &Path) -> Result<(), Error> {
    let rootfs = volume.join("rootfs");
    mkdirat(CWD, &rootfs, Mode::RWXU).map_err(io_error("make", &rootfs))?;
    set_mode(&rootfs, ROOTFS)
}
