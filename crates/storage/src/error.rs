//! Why something about a pool or a volume could not be done.

use crate::block::BlockError;
use crate::config::ConfigError;
use crate::tree::TreeError;
use crate::volume::Volume;
use model::PoolName;
use model::units::Bytes;
use std::io;
use std::path::PathBuf;
use tools::RunError;

/// Why something about a pool or a volume could not be done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The pool's configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The directory for a new pool holds something.
    #[error("The directory {} is not empty; choose an empty one as the pool's source", path.display())]
    SourceNotEmpty {
        /// The directory.
        path: PathBuf,
    },
    /// A pool must not be put into the daemon's own directory.
    #[error(
        "The source {} lies inside the daemon's directory; leave it out, or use {}",
        path.display(), allowed.display()
    )]
    SourceInside {
        /// The directory.
        path: PathBuf,
        /// The only one that is allowed there.
        allowed: PathBuf,
    },
    /// A pool of that name is on disk.
    #[error("The directory of the storage pool {pool} is there already and is not empty: {}", path.display())]
    PoolExists {
        /// Its name.
        pool: PoolName,
        /// Its directory.
        path: PathBuf,
    },
    /// The pool still has volumes.
    #[error("The storage pool {pool} still has {what}; delete them first")]
    PoolInUse {
        /// Its name.
        pool: PoolName,
        /// `containers`, `images`, …
        what: &'static str,
    },
    /// A volume is there already.
    #[error("The storage pool {pool} has a volume for the {volume} already")]
    VolumeExists {
        /// Of the pool.
        pool: PoolName,
        /// The volume.
        volume: Volume,
    },
    /// A volume is not there. An image without one was not unpacked in this pool.
    #[error("The storage pool {pool} has no volume for the {volume}")]
    NoVolume {
        /// Of the pool.
        pool: PoolName,
        /// The volume.
        volume: Volume,
    },
    /// What a volume was to become is gone.
    #[error("What the {volume} in the storage pool {pool} was to become is gone; it has its old files")]
    NotStaged {
        /// Of the pool.
        pool: PoolName,
        /// The volume.
        volume: Volume,
    },
    /// Something that a driver cannot do, or not like this.
    #[error("The storage pool {pool} ({driver}) cannot {what}: {why}")]
    Cannot {
        /// Of the pool.
        pool: PoolName,
        /// Its driver.
        driver: &'static str,
        /// What was asked for: `make the container c1 smaller`.
        what: String,
        /// Why not, and what to do about it.
        why: String,
    },
    /// The source of a new pool cannot be used.
    #[error("The source {source_name:?} cannot be used for a {driver} storage pool: {why}")]
    Source {
        /// As given.
        source_name: String,
        /// The driver.
        driver: &'static str,
        /// Why not, and what to do about it.
        why: String,
    },
    /// A pool has no room.
    #[error("The storage pool {pool} is full: {} more would be needed for the {volume}", missing.human_binary(2))]
    Full {
        /// Of the pool.
        pool: PoolName,
        /// What does not fit.
        volume: Volume,
        /// How much is missing.
        missing: Bytes,
    },
    /// A pool has no room, and nobody knows how much more would do.
    #[error("The storage pool {pool} has no room for the {volume}; delete something there, or let it grow")]
    NoRoom {
        /// Of the pool.
        pool: PoolName,
        /// What does not fit.
        volume: Volume,
        /// Where it was noticed.
        source: Box<Error>,
    },
    /// A driver has no streams of its own.
    #[error("This storage driver neither sends nor receives volumes")]
    NoStreams,
    /// A block device, or the file system on it.
    #[error(transparent)]
    Block(#[from] BlockError),
    /// A program that the driver uses.
    #[error(transparent)]
    Tool(#[from] RunError),
    /// A path in the way of a container's link.
    #[error("{} is in the way: it is not a link of ours; move it away", path.display())]
    InTheWay {
        /// What is in the way.
        path: PathBuf,
    },
    /// Copying, removing or walking a tree.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A system call on one path.
    #[error("Cannot {step} {}", path.display())]
    Io {
        /// What was being done.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The daemon is going down.
    #[error("The daemon is shutting down")]
    ShuttingDown,
}

impl Error {
    /// True if this says that a disk is full, or that a limit is reached.
    pub(crate) fn says_full(&self) -> bool {
        let full = |error: &io::Error| {
            matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
        };
        match self {
            Self::Io { source, .. } | Self::Tree(TreeError::Io { source, .. }) => full(source),
            // Programs run in the language of programmers; there is nothing else to tell it by.
            Self::Tool(RunError::Failed { stderr, .. }) => {
                ["No space left on device", "Disk quota exceeded", "out of space"]
                    .iter()
                    .any(|words| stderr.contains(words))
            }
            _ => false,
        }
    }
}

/// Why an image's volume is not there after it was asked for. `E` is what filling it can give.
#[derive(Debug, thiserror::Error)]
pub enum EnsureError<E: std::error::Error + 'static> {
    /// The pool could not do its part.
    #[error(transparent)]
    Storage(#[from] Error),
    /// The volume could not be filled.
    #[error(transparent)]
    Fill(E),
}

/// Makes an [`Error::Io`] of whatever a system call gives.
pub(crate) fn io_error<E: Into<io::Error>>(
    step: &'static str,
    path: impl Into<PathBuf>,
) -> impl FnOnce(E) -> Error {
    let path = path.into();
    move |source| Error::Io { step, path, source: source.into() }
}
