//! Read-only mounts that a container's root cannot make writable.
//!
//! The kernel locks the flags of mounts that a less privileged mount namespace got as a copy of its
//! parent's, and of none that were put into it later. So, while the child is cloned, the caller is
//! in a copy of its own mount namespace that has the read-only mounts in it; the child takes them
//! from its copy of that.

use super::plan::{Plan, Source};
use crate::place::attach;
use crate::tree::Tree;
use crate::{Error, idmap};
use model::IdMap;
use rustix::fs::{CWD, Mode, OFlags, mkdirat, mknodat, openat};
use rustix::fs::{FileType, fstat, makedev};
use rustix::io::Result as IoResult;
use rustix::mount::{MountPropagationFlags, mount_change};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, OwnedFd};
use sys::mount_setattr::Change;
use sys::unshare::{Kind, unshare};

use super::filesystem::NewFilesystem;

/// Covered while mounts are staged: a directory that every host has, and whose contents nobody looks
/// at meanwhile. Not `/proc` or `/sys`, which the child must see complete to get its own.
const DIRECTORY: &CStr = c"/dev";
const STEP: &str = "stage read-only mounts";

/// The name of a staged mount, if the bind needs one.
pub(super) fn path(number: usize) -> Result<CString, Error> {
    CString::new(format!("/dev/{number}")).map_err(|e| Error::refused(STEP, e.to_string()))
}

/// While it lives, the calling thread is in a mount namespace with the staged mounts.
pub(super) struct Stage {
    home: OwnedFd,
}

impl Stage {
    /// `None`: nothing needs to be staged.
    pub(super) fn set(plan: &Plan, map: Option<&IdMap>) -> Result<Option<Self>, Error> {
        if staged(plan).next().is_none() {
            return Ok(None);
        }
        let userns = match map {
            Some(map) if staged(plan).any(|(bind, _, _)| bind.idmapped) => Some(idmap::namespace(map)?),
            _ => None,
        };
        for (bind, _, step) in staged(plan) {
            let idmap = if bind.idmapped { userns.as_ref().map(AsFd::as_fd) } else { None };
            let change = Change { read_only: true, idmap, ..Change::default() };
            bind.tree.change(change).map_err(|errno| Error::system(step.to_owned(), errno))?;
        }
        let home = std::fs::File::open("/proc/thread-self/ns/mnt")
            .map_err(|error| Error::input_output(STEP, &error))?;
        unshare(Kind::Mount).map_err(|errno| Error::system(STEP, errno))?;
        let stage = Self { home: home.into() };
        match fill(plan) {
            Ok(()) => Ok(Some(stage)),
            Err(errno) => {
                stage.leave()?;
                Err(Error::system(STEP, errno))
            }
        }
    }

    /// Back home.
    pub(super) fn leave(self) -> Result<(), Error> {
        move_into_link_name_space(self.home.as_fd(), Some(LinkNameSpaceType::Mount))
            .map_err(|errno| Error::system("leave the staged mounts", errno))
    }
}

/// A copy of a mount whose flags a less privileged root cannot change: taken, after `descend` has
/// led into that root's user namespace, from a copy of a mount namespace that has the mount in it.
/// The calling process is in namespaces that are of no other use afterwards.
pub(crate) fn staged_copy(tree: &Tree, descend: impl FnOnce() -> IoResult<()>) -> IoResult<Tree> {
    unshare(Kind::Mount)?;
    cover()?;
    stage(tree, c"/dev/0")?;
    descend()?;
    unshare(Kind::Mount)?;
    Tree::at(c"/dev/0")
}

fn staged(plan: &Plan) -> impl Iterator<Item = (&super::plan::Bind, &CString, &str)> {
    plan.items.iter().filter_map(|item| match &item.source {
        Source::Bind(bind) => Some((bind, bind.staged.as_ref()?, item.step.as_str())),
        Source::New(_) => None,
    })
}

fn fill(plan: &Plan) -> IoResult<()> {
    cover()?;
    staged(plan).try_for_each(|(bind, name, _)| stage(&bind.tree, name))
}

fn cover() -> IoResult<()> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change(c"/", private)?;
    let cover = NewFilesystem::new("tmpfs", "mode=711").map_err(|_| rustix::io::Errno::INVAL)?.make()?;
    let path = OFlags::PATH | OFlags::CLOEXEC;
    let directory = openat(CWD, DIRECTORY, path, Mode::empty())?;
    attach(cover.as_fd(), directory.as_fd())
}

fn stage(tree: &Tree, name: &CStr) -> IoResult<()> {
    if FileType::from_raw_mode(fstat(tree)?.st_mode) == FileType::Directory {
        mkdirat(CWD, name, Mode::RWXU)?;
    } else {
        mknodat(CWD, name, FileType::RegularFile, Mode::RUSR, makedev(0, 0))?;
    }
    let place = openat(CWD, name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
    attach(tree.as_fd(), place.as_fd())
}
