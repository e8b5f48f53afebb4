//! The mounts of a container, seen from its child: all by descriptors, inside the new root.

use super::dev::{self, Dev};
use super::filesystem::NewFilesystem;
use super::plan::{Item, Plan, Source, Spot};
use crate::fault::{At, Fault};
use crate::place::attach;
use crate::tree::Tree;
use model::runtime::spec::SysAccess;
use rustix::fs::{CWD, FileType, Mode, OFlags, fstat, openat};
use rustix::io::Errno;
use rustix::mount::{MountPropagationFlags, UnmountFlags, mount_change, unmount};
use rustix::process::{fchdir, pivot_root};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::mount_setattr::{Change, mount_setattr};

/// What later steps need of it.
pub(super) struct Built {
    pub(super) proc: OwnedFd,
    /// `/proc/sys` as it is below whatever covers it later.
    pub(super) sysctls: Option<OwnedFd>,
    pub(super) dev: Dev,
}

/// Attach the root file system over the present one and fill it. What is below stays reachable
/// until [`pivot`], because the kernel gives a container its own `/proc` and `/sys` only while it
/// sees complete ones.
pub(super) fn build(plan: &Plan) -> Result<Built, Fault<'_>> {
    let root = plan.root.tree.as_fd();
    attach_root(root)?;
    let (new, place) = &plan.standard.proc;
    let proc = new.mount(root, place).at("mount /proc")?;
    let (new, place) = &plan.standard.sys;
    let sys = new.mount(root, place).at("mount /sys")?;
    let dev = dev::build(&plan.standard, root)?;
    for item in &plan.items {
        mount_item(root, item)?;
    }
    finish_sys(plan, root, sys.as_fd())?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let sysctls = openat(&proc, c"sys", flags, Mode::empty()).ok();
    Ok(Built { proc, sysctls, dev })
}

/// Put a detached root file system on top of the mount namespace's root.
pub(crate) fn attach_root<'a>(root: BorrowedFd<'_>) -> Result<(), Fault<'a>> {
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change(c"/", private).at("make mounts private")?;
    let step = "mount the root file system";
    let top = openat(CWD, c"/", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at(step)?;
    attach(root, top.as_fd()).at(step)
}

/// Make an attached root file system the root, and let go of everything else.
pub(crate) fn pivot<'a>(root: BorrowedFd<'_>) -> Result<(), Fault<'a>> {
    let step = "change the root directory";
    fchdir(root).at(step)?;
    pivot_root(c".", c".").at(step)?;
    // The old root now lies on top of the new one.
    unmount(c".", UnmountFlags::DETACH).at("unmount the host's file systems")?;
    rustix::process::chdir(c"/").at(step)?;
    crate::entry::check_cwd(step)
}

/// Let what is mounted inside later show in mount namespaces made inside, as on a machine of its own.
pub(super) fn share<'a>() -> Result<(), Fault<'a>> {
    let shared = MountPropagationFlags::SHARED | MountPropagationFlags::REC;
    mount_change(c"/", shared).at("share mounts inside the container")
}

fn mount_item<'a>(root: BorrowedFd<'_>, item: &'a Item) -> Result<(), Fault<'a>> {
    let target = match item.create {
        Some(what) => item.place.open_or_make(root, what),
        None => item.place.open(root),
    };
    let target = match target {
        Ok(target) => target,
        Err(Errno::NOENT | Errno::ACCESS | Errno::PERM | Errno::ROFS) if item.optional => {
            return Ok(());
        }
        Err(errno) => return Err(Fault { step: &item.step, errno }),
    };
    match &item.source {
        Source::Bind(bind) => match &bind.staged {
            None => attach(bind.tree.as_fd(), target.as_fd()).at(&item.step),
            Some(path) => {
                let tree = Tree::at(path).at(&item.step)?;
                attach(tree.as_fd(), target.as_fd()).at(&item.step)
            }
        },
        Source::New(new) => match new.make() {
            Ok(mount) => attach(mount.as_fd(), target.as_fd()).at(&item.step),
            Err(errno) if item.optional && NewFilesystem::unavailable(errno) => Ok(()),
            Err(errno) => Err(Fault { step: &item.step, errno }),
        },
    }
}

/// A privileged container sees the host's `/sys`: read-only, but for its interfaces, unless it was
/// told otherwise.
fn finish_sys<'a>(plan: &Plan, root: BorrowedFd<'_>, sys: BorrowedFd<'_>) -> Result<(), Fault<'a>> {
    const STEP: &str = "make /sys read-only";
    if plan.sys == SysAccess::Writable {
        return Ok(());
    }
    let net = match plan.standard.sys_net.open(root) {
        Ok(net) if plan.sys == SysAccess::Mixed => Some(Tree::copy(net.as_fd(), false).at(STEP)?),
        _ => None,
    };
    let read_only = Change { read_only: true, ..Change::default() };
    mount_setattr(sys, false, &read_only).at(STEP)?;
    if let Some(net) = net {
        let target = plan.standard.sys_net.open(root).at(STEP)?;
        attach(net.as_fd(), target.as_fd()).at(STEP)?;
    }
    Ok(())
}

/// Hide and lock paths. Those that are not there need it not.
pub(super) fn restrict<'a>(plan: &'a Plan, dev: &Dev) -> Result<(), Fault<'a>> {
    let root = plan.root.tree.as_fd();
    for spot in &plan.masked {
        mask(plan, root, dev, spot)?;
    }
    let mut writable = None;
    if let Some(spot) = &plan.writable
        && let Some(target) = present(root, spot)?
    {
        writable = Some((spot, Tree::copy(target.as_fd(), true).at(&spot.step)?));
    }
    for spot in &plan.read_only {
        let Some(target) = present(root, spot)? else { continue };
        let tree = Tree::copy(target.as_fd(), true).at(&spot.step)?;
        tree.change(Change { read_only: true, ..Change::default() }).at(&spot.step)?;
        attach(tree.as_fd(), target.as_fd()).at(&spot.step)?;
    }
    if let Some((spot, tree)) = writable
        && let Some(target) = present(root, spot)?
    {
        attach(tree.as_fd(), target.as_fd()).at(&spot.step)?;
    }
    if plan.root_read_only {
        let read_only = Change { read_only: true, ..Change::default() };
        mount_setattr(root, false, &read_only).at("make the root file system read-only")?;
    }
    Ok(())
}

fn present<'a>(root: BorrowedFd<'_>, spot: &'a Spot) -> Result<Option<OwnedFd>, Fault<'a>> {
    match spot.place.open(root) {
        Ok(target) => Ok(Some(target)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::ACCESS) => Ok(None),
        Err(errno) => Err(Fault { step: &spot.step, errno }),
    }
}

/// An empty directory over a directory, the null device over everything else.
fn mask<'a>(plan: &Plan, root: BorrowedFd<'_>, dev: &Dev, spot: &'a Spot) -> Result<(), Fault<'a>> {
    let Some(target) = present(root, spot)? else { return Ok(()) };
    let kind = FileType::from_raw_mode(fstat(&target).at(&spot.step)?.st_mode);
    if kind == FileType::Directory {
        let empty = plan.standard.empty.make().at(&spot.step)?;
        return attach(empty.as_fd(), target.as_fd()).at(&spot.step);
    }
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let null = openat(&dev.dir, c"null", flags, Mode::empty()).at(&spot.step)?;
    let tree = Tree::copy(null.as_fd(), false).at(&spot.step)?;
    attach(tree.as_fd(), target.as_fd()).at(&spot.step)
}
