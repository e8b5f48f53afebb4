//! All of a file system that the pool is a part of, mounted where only root comes for as long as a stream is
//! received: what the stream is a difference to may lie in another pool on it.

use super::pool::{make_directory, remove_directory};
use super::volume::names;
use super::{State, place};
use crate::block;
use crate::error::{Error, io_error};
use crate::paths::PRIVATE;
use crate::pool::blocking;
use rustix::mount::{MountFlags, UnmountFlags, mount, unmount};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A mount that goes when this is dropped.
pub(super) struct Whole {
    point: Option<PathBuf>,
    /// The directory that was asked for, by a path from which everything can be reached.
    pub(super) path: PathBuf,
}

impl State {
    /// Makes everything reachable from a directory of the pool.
    pub(super) async fn whole(self: &Arc<Self>, path: &Path) -> Result<Whole, Error> {
        let (state, path) = (self.clone(), path.to_owned());
        blocking(move || {
            let plain = Whole { point: None, path: path.clone() };
            if place::is_whole(&path) {
                return Ok(plain);
            }
            let (Some(mounted), Some(inside)) = (place::mount_of(&path), place::inside(&path)) else {
                return Ok(plain);
            };
            let point = super::trash::beside(&state.paths.mount, WHOLE);
            make_directory(&point)?;
            super::subvolumes::set_mode(&point, PRIVATE)?;
            let whole = Whole { path: point.join(inside), point: Some(point.clone()) };
            mount(&mounted.device, &point, c"btrfs", MountFlags::empty(), c"subvolid=5")
                .map_err(io_error("mount the whole file system of the pool on", point))?;
            Ok(whole)
        })
        .await
    }

    /// Unmounts what a crash has left.
    pub(super) fn forget_wholes(&self) -> Result<(), Error> {
        let Some(pools) = self.paths.mount.parent() else { return Ok(()) };
        let prefix = format!("{WHOLE}{}-", self.pool);
        for name in names(pools)? {
            // Pools' names have dashes: the rest is two numbers.
            let is_number = |part: &str| part.chars().all(|c| c.is_ascii_digit());
            if name
                .strip_prefix(&prefix)
                .is_some_and(|rest| rest.split('-').count() == 2 && rest.split('-').all(is_number))
            {
                drop(Whole { point: Some(pools.join(name)), path: PathBuf::new() });
            }
        }
        Ok(())
    }
}

impl Drop for Whole {
    fn drop(&mut self) {
        let Some(point) = &self.point else { return };
        if block::is_mounted(point).unwrap_or(false)
            && let Err(errno) = unmount(point, UnmountFlags::DETACH | UnmountFlags::NOFOLLOW)
        {
            tracing::warn!(path = %point.display(), %errno, "cannot unmount the file system of a storage pool");
        }
        if let Err(error) = remove_directory(point) {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot remove a mount point");
        }
    }
}

/// How these mount points begin; no pool's name has control characters.
const WHOLE: &str = "\u{1}whole-";
