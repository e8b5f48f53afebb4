//! `/dev` of a container: a small file system in memory with the devices that everybody has.

use super::plan::{NODES, Standard};
use crate::fault::{At, Fault};
use crate::place::attach;
use rustix::fs::{FileType, Mode, OFlags, makedev, mknodat, openat, symlinkat};
use std::ffi::CStr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

const LINKS: [(&CStr, &CStr); 5] = [
    (c"/proc/self/fd", c"fd"),
    (c"/proc/self/fd/0", c"stdin"),
    (c"/proc/self/fd/1", c"stdout"),
    (c"/proc/self/fd/2", c"stderr"),
    (c"pts/ptmx", c"ptmx"),
];

/// What later steps need of it.
pub(super) struct Dev {
    /// `/dev` itself.
    pub(super) dir: OwnedFd,
    /// Root directory of the container's devpts.
    pub(super) devpts: OwnedFd,
}

/// Mount it and fill it.
pub(super) fn build(standard: &Standard, root: BorrowedFd<'_>) -> Result<Dev, Fault<'static>> {
    let (new, place) = &standard.dev;
    let dir = new.mount(root, place).at("mount /dev")?;
    if standard.nodes.is_empty() {
        for (name, major, minor, step) in NODES {
            let mode = Mode::from(0o666);
            mknodat(&dir, name, FileType::CharacterDevice, mode, makedev(major, minor)).at(step)?;
        }
    }
    for (tree, name, step) in &standard.nodes {
        let target = file(dir.as_fd(), name).at(step)?;
        attach(tree.as_fd(), target.as_fd()).at(step)?;
    }
    for (to, name) in LINKS {
        symlinkat(to, &dir, name).at("make links in /dev")?;
    }
    let (new, place) = &standard.devpts;
    let pts = new.mount(root, place).at("mount /dev/pts")?;
    // The parent opens terminals through this one, so it must be more than a path.
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let devpts = openat(&pts, c".", flags, Mode::empty()).at("open /dev/pts")?;
    let (new, place) = &standard.shm;
    new.mount(root, place).at("mount /dev/shm")?;
    let (new, place) = &standard.mqueue;
    match new.mount(root, place) {
        // A kernel without message queues.
        Err(rustix::io::Errno::NODEV) | Ok(_) => {}
        Err(errno) => return Err(Fault { step: "mount /dev/mqueue", errno }),
    }
    Ok(Dev { dir, devpts })
}

/// An empty file in `/dev` to mount a device on.
pub(super) fn file(dev: BorrowedFd<'_>, name: &CStr) -> rustix::io::Result<OwnedFd> {
    mknodat(dev, name, FileType::RegularFile, Mode::from(0o666), makedev(0, 0))?;
    openat(dev, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}
