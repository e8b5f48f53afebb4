//! The console: a terminal of the container's own devpts. The parent gets the master; the slave is
//! `/dev/console` and the standard streams of init.

use super::dev::{self, Dev};
use crate::fault::{At, Fault};
use crate::place::attach;
use crate::tree::Tree;
use rustix::fs::{Mode, OFlags, openat};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use std::os::fd::{AsFd, OwnedFd};

const STEP: &str = "make the console";

/// Both ends.
pub(super) struct Console {
    pub(super) master: OwnedFd,
    pub(super) slave: OwnedFd,
}

/// Open the first terminal of a fresh devpts, and mount it on `/dev/console`.
pub(super) fn make(dev: &Dev) -> Result<Console, Fault<'static>> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let master = openat(&dev.devpts, c"ptmx", flags, Mode::empty()).at(STEP)?;
    unlockpt(&master).at(STEP)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = ioctl_tiocgptpeer(&master, flags).at(STEP)?;
    let place = dev::file(dev.dir.as_fd(), c"console").at(STEP)?;
    // The first terminal of a devpts that nobody else has seen is number 0.
    let node = openat(&dev.devpts, c"0", OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).at(STEP)?;
    let tree = Tree::copy(node.as_fd(), false).at(STEP)?;
    attach(tree.as_fd(), place.as_fd()).at(STEP)?;
    Ok(Console { master, slave })
}
