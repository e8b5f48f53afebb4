//! Members of a tar archive, one after the other, from a stream and into one.
//!
//! Understands ustar, old GNU (long names, sparse files) and PAX (any name, size, time and id;
//! extended attributes; GNU sparse formats 0.0, 0.1 and 1.0). The `tar` crate gives the header
//! fields; the stream is ours, because every extended header must have a bound, values of
//! attributes may contain newlines, and holes must stay holes.
//!
//! Format: `pax(1p)`, and "Basic Tar Format" in the manual of GNU tar.

mod pax;
mod reader;
mod sparse;
mod writer;

#[cfg(test)]
mod tests;

pub(crate) use reader::Reader;
pub(crate) use sparse::Extent;
pub(crate) use sparse::MAX_EXTENTS;
pub(crate) use writer::Writer;

use std::io;

/// What a member is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    HardLink,
    Symlink,
    CharDevice,
    BlockDevice,
    Directory,
    Fifo,
}

/// One member, without its content.
#[derive(Clone, Debug)]
pub(crate) struct Member {
    /// As written: not checked in any way.
    pub(crate) path: Vec<u8>,
    /// Target of a hard or symbolic link, as written.
    pub(crate) link: Vec<u8>,
    pub(crate) kind: Kind,
    /// Permission bits, set-uid, set-gid and sticky.
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Seconds and nanoseconds since 1970.
    pub(crate) mtime: (i64, u32),
    /// Major and minor number of a device.
    pub(crate) device: (u32, u32),
    /// Name and value, in the archive's order.
    pub(crate) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// POSIX ACLs in text form, as GNU tar writes them.
    pub(crate) acl_access: Option<Vec<u8>>,
    pub(crate) acl_default: Option<Vec<u8>>,
    /// Size of a regular file once it is written, holes included.
    pub(crate) real_size: u64,
    /// Where the data belongs, if the file has holes. The data follow each other in the archive.
    pub(crate) sparse: Option<Vec<Extent>>,
}

/// Why an archive cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The file, or its compression, is broken.
    #[error("the archive cannot be read or decompressed")]
    Read(#[source] io::Error),
    /// It ends where more is needed.
    #[error("the archive is cut off")]
    Truncated,
    /// A header is not one.
    #[error("the archive is damaged at byte {offset}: {what}")]
    Damaged {
        /// Of the uncompressed archive.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A kind of member that no root file system has.
    #[error("member \"{member}\" is of the unsupported kind \"{kind}\"")]
    UnsupportedKind {
        /// Its name.
        member: String,
        /// The type byte of its header, as a character.
        kind: String,
    },
    /// Names, attributes or maps of holes beyond all measure.
    #[error("the archive has a description of {bytes} bytes for one member, at most {limit} are accepted")]
    HeaderTooLarge {
        /// How many.
        bytes: u64,
        /// How many would do.
        limit: u64,
    },
    /// The uncompressed archive is larger than was allowed.
    #[error("the uncompressed archive has more than {limit} bytes")]
    TooLarge {
        /// How many were allowed.
        limit: u64,
    },
}
