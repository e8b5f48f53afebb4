//! `mount_setattr(2)`: read-only and id-mapped mounts.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// What changes on a mount.
#[derive(Clone, Copy, Debug, Default)]
pub struct Change<'fd> {
    /// Make it read-only.
    pub read_only: bool,
    /// Set-user-id bits and file capabilities count for nothing.
    pub no_suid: bool,
    /// Device nodes cannot be opened.
    pub no_dev: bool,
    /// Nothing can be executed.
    pub no_exec: bool,
    /// Map ids as this user namespace does. Only for a mount that is attached nowhere yet.
    pub idmap: Option<BorrowedFd<'fd>>,
    /// Leave peer groups: `MS_PRIVATE`.
    pub private: bool,
}

/// The kernel's `struct mount_attr`, version 0.
#[repr(C)]
#[derive(Default)]
struct MountAttr {
    set: u64,
    clear: u64,
    propagation: u64,
    userns: u64,
}

/// Change the mount that a descriptor refers to; with `recursive`, those below as well, all or none.
///
/// # Errors
/// `EINVAL` when the file system cannot map ids or does so already; `EPERM`.
pub fn mount_setattr(mount: BorrowedFd<'_>, recursive: bool, change: &Change<'_>) -> Result<()> {
    let mut attr = MountAttr::default();
    let flags = [
        (change.read_only, libc::MOUNT_ATTR_RDONLY),
        (change.no_suid, libc::MOUNT_ATTR_NOSUID),
        (change.no_dev, libc::MOUNT_ATTR_NODEV),
        (change.no_exec, libc::MOUNT_ATTR_NOEXEC),
    ];
    for (wanted, flag) in flags {
        if wanted {
            attr.set |= flag;
        }
    }
    if let Some(userns) = change.idmap {
        attr.set |= libc::MOUNT_ATTR_IDMAP;
        attr.userns = u64::from(userns.as_raw_fd().unsigned_abs());
    }
    if change.private {
        attr.propagation = libc::MS_PRIVATE;
    }
    let mut at = libc::AT_EMPTY_PATH;
    if recursive {
        at |= libc::AT_RECURSIVE;
    }
    // SAFETY: the path is an empty C string, the attributes have the size that is given, and both
    // live through the call.
    errno(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            at,
            &raw const attr,
            size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::CWD;
    use rustix::io::Errno;
    use rustix::mount::{OpenTreeFlags, open_tree};
    use std::os::fd::AsFd;

    #[test]
    fn a_detached_read_only_copy_refuses_writing() {
        let dir = tempfile::tempdir().unwrap();
        let flags = OpenTreeFlags::OPEN_TREE_CLONE | OpenTreeFlags::OPEN_TREE_CLOEXEC;
        let tree = match open_tree(CWD, dir.path(), flags) {
            Ok(tree) => tree,
            Err(Errno::PERM) => {
                eprintln!("SKIP a_detached_read_only_copy_refuses_writing: needs root");
                return;
            }
            Err(error) => panic!("{error}"),
        };
        let change = Change { read_only: true, ..Change::default() };
        mount_setattr(tree.as_fd(), false, &change).unwrap();
        let made = rustix::fs::mkdirat(&tree, "x", rustix::fs::Mode::RWXU);
        assert_eq!(made, Err(Errno::ROFS));
        rustix::fs::mkdirat(CWD, dir.path().join("x"), rustix::fs::Mode::RWXU).unwrap();
    }

    #[test]
    fn an_ordinary_directory_is_not_a_mount() {
        let file = std::fs::File::open("/etc").unwrap();
        let change = Change { read_only: true, ..Change::default() };
        assert!(mount_setattr(file.as_fd(), false, &change).is_err());
    }
}
