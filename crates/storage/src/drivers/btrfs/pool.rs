//! The pool as a whole: mounted, unmounted, measured, made larger, removed. Making it is in `create.rs`.

use super::source::Source;
use super::subvolumes::set_mode;
use super::{State, beneath, options, place};
use crate::block::{self, MountOptions, Unmounted};
use crate::config::PoolConfig;
use crate::drivers::Resources;
use crate::error::{Error, io_error};
use crate::loopfile::LoopFile;
use crate::paths::{PARTS, PASSABLE};
use crate::pool::blocking;
use model::units::Bytes;
use rustix::fs::{CWD, Mode, mkdirat, statvfs};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount, mount_remount};
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl State {
    pub(super) async fn mount(self: &Arc<Self>) -> Result<bool, Error> {
        let state = self.clone();
        let mounted = blocking(move || {
            make_directory(&state.paths.mount)?;
            Ok(block::is_mounted(&state.paths.mount)?)
        })
        .await?;
        let state = self.clone();
        let source = blocking(move || state.source()).await?;
        if !mounted {
            self.mount_source(&source).await?;
        }
        // Pools of older versions may lack a part.
        self.make_parts().await?;
        Ok(!mounted && !self.is_here(&source))
    }

    /// Mounts the pool if it can be. Nothing happens when what it is on is gone: then there are no volumes.
    pub(super) async fn make_visible(self: &Arc<Self>) -> Result<(), Error> {
        let state = self.clone();
        let source = blocking(move || state.source()).await?;
        if block::is_mounted(&self.paths.mount)? || self.is_here(&source) || self.is_gone(&source).await? {
            return Ok(());
        }
        self.mount().await.map(drop)
    }

    /// True if what the pool is on is not there.
    async fn is_gone(&self, source: &Source) -> Result<bool, Error> {
        match source {
            Source::Loop(file) => Ok(!file.exists()),
            Source::Uuid(uuid) => Ok(self.device(uuid).await?.is_none()),
            Source::Device(path) | Source::Subvolume(path) => Ok(!path.exists()),
        }
    }

    /// True if the pool's own directory is its source, so that nothing is mounted there.
    pub(super) fn is_here(&self, source: &Source) -> bool {
        matches!(source, Source::Subvolume(path) if *path == self.paths.mount)
    }

    /// Mounts what the pool is on.
    pub(super) async fn mount_source(&self, source: &Source) -> Result<(), Error> {
        match source {
            Source::Loop(file) => {
                if !file.exists() {
                    return Err(self.gone(source));
                }
                self.mount_loop(file).await
            }
            Source::Uuid(uuid) => match self.device(uuid).await? {
                Some(device) => self.mount_device(&device).await,
                None => Err(self.gone(source)),
            },
            Source::Device(device) => self.mount_device(device).await,
            Source::Subvolume(path) => {
                let (of, at) = (path.clone(), self.paths.mount.clone());
                let is_there = blocking(move || {
                    if !beneath::is_subvolume(&of)? {
                        return Ok(false);
                    }
                    if of != at {
                        mount(&of, &at, c"none", MountFlags::BIND, None)
                            .map_err(io_error("mount the pool's source on", &at))?;
                    }
                    Ok(true)
                });
                if is_there.await? { Ok(()) } else { Err(self.gone(source)) }
            }
        }
    }

    /// The device goes with the mount, whoever ends that.
    pub(super) async fn mount_loop(&self, file: &LoopFile) -> Result<(), Error> {
        let device = file.attach().await?;
        let mounted = self.mount_device(&device).await;
        let detached = file.detach().await;
        mounted.and(detached)
    }

    pub(super) async fn mount_device(&self, device: &Path) -> Result<(), Error> {
        let options = options::parse(self.mount_options.as_deref())?;
        let (of, at) = (device.to_owned(), self.paths.mount.clone());
        let mounted = blocking(move || Ok(mount(&of, &at, c"btrfs", options.flags, options.data.as_c_str())));
        mounted.await?.map_err(|errno| {
            let why = match errno {
                Errno::INVAL => {
                    "it holds no btrfs that the kernel can mount with the pool's btrfs.mount_options"
                        .to_owned()
                }
                Errno::NODEV => "the kernel has no btrfs; load its module".to_owned(),
                errno => format!("it cannot be mounted: {errno}"),
            };
            self.unusable(device.display().to_string(), why)
        })
    }

    pub(super) async fn make_parts(&self) -> Result<(), Error> {
        for (part, mode) in PARTS {
            let path = self.paths.part(part);
            if path.symlink_metadata().is_err() {
                self.create_subvolume(&path, mode).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn unmount(&self) -> Result<bool, Error> {
        match block::unmount(&self.paths.mount).await? {
            Unmounted::Already => Ok(false),
            Unmounted::Fully => Ok(true),
            Unmounted::Lazily => {
                tracing::warn!(pool = %self.pool, "somebody still uses files of a storage pool that was unmounted");
                Ok(true)
            }
        }
    }

    /// A pool whose source is gone can be deleted, too: then nothing remains of it here.
    pub(super) async fn delete(self: &Arc<Self>) -> Result<(), Error> {
        let state = self.clone();
        let source = blocking(move || state.source()).await?;
        match &source {
            Source::Loop(file) => {
                self.unmount().await?;
                file.remove().await?;
            }
            Source::Uuid(_) | Source::Device(_) => {
                let device = match &source {
                    Source::Uuid(uuid) => self.device(uuid).await?,
                    Source::Device(path) => Some(path.clone()),
                    Source::Loop(_) | Source::Subvolume(_) => None,
                };
                let was_mounted = self.unmount().await?;
                if let Some(device) = device.filter(|_| was_mounted) {
                    tools::wipefs::wipe(&device).await?;
                }
            }
            Source::Subvolume(path) => {
                for (part, _) in PARTS {
                    self.remove(&self.paths.part(part)).await?;
                }
                self.unmount().await?;
                // One that holds other things, or is a mount point, is not ours alone.
                let path = path.clone();
                blocking(move || remove_directory(&path)).await?;
            }
        }
        let path = self.paths.mount.clone();
        blocking(move || remove_directory(&path)).await
    }

    pub(super) fn statistics(&self) -> Result<Resources, Error> {
        let path = &self.paths.mount;
        let stat = statvfs(path).map_err(io_error("ask for the free space of", path))?;
        Ok(Resources {
            space_used: stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(stat.f_frsize),
            space_total: stat.f_blocks.saturating_mul(stat.f_frsize),
            inodes_used: 0,
            inodes_total: 0,
        })
    }

    pub(super) async fn update(self: &Arc<Self>, new: &PoolConfig) -> Result<(), Error> {
        let options = options::parse(new.btrfs_mount_options.as_deref())?;
        let state = self.clone();
        let source = blocking(move || state.source()).await?;
        if let Some(size) = new.size.filter(|size| Some(*size) != self.size) {
            self.grow(&source, size).await?;
        }
        if new.btrfs_mount_options != self.mount_options {
            self.remount(&source, options).await?;
        }
        Ok(())
    }

    async fn grow(&self, source: &Source, size: Bytes) -> Result<(), Error> {
        let what = format!("have a size of {size}");
        let Source::Loop(file) = source else {
            return Err(self.cannot(what, "only pools on loop files have a size of their own"));
        };
        let present = file.size().await?;
        if size < present {
            let why = format!("it has {present} already, and a loop file only grows");
            return Err(self.cannot(what, why));
        }
        file.grow(size).await?;
        Ok(tools::btrfs_resize::to(&self.paths.mount, None).await?)
    }

    async fn remount(&self, source: &Source, new: MountOptions) -> Result<(), Error> {
        if matches!(source, Source::Subvolume(_)) {
            let why = "its file system is mounted by others; set its options there";
            return Err(self.cannot("change btrfs.mount_options", why));
        }
        let old = options::parse(self.mount_options.as_deref())?;
        let at = self.paths.mount.clone();
        let remounted = blocking(move || {
            let with = |new_words| {
                let (flags, data) = options::change(&old, &new, new_words);
                mount_remount(&at, flags, data.as_c_str())
            };
            Ok(match with(true) {
                Err(Errno::INVAL) => with(false),
                result => result,
            })
        });
        let refused = |errno: Errno| {
            let why = format!("the file system does not accept all of them while it is mounted: {errno}");
            self.cannot("change btrfs.mount_options", why)
        };
        remounted.await?.map_err(refused)
    }
}

/// Makes a directory of the daemon's with its mode. False: it was there.
pub(super) fn make_directory(path: &Path) -> Result<bool, Error> {
    match mkdirat(CWD, path, Mode::RWXU) {
        Ok(()) => {}
        Err(Errno::EXIST) => return Ok(false),
        Err(errno) => return Err(io_error("make", path)(errno)),
    }
    set_mode(path, PASSABLE)?;
    Ok(true)
}

/// Removes a directory, or an empty subvolume, unless it holds something or is in use.
pub(super) fn remove_directory(path: &Path) -> Result<(), Error> {
    use std::io::ErrorKind::{DirectoryNotEmpty, NotFound, ResourceBusy};
    match std::fs::remove_dir(path) {
        Err(error) if !matches!(error.kind(), NotFound | DirectoryNotEmpty | ResourceBusy) => {
            Err(io_error("remove", path)(error))
        }
        _ => Ok(()),
    }
}

/// The device that is mounted at a path.
pub(super) fn mounted_device(path: &Path) -> Option<PathBuf> {
    place::mount_of(path).map(|mount| mount.device)
}
