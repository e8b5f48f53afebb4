//! A process of ours inside a container's view of its files, for the file server.
//!
//! It runs a function of the caller instead of a program. It is no process of the container: it
//! stays in the host's pid namespace and control groups, where nothing inside sees it, and of the
//! rights of the container's root it keeps those over files.

mod running;
mod stopped;
#[cfg(test)]
mod tests;

pub use running::running;
pub use stopped::stopped;

use crate::entry;
use crate::fault::{At, Fault};
use rustix::thread::CapabilitySet;
use std::os::fd::OwnedFd;

/// A process of ours inside; a child of the caller, who reaps it.
#[derive(Debug)]
pub struct Child {
    /// On the host.
    pub pid: i32,
    /// Of the process.
    pub pidfd: OwnedFd,
}

impl From<sys::clone3::Child> for Child {
    fn from(child: sys::clone3::Child) -> Self {
        Self { pid: child.pid, pidfd: child.pidfd }
    }
}

/// What the root of a container may do with any file of it.
const RIGHTS: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID);

/// The last steps, the same for both.
fn settle<'a>() -> Result<(), Fault<'a>> {
    entry::become_root()?;
    entry::hide()?;
    entry::keep_capabilities(RIGHTS)?;
    rustix::process::umask(rustix::fs::Mode::empty());
    sys::signals::reset().at("reset signals")
}
