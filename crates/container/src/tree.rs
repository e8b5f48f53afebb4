//! Copies of mounts that are attached nowhere yet, made by the parent and used by its child.
//!
//! Nothing is mounted on the host for a container, so no process but the container's own pins its
//! file systems.

use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Result as IoResult;
use rustix::mount::{OpenTreeFlags, open_tree};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::mount_setattr::{Change, mount_setattr};

/// A detached mount.
#[derive(Debug)]
pub(crate) struct Tree {
    fd: OwnedFd,
    recursive: bool,
}

impl Tree {
    /// Copy what is at a path of the host; with `recursive`, what is mounted below as well.
    pub(crate) fn of(path: &Path, recursive: bool) -> IoResult<Self> {
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let source = openat2(CWD, path, flags, Mode::empty(), ResolveFlags::NO_MAGICLINKS)?;
        Self::copy(source.as_fd(), recursive)
    }

    /// Copy what is staged at a path; for a child, which does not allocate.
    pub(crate) fn at(path: &CStr) -> IoResult<Self> {
        let source = openat(CWD, path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        Self::copy(source.as_fd(), true)
    }

    /// A mount that somebody else made.
    pub(crate) fn given(fd: OwnedFd) -> Self {
        Self { fd, recursive: false }
    }

    /// Copy what a descriptor refers to.
    pub(crate) fn copy(source: BorrowedFd<'_>, recursive: bool) -> IoResult<Self> {
        let mut flags =
            OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC | OpenTreeFlags::AT_EMPTY_PATH;
        if recursive {
            flags |= OpenTreeFlags::AT_RECURSIVE;
        }
        let fd = open_tree(source, c"", flags)?;
        Ok(Self { fd, recursive })
    }

    /// Cut it loose from the host's mounts, and change it otherwise. Ids can be mapped only here.
    pub(crate) fn change(&self, change: Change<'_>) -> IoResult<()> {
        let change = Change { private: true, ..change };
        mount_setattr(self.fd.as_fd(), self.recursive, &change)
    }
}

impl AsFd for Tree {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
