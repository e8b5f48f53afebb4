//! An image's fingerprint: SHA-256 over the metadata file's bytes, then the root file system's.

use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use std::io::{self, Read, Write};

/// Computes a fingerprint while the bytes pass by, so that an upload is read only once.
///
/// Feed it the only file of a unified image, or the metadata file and then the root file system
/// of a split one, as [`update`](Self::update) or as the target of `io::copy`.
#[derive(Clone, Default)]
pub struct Hasher {
    sha: Sha256,
    bytes: u64,
}

impl Hasher {
    /// Starts with nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    /// How many bytes were added so far: the size of the image.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The fingerprint: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn finish(self) -> String {
        self.sha.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
    }
}

impl Write for Hasher {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The fingerprint of an image whose files are at hand: the only one, or metadata then root.
///
/// # Errors
/// What reading the files gives.
pub fn of_readers(readers: &mut [&mut dyn Read]) -> io::Result<String> {
    let mut hasher = Hasher::new();
    for reader in readers {
        io::copy(reader, &mut hasher)?;
    }
    Ok(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_count_as_one_stream() {
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Hasher::new().finish(), empty);
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(of_readers(&mut [&mut &b"a"[..], &mut &b"bc"[..]]).unwrap(), abc);
        let mut hasher = Hasher::new();
        hasher.update(b"ab");
        hasher.update(b"c");
        assert_eq!(hasher.bytes(), 3);
        assert_eq!(hasher.finish(), abc);
    }
}
