//! Control groups: one container has one group, at the same path, in every hierarchy of the host.
//!
//! See `cgroups(7)`, and `admin-guide/cgroup-v1` and `admin-guide/cgroup-v2` of the kernel. Hosts
//! have version 2 alone, version 1 with one mount per controller, or both side by side. Nothing
//! here depends on which: each file is written where its controller is.
//!
//! The file system of control groups has no links, so paths below its mount points are safe.

mod cpus;
mod create;
mod devices;
mod files;
mod freeze;
mod group;
mod kill;
mod layout;
mod memory;
mod remove;
mod stats;
#[cfg(test)]
mod tests;

pub use group::Cgroup;
pub use layout::{Layout, Version};
pub use stats::Stats;

use rustix::io::Errno;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong with a control group.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory said no.
    #[error("{action} {}", .path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The host has no hierarchy that is mounted.
    #[error("no control groups are mounted on this host")]
    NoHierarchy,
    /// The kernel does not take a program that filters devices.
    #[error("restrict the devices of {}", .path.display())]
    Filter {
        /// The group.
        path: PathBuf,
        /// Why not.
        source: Errno,
    },
    /// The path would leave the tree of groups.
    #[error("{0:?} is not a path of a control group")]
    BadPath(String),
    /// It uses more than it may from now on.
    #[error(
        "{used} bytes are in use and cannot be taken back, more than {limit}; try again when the container uses less"
    )]
    MemoryInUse {
        /// What it was to be bounded to, bytes.
        limit: u64,
        /// What it uses, bytes.
        used: u64,
    },
    /// It did not happen in time.
    #[error("{action} took longer than {waited:?}")]
    TimedOut {
        /// What was being done.
        action: &'static str,
        /// How long it was given.
        waited: Duration,
    },
    /// The host can neither freeze by version 1 nor by version 2.
    #[error("this host cannot freeze control groups: there is no freezer")]
    NoFreezer,
}

impl From<Error> for crate::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::File { action, path, source } => {
                let step = format!("{action} {}", path.display());
                match Errno::from_io_error(&source) {
                    Some(errno) => Self::system(step, errno),
                    None => Self::refused(step, source.to_string()),
                }
            }
            other => Self::refused("control groups", other.to_string()),
        }
    }
}
