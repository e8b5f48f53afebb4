//! Which archive a file is, told by its first bytes.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// How many bytes of a file [`Format::of_header`] wants to see.
pub const HEADER_LEN: usize = 512;
const USTAR_OFFSET: usize = 257;

/// Archive formats an image file can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A plain tar archive.
    Tar,
    /// A tar archive, compressed by gzip.
    Gzip,
    /// A tar archive, compressed by bzip2.
    Bzip2,
    /// A tar archive, compressed by xz.
    Xz,
    /// A tar archive, compressed by the old lzma format.
    Lzma,
    /// A tar archive, compressed by zstd.
    Zstd,
    /// A tar archive, compressed by lz4.
    Lz4,
    /// A squashfs file system. Only a root file system comes as one.
    Squashfs,
}

/// Why the format of a file is not known.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// The file could not be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// None of the known formats.
    #[error("Unsupported compression")]
    Unknown {
        /// The file.
        path: PathBuf,
    },
}

impl Format {
    /// Tells the format from the first [`HEADER_LEN`] bytes of a file (fewer if it is shorter).
    #[must_use]
    pub fn of_header(header: &[u8]) -> Option<Self> {
        let at = |offset: usize, magic: &[u8]| {
            header.get(offset..offset + magic.len()).is_some_and(|bytes| bytes == magic)
        };
        if at(0, b"BZ") {
            Some(Self::Bzip2)
        } else if at(0, &[0x1f, 0x8b]) {
            Some(Self::Gzip)
        } else if at(0, b"\xfd7zXZ") {
            Some(Self::Xz)
        } else if at(1, b"7zXZ") || at(0, &[0x5d, 0, 0]) {
            Some(Self::Lzma)
        } else if at(0, &[0x28, 0xb5, 0x2f, 0xfd]) {
            Some(Self::Zstd)
        } else if at(0, &[0x04, 0x22, 0x4d, 0x18]) {
            Some(Self::Lz4)
        } else if at(0, b"hsqs") {
            Some(Self::Squashfs)
        } else if at(USTAR_OFFSET, b"ustar") {
            Some(Self::Tar)
        } else {
            None
        }
    }

    /// Tells the format of a file.
    ///
    /// # Errors
    /// [`FormatError`]: not readable, or none of the known formats.
    pub fn of_file(path: &Path) -> Result<Self, FormatError> {
        let read = || {
            let mut header = Vec::with_capacity(HEADER_LEN);
            File::open(path)?.take(HEADER_LEN as u64).read_to_end(&mut header)?;
            io::Result::Ok(header)
        };
        let header = read().map_err(|source| FormatError::Read { path: path.to_owned(), source })?;
        Self::of_header(&header).ok_or_else(|| FormatError::Unknown { path: path.to_owned() })
    }

    /// The end of a file name that tells people and programs this format, with its leading dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Tar => ".tar",
            Self::Gzip => ".tar.gz",
            Self::Bzip2 => ".tar.bz2",
            Self::Xz => ".tar.xz",
            Self::Lzma => ".tar.lzma",
            Self::Zstd => ".tar.zst",
            Self::Lz4 => ".tar.lz4",
            Self::Squashfs => ".squashfs",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn magic_bytes_decide() {
        let mut tar = vec![0; HEADER_LEN];
        tar[USTAR_OFFSET..USTAR_OFFSET + 5].copy_from_slice(b"ustar");
        let cases: [(&[u8], Option<Format>); 12] = [
            (b"BZh9", Some(Format::Bzip2)),
            (b"\x1f\x8b\x08", Some(Format::Gzip)),
            (b"\xfd7zXZ\0", Some(Format::Xz)),
            (b"\xfe7zXZ\0", Some(Format::Lzma)),
            (b"\x5d\0\0\x80", Some(Format::Lzma)),
            (b"\x28\xb5\x2f\xfd", Some(Format::Zstd)),
            (b"\x04\x22\x4d\x18", Some(Format::Lz4)),
            (b"hsqs", Some(Format::Squashfs)),
            (&tar, Some(Format::Tar)),
            (b"", None),
            (b"B", None),
            (b"#!/bin/sh\n", None),
        ];
        for (header, expected) in cases {
            assert_eq!(Format::of_header(header), expected, "{header:?}");
        }
    }

    #[test]
    fn an_unknown_file_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "hello").unwrap();
        assert_eq!(Format::of_file(&path).unwrap_err().to_string(), "Unsupported compression");
        assert!(matches!(Format::of_file(&dir.path().join("y")), Err(FormatError::Read { .. })));
    }
}
