//! Volumes in the file system: their directories, and what is mounted on them.
//!
//! A snapshot of a device is looked at by a clone of it, because what was taken while it was mounted needs
//! its journal played back. The clone is made when it is mounted and removed when it is not.

use super::{State, names};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::paths::{PARTS, PASSABLE, PRIVATE};
use crate::pool::blocking;
use crate::volume::Volume;
use rustix::fs::{CWD, Mode, OFlags, fchmod, mkdirat, openat, syncfs};
use rustix::io::Errno;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Makes a directory with its mode, whatever the umask is. False: it was there.
pub(super) fn make_directory(path: &Path, mode: Mode) -> Result<bool, Error> {
    match mkdirat(CWD, path, Mode::RWXU) {
        Ok(()) => set_mode(path, mode).map(|()| true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(io_error("make", path)(errno)),
    }
}

pub(super) fn set_mode(path: &Path, mode: Mode) -> Result<(), Error> {
    let directory = openat(CWD, path, DIRECTORY, Mode::empty()).map_err(io_error("open", path))?;
    fchmod(directory, mode).map_err(io_error("set the mode of", path))
}

/// Removes an empty directory that nothing is mounted on, if it is there.
pub(super) fn remove_directory(path: &Path) -> Result<(), Error> {
    match std::fs::remove_dir(path) {
        Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

impl State {
    /// The directories of the pool.
    pub(super) fn make_places(&self) -> Result<bool, Error> {
        if let Some(pools) = self.paths.mount.parent() {
            make_directory(pools, PASSABLE)?;
        }
        let made = make_directory(&self.paths.mount, PASSABLE)?;
        for (part, mode) in PARTS {
            make_directory(&self.paths.part(part), mode)?;
        }
        Ok(made)
    }

    /// The directory that a volume is mounted on, which stays as long as there is the volume; a snapshot's
    /// is there while it is mounted.
    pub(super) async fn make_mount_point(&self, volume: &Volume) -> Result<PathBuf, Error> {
        let path = self.paths.volume(volume);
        let above = volume.parent().map(|of| self.paths.snapshots(&of));
        blocking(move || {
            if let Some(above) = above {
                make_directory(&above, PRIVATE)?;
            }
            make_directory(&path, PRIVATE)?;
            Ok(path)
        })
        .await
    }

    pub(super) async fn remove_mount_point(&self, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.volume(volume);
        let above = volume.parent().map(|of| self.paths.snapshots(&of));
        blocking(move || {
            remove_directory(&path)?;
            above.map_or(Ok(()), |above| remove_directory(&above))
        })
        .await
    }

    /// Writes what was changed below a path to the device, if something is mounted there.
    pub(super) async fn sync(&self, path: PathBuf) -> Result<(), Error> {
        blocking(move || {
            if !block::is_mounted(&path)? {
                return Ok(());
            }
            let directory = openat(CWD, &path, DIRECTORY, Mode::empty()).map_err(io_error("open", &path))?;
            syncfs(directory).map_err(io_error("write to the cluster", path))
        })
        .await
    }

    pub(super) async fn mount_volume(
        self: &Arc<Self>,
        volume: &Volume,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let target = self.paths.volume(volume);
        if block::is_mounted(&target)? {
            return Ok(());
        }
        let options = config.mount_options.as_deref();
        if volume.parent().is_some() {
            return self.mount_snapshot(volume, options).await;
        }
        let target = self.make_mount_point(volume).await?;
        let mounting = self.mount_device(&names::device(volume), &target, options, false).await;
        match self.expected(volume, mounting).await {
            Ok(()) => {
                let mut mounted = self.mounted.lock().unwrap_or_else(PoisonError::into_inner);
                mounted.insert(volume.clone(), config.clone());
                Ok(())
            }
            Err(error) => {
                if matches!(error, Error::NoVolume { .. }) {
                    self.remove_mount_point(volume).await?;
                }
                Err(error)
            }
        }
    }

    async fn mount_snapshot(self: &Arc<Self>, volume: &Volume, options: Option<&str>) -> Result<(), Error> {
        let base = self.base(volume).await?;
        let own = base.device == names::device(volume);
        let device = if own { base.device.clone() } else { names::view(volume) };
        if !own {
            // One that a crash left may be half of one.
            self.retire(&device).await?;
            self.rbd.clone_snapshot(&base.device, &base.snapshot, &device).await?;
        }
        let path = self.map(&device).await?;
        block::make_unique(&path).await?;
        let target = self.make_mount_point(volume).await?;
        self.mount_device(&device, &target, options, true).await
    }

    pub(super) async fn unmount_volume(self: &Arc<Self>, volume: &Volume) -> Result<(), Error> {
        let target = self.paths.volume(volume);
        self.unmount_device(&names::device(volume), &target).await?;
        self.mounted.lock().unwrap_or_else(PoisonError::into_inner).remove(volume);
        if volume.parent().is_some() {
            let view = names::view(volume);
            if !self.mapped(&view).await?.is_empty() {
                self.retire(&view).await?;
            }
            self.remove_mount_point(volume).await?;
        }
        Ok(())
    }

    /// Unmounts a volume for a moment; [`show`](Self::show) mounts it again if it was.
    pub(super) async fn hide(self: &Arc<Self>, volume: &Volume) -> Result<Option<VolumeConfig>, Error> {
        let was = if block::is_mounted(&self.paths.volume(volume))? {
            let mounted = self.mounted.lock().unwrap_or_else(PoisonError::into_inner);
            // Before the daemon was started anew; the next mount knows.
            Some(mounted.get(volume).cloned().unwrap_or_default())
        } else {
            None
        };
        self.release(volume).await?;
        Ok(was)
    }

    /// Unmounts a volume for good: nobody may write to it any more, not even who still has it open.
    pub(super) async fn release(self: &Arc<Self>, volume: &Volume) -> Result<(), Error> {
        self.unmount_volume(volume).await?;
        self.unmap_for_good(&names::device(volume)).await
    }

    pub(super) async fn show(
        self: &Arc<Self>,
        volume: &Volume,
        was: Option<VolumeConfig>,
    ) -> Result<(), Error> {
        match was {
            Some(config) => self.mount_volume(volume, &config).await,
            None => Ok(()),
        }
    }
}
