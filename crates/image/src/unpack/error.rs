//! Why an image was not unpacked.

use crate::archive::ArchiveError;
use crate::format::FormatError;
use crate::metadata::MetadataError;
use std::io;
use std::path::PathBuf;

/// Why an image was not unpacked. Nothing of it remains on disk then.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// The file is no archive we know.
    #[error("cannot tell what kind of archive {} is", file.display())]
    Format {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: FormatError,
    },
    /// The archive cannot be read.
    #[error("cannot unpack {}", file.display())]
    Archive {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        source: ArchiveError,
    },
    /// A member must not be unpacked.
    #[error("the image is refused: member \"{member}\" {why}")]
    Refused {
        /// Its name, unprintable bytes escaped.
        member: String,
        /// What is wrong with it.
        why: Refusal,
    },
    /// The archive has more members than allowed.
    #[error("the image is refused: it has more than {limit} files")]
    TooManyMembers {
        /// How many are allowed.
        limit: u64,
    },
    /// The image's metadata is missing or wrong.
    #[error("the image's metadata is not usable")]
    Metadata(#[from] MetadataError),
    /// There is no root file system in it.
    #[error("Image is missing a rootfs: {}", file.display())]
    NoRootfs {
        /// The image's file.
        file: PathBuf,
    },
    /// A member could not be written.
    #[error("cannot {step} \"{member}\"")]
    Write {
        /// What was being done.
        step: &'static str,
        /// The member, unprintable bytes escaped.
        member: String,
        /// What the system said.
        source: io::Error,
    },
    /// Something around the archive could not be done.
    #[error("cannot {step} {}", path.display())]
    Prepare {
        /// What was being done.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// `unsquashfs` failed or refused.
    #[error("cannot unpack {}", file.display())]
    Squashfs {
        /// The file.
        file: PathBuf,
        /// What the program said.
        source: Box<tools::unsquashfs::UnsquashfsError>,
    },
    /// It would not leave enough of the disk for others.
    #[error("the image has more than the {bytes} bytes that can be used on the disk of {}", dest.display())]
    NoRoom {
        /// What would have been made.
        dest: PathBuf,
        /// What can be used.
        bytes: u64,
        /// What the system says of a full disk.
        source: io::Error,
    },
    /// The caller went away.
    #[error("unpacking was given up")]
    GivenUp,
}

impl UnpackError {
    /// The archive becomes more than was allowed.
    pub(super) fn is_too_large(&self) -> bool {
        match self {
            Self::Archive { source, .. } => matches!(source, ArchiveError::TooLarge { .. }),
            Self::Squashfs { source, .. } => {
                matches!(**source, tools::unsquashfs::UnsquashfsError::TooLarge(_))
            }
            _ => false,
        }
    }
}

/// What is wrong with a member. Reads as the end of the sentence "member x …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its name starts with a slash.
    #[error("has an absolute path")]
    Absolute,
    /// A component of its name is `..`.
    #[error("has \"..\" in its path")]
    ParentDirectory,
    /// Its name is empty, has a zero byte, or a part of it is too long for a file system.
    #[error("has a path that no file system can hold")]
    ImpossibleName,
    /// A directory of its path is a symbolic link, which an earlier member made.
    #[error("would be written through a symbolic link")]
    ThroughSymlink,
    /// A directory of its path is something else, which an earlier member made.
    #[error("is below something that is not a directory")]
    BelowNonDirectory,
    /// A directory of that name is there already.
    #[error("would replace a directory")]
    ReplacesDirectory,
    /// It is a directory and something else of that name is there already.
    #[error("is a directory in the place of something that is not")]
    DirectoryOverFile,
    /// A hard link whose target leaves the root file system or passes through a link.
    #[error("is a hard link to \"{target}\", which is outside")]
    LinkOutside {
        /// As written.
        target: String,
    },
    /// A hard link to something that did not come before it.
    #[error("is a hard link to \"{target}\", which is not in the archive before it")]
    LinkToNothing {
        /// As written.
        target: String,
    },
    /// A hard link to a directory or a device.
    #[error("is a hard link to \"{target}\", which is not a file")]
    LinkToOther {
        /// As written.
        target: String,
    },
    /// A symbolic link without a possible target.
    #[error("is a symbolic link with an impossible target")]
    BadSymlink,
    /// A device outside of the container's `/dev`.
    #[error("is a device outside of /dev")]
    DeviceOutsideDev,
    /// Its size, holes included.
    #[error("has {size} bytes, at most {limit} are accepted")]
    TooLarge {
        /// In bytes.
        size: u64,
        /// In bytes.
        limit: u64,
    },
    /// The metadata file, the template directory or the root is not what it must be.
    #[error("must be a {expected}")]
    WrongKind {
        /// What it must be.
        expected: &'static str,
    },
    /// An access control list that cannot be understood.
    #[error("has a malformed access control list")]
    BadAcl,
}
