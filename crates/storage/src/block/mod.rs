//! Block devices with a file system of their own, as volumes of LVM and Ceph are: made, mounted, grown,
//! shrunk, told apart. Nothing here knows where a device comes from.
//!
//! | file system | grows | shrinks | a copy |
//! |---|---|---|---|
//! | ext4 | mounted or not | not mounted | may keep its UUID |
//! | btrfs | mounted or not | mounted or not | gets another UUID before it is mounted |
//! | xfs | mounted or not | never | is mounted without a look at its UUID |

mod mount;
mod options;
mod resize;
mod superblock;

pub(crate) use mount::{Unmounted, flush_btrfs, is_free, is_mounted, mount, unmount};
pub(crate) use options::MountOptions;
pub(crate) use resize::{grow, shrink};
pub(crate) use superblock::{Found, probe};

use crate::config::Filesystem;
use model::units::Bytes;
use std::io;
use std::path::{Path, PathBuf};
use tools::RunError;

/// Why something could not be done to a block device or the file system on it.
#[derive(Debug, thiserror::Error)]
pub enum BlockError {
    /// A mount option that volumes must not have.
    #[error("The mount option {option:?} cannot be used with {}; allowed are {allowed}", filesystem.name())]
    Option {
        /// As given.
        option: String,
        /// The file system.
        filesystem: Filesystem,
        /// All that are allowed.
        allowed: String,
    },
    /// No file system that is known.
    #[error("There is no btrfs, ext4 or xfs on {}", device.display())]
    Unknown {
        /// The device.
        device: PathBuf,
    },
    /// XFS never gets smaller.
    #[error(
        "An xfs file system cannot be made smaller; make a new volume of {} and copy the files, or use ext4 or btrfs",
        size.human_binary(2)
    )]
    NeverShrinks {
        /// What was asked for.
        size: Bytes,
    },
    /// It holds more than fits into the new size.
    #[error("What is on {} does not fit into {}", device.display(), size.human_binary(2))]
    DoesNotFit {
        /// The device.
        device: PathBuf,
        /// What was asked for.
        size: Bytes,
        /// What the program said.
        source: RunError,
    },
    /// A program.
    #[error(transparent)]
    Tool(#[from] RunError),
    /// A system call.
    #[error("Cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Makes a [`BlockError::Io`] of whatever a system call gives.
fn io_error<E: Into<io::Error>>(
    step: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(E) -> BlockError {
    let path = path.into();
    move |source| BlockError::Io { step, path, source: source.into() }
}

/// Makes a file system; what was on the device is gone. `zeroed`: it reads as zeros, as new thin volumes do.
pub(crate) async fn make(device: &Path, filesystem: Filesystem, zeroed: bool) -> Result<(), BlockError> {
    match filesystem {
        Filesystem::Btrfs => tools::mkfs::btrfs(device).await,
        Filesystem::Ext4 => tools::mkfs::ext4(device, zeroed).await,
        Filesystem::Xfs => tools::mkfs::xfs(device).await,
    }
    .map_err(BlockError::Tool)
}

/// To be called for the copy of a device, before it is mounted for the first time: sees to it that both
/// can be mounted at once.
pub(crate) async fn make_unique(device: &Path) -> Result<(), BlockError> {
    match probe_async(device).await?.map(|found| found.filesystem) {
        Some(Filesystem::Btrfs) => Ok(tools::btrfstune::new_id(device).await?),
        // XFS is mounted with `nouuid`; changing the UUID of one that was copied while it was mounted needs
        // a mount before. Nothing in the kernel looks at that of an ext4.
        Some(Filesystem::Ext4 | Filesystem::Xfs) => Ok(()),
        None => Err(BlockError::Unknown { device: device.to_owned() }),
    }
}

/// [`probe`], where it may block.
pub(crate) async fn probe_async(device: &Path) -> Result<Option<Found>, BlockError> {
    let path = device.to_owned();
    blocking(device, move || probe(&path)).await
}

/// Runs blocking work about `path` where it may block.
async fn blocking<T: Send + 'static>(
    path: &Path,
    work: impl FnOnce() -> Result<T, BlockError> + Send + 'static,
) -> Result<T, BlockError> {
    // A blocking task ends without a result only when the runtime is shut down.
    let ended = |_| io_error("finish work on", path)(io::Error::from(io::ErrorKind::Interrupted));
    tokio::task::spawn_blocking(work).await.map_err(ended)?
}

#[cfg(test)]
mod tests;
