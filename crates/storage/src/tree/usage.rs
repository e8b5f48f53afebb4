//! How much a tree takes on disk.

use super::TreeError;
use super::directory::{Position, list, open_child, open_root};
use super::workers;
use rustix::fs::{AtFlags, FileType, fstat, statat};
use std::collections::HashSet;
use std::ffi::CString;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Directory = (OwnedFd, Arc<Position>);

enum Job {
    Root(Directory),
    Below(Arc<Directory>, CString),
}

/// Bytes on disk of a tree, its directories included. A file with several names counts once, and
/// what vanishes meanwhile does not count.
///
/// # Errors
/// [`TreeError`].
pub fn usage(path: &Path) -> Result<u64, TreeError> {
    let blocks = AtomicU64::new(0);
    let seen: Mutex<HashSet<(u64, u64)>> = Mutex::default();
    let count = |stat: &rustix::fs::Stat| {
        let is_new = stat.st_nlink < 2
            || FileType::from_raw_mode(stat.st_mode) == FileType::Directory
            || seen.lock().unwrap_or_else(PoisonError::into_inner).insert((stat.st_dev, stat.st_ino));
        if is_new {
            blocks.fetch_add(u64::try_from(stat.st_blocks).unwrap_or(0), Ordering::Relaxed);
        }
    };
    let root = Job::Root((open_root(path)?, Position::root(path)));
    workers::run(root, |job, jobs| {
        let directory = match job {
            Job::Root(directory) => Arc::new(directory),
            Job::Below(parent, name) => match open_child(parent.0.as_fd(), &name, &parent.1) {
                Ok(Some(fd)) => Arc::new((fd, parent.1.child(&name)?)),
                // What is mounted there is not part of the tree.
                Ok(None) | Err(TreeError::MountPoint { .. }) => return Ok(()),
                Err(error) => return Err(error),
            },
        };
        let (fd, position) = &*directory;
        count(&fstat(fd).map_err(|errno| position.own_error("look at", errno))?);
        for (name, kind) in list(fd, position)? {
            if kind == FileType::Directory {
                jobs.add(Job::Below(directory.clone(), name));
            } else if let Ok(stat) = statat(fd, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
                count(&stat);
            }
        }
        Ok(())
    })?;
    Ok(blocks.into_inner().saturating_mul(512))
}
