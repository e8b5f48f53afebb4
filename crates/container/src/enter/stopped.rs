//! Into the file system of a container that does not run.

use super::running::{finish, null, settled};
use super::{Child, settle};
use crate::fault::{At, Fault};
use crate::report;
use crate::start::{attach_root, pivot};
use crate::tree::Tree;
use crate::{Error, entry, idmap};
use model::IdMap;
use model::runtime::spec::Rootfs;
use std::os::fd::{AsFd, OwnedFd};
use sys::clone3::{Namespaces, clone3};
use sys::mount_setattr::Change;

/// As [`super::running`], for a container that does not run: a new user namespace with its ids
/// (unless it is privileged), and a new mount namespace with nothing but its root file system.
///
/// # Errors
/// The step that failed; nothing is left then.
pub fn stopped<F: FnOnce(OwnedFd) -> i32>(
    rootfs: &Rootfs,
    map: Option<&IdMap>,
    keep: OwnedFd,
    child: F,
) -> Result<Child, Error> {
    let step = || format!("open the root file system {}", rootfs.path.display());
    let root = Tree::of(&rootfs.path, false).map_err(|errno| Error::system(step(), errno))?;
    let null = null()?;
    let (line, childs) = report::line()?;
    let mut keep = Some(keep);
    let mut namespaces = Namespaces::MOUNT;
    if map.is_some() {
        namespaces = namespaces.with(Namespaces::USER);
    }
    let cloned = clone3(namespaces, None, || {
        let inside = || -> Result<(), Fault<'_>> {
            let kept = keep.as_ref().map_or(null.as_fd(), AsFd::as_fd);
            let all = [kept, childs.as_fd(), root.as_fd(), null.as_fd()];
            sys::close_range::close_all_but(&all).at("close descriptors")?;
            entry::hide()?;
            entry::streams([null.as_fd(); 3])?;
            report::await_go(childs.as_fd())?;
            attach_root(root.as_fd())?;
            pivot(root.as_fd())?;
            settle()?;
            sys::close_range::close_all_but(&[kept, childs.as_fd()]).at("close descriptors")
        };
        finish(&childs, inside(), keep.take(), child)
    })
    .map_err(|errno| Error::system("clone a process", errno))?;
    drop(childs);
    let prepared = prepare(cloned.pid, rootfs, map, &root).and_then(|()| report::go(line.as_fd()));
    if let Err(error) = prepared {
        idmap::reap(&cloned);
        return Err(error);
    }
    settled(&line, cloned)
}

fn prepare(pid: i32, rootfs: &Rootfs, map: Option<&IdMap>, root: &Tree) -> Result<(), Error> {
    let mut userns = None;
    if let Some(map) = map {
        idmap::write(pid, map)?;
        if rootfs.idmapped {
            userns = Some(idmap::open_namespace(pid, "user")?);
        }
    }
    let change = Change { idmap: userns.as_ref().map(AsFd::as_fd), ..Change::default() };
    root.change(change).map_err(|errno| Error::system("idmap rootfs", errno))
}
