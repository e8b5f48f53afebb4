//! Why an image was not made.

use crate::metadata::MetadataError;
use std::io;
use std::path::PathBuf;

/// Why an image was not made; nothing of it is of any use.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// A system call on the container's files failed.
    #[error("cannot {step} {}", path.display())]
    Read {
        /// What was being done.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Somebody has changed the files meanwhile.
    #[error("{} was changed while it was read: try again when nobody works on the files", path.display())]
    Changed {
        /// What.
        path: PathBuf,
    },
    /// Something is mounted inside.
    #[error("{} is a mount point: unmount it first", path.display())]
    MountPoint {
        /// Where.
        path: PathBuf,
    },
    /// A path that nobody could unpack.
    #[error("{} is nested too deeply: paths in an image have at most {limit} bytes", path.display())]
    TooDeep {
        /// Where it was given up.
        path: PathBuf,
        /// The bound.
        limit: usize,
    },
    /// More files than an image may have.
    #[error("there are more than {limit} files, directories and links, which no image can have")]
    TooManyEntries {
        /// The bound.
        limit: u64,
    },
    /// A file with too many holes.
    #[error("{} has more than {limit} holes, which no image can have: copy it to a file without holes", path.display())]
    TooManyHoles {
        /// The file.
        path: PathBuf,
        /// The bound.
        limit: usize,
    },
    /// The image could not be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file, or the member.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What the container says about its image.
    #[error("the metadata of the container cannot be used")]
    Metadata(#[from] MetadataError),
    /// The compressor.
    #[error("cannot compress the image")]
    Compress(#[from] tools::RunError),
    /// Nobody waits for the image any more.
    #[error("nobody waits for the image any more")]
    GivenUp,
}
