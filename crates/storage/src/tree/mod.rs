//! Whole directory trees: copying, removing, measuring, changing owners.
//!
//! Trees belong to containers and may be made by attackers, even while they are walked. So every
//! directory is opened through the one it is in, never through a link, never across a mount point;
//! and what was opened is what is looked at and changed.
//!
//! All functions block and use a few threads of their own for large trees.

mod copy;
mod copy_data;
mod directory;
mod hard_links;
mod remove;
mod shift;
#[cfg(test)]
mod tests;
mod usage;
mod workers;
mod xattrs;

pub use copy::{Copied, CopyOptions, Reflink, copy_tree};
pub use remove::remove_tree;
pub use shift::{Shifted, shift};
pub use usage::usage;

use rustix::io::Errno;
use std::io;
use std::path::PathBuf;

/// Why a tree could not be walked to its end.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// A system call failed.
    #[error("Cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something is mounted inside.
    #[error("{} is a mount point: unmount it first", path.display())]
    MountPoint {
        /// Where.
        path: PathBuf,
    },
    /// Something vanished from a tree that nobody should have been changing.
    #[error("{} vanished while it was copied", path.display())]
    Vanished {
        /// What.
        path: PathBuf,
    },
    /// Directories nested beyond all measure.
    #[error("{} is nested too deeply", path.display())]
    TooDeep {
        /// Where it was given up.
        path: PathBuf,
    },
}

impl TreeError {
    fn io(step: &'static str, path: PathBuf, errno: Errno) -> Self {
        Self::Io { step, path, source: errno.into() }
    }
}
