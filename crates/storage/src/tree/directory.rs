//! One directory of a tree: opened safely, listed, named in errors.

use super::TreeError;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, openat, openat2, statat};
use rustix::io::Errno;
use std::ffi::{CStr, CString, OsStr};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Beneath the directory it is opened through; no links; no other mounts.
pub(super) const WITHIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
/// Directories below directories that are followed. Each costs a descriptor or two.
const MAX_DEPTH: usize = 4096;

/// Where in a tree something is. Cheap to make: the whole path is put together for errors only.
#[derive(Debug)]
pub(super) struct Position {
    parent: Option<Arc<Position>>,
    name: PathBuf,
    depth: usize,
}

impl Position {
    pub(super) fn root(path: &Path) -> Arc<Self> {
        Arc::new(Self { parent: None, name: path.to_owned(), depth: 0 })
    }

    pub(super) fn child(self: &Arc<Self>, name: &CStr) -> Result<Arc<Self>, TreeError> {
        if self.depth >= MAX_DEPTH {
            return Err(TreeError::TooDeep { path: self.path() });
        }
        let name = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
        Ok(Arc::new(Self { parent: Some(self.clone()), name, depth: self.depth + 1 }))
    }

    pub(super) fn depth(&self) -> usize {
        self.depth
    }

    pub(super) fn path(&self) -> PathBuf {
        let mut parts = vec![&self.name];
        let mut position = self;
        while let Some(parent) = &position.parent {
            parts.push(&parent.name);
            position = parent;
        }
        parts.into_iter().rev().collect()
    }

    /// The path without the root's own.
    pub(super) fn path_below_root(&self) -> PathBuf {
        let mut parts = Vec::new();
        let mut position = self;
        while let Some(parent) = &position.parent {
            parts.push(&position.name);
            position = parent;
        }
        parts.into_iter().rev().collect()
    }

    pub(super) fn path_of(&self, name: &CStr) -> PathBuf {
        self.path().join(OsStr::from_bytes(name.to_bytes()))
    }

    /// An error about something in this directory.
    pub(super) fn error(&self, step: &'static str, name: &CStr, errno: Errno) -> TreeError {
        TreeError::io(step, self.path_of(name), errno)
    }

    /// An error about this directory.
    pub(super) fn own_error(&self, step: &'static str, errno: Errno) -> TreeError {
        TreeError::io(step, self.path(), errno)
    }
}

/// Opens the top of a tree.
pub(super) fn open_root(path: &Path) -> Result<OwnedFd, TreeError> {
    openat(CWD, path, OPEN, Mode::empty()).map_err(|errno| TreeError::io("open", path.to_owned(), errno))
}

/// Opens a directory through the one it is in. `None`: it is gone, or no longer a directory.
pub(super) fn open_child(
    parent: BorrowedFd<'_>,
    name: &CStr,
    position: &Position,
) -> Result<Option<OwnedFd>, TreeError> {
    match openat2(parent, name, OPEN, Mode::empty(), WITHIN) {
        Ok(fd) => Ok(Some(fd)),
        Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => Ok(None),
        Err(Errno::XDEV) => Err(TreeError::MountPoint { path: position.path_of(name) }),
        Err(errno) => Err(position.error("open", name, errno)),
    }
}

/// Names and kinds of what is in a directory, without `.` and `..`.
pub(super) fn list(fd: &OwnedFd, position: &Position) -> Result<Vec<(CString, FileType)>, TreeError> {
    let mut buffer = Box::new([const { MaybeUninit::uninit() }; 32 * 1024]);
    let mut entries = RawDir::new(fd.as_fd(), &mut buffer[..]);
    let mut list = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry.map_err(|errno| position.own_error("list", errno))?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        let kind = match entry.file_type() {
            FileType::Unknown => match statat(fd, name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                Err(Errno::NOENT) => continue,
                Err(errno) => return Err(position.error("look at", name, errno)),
            },
            kind => kind,
        };
        list.push((name.to_owned(), kind));
    }
    Ok(list)
}
