//! A file of the new image, hashed while it is written.

use super::Packed;
use super::error::PackError;
use crate::fingerprint::Hasher;
use crate::unpack::ImageFiles;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::PathBuf;

const BUFFER: usize = 256 * 1024;

/// One file.
pub(super) struct Target {
    path: PathBuf,
    file: File,
    hasher: Hasher,
}

/// Something that could not be written.
pub(super) fn failed(what: &str, source: io::Error) -> PackError {
    PackError::Write { path: PathBuf::from(what), source }
}

impl Target {
    /// A new file.
    pub(super) fn create(path: PathBuf) -> Result<Self, PackError> {
        match File::options().read(true).write(true).create_new(true).open(&path) {
            Ok(file) => Ok(Self { path, file, hasher: Hasher::new() }),
            Err(source) => Err(PackError::Write { path, source }),
        }
    }

    /// Takes in everything that comes.
    pub(super) fn fill(mut self, mut from: File) -> Result<Self, PackError> {
        match copy(&mut from, &mut self) {
            Ok(()) => Ok(self),
            Err(source) => Err(PackError::Write { path: self.path, source }),
        }
    }
}

fn copy(from: &mut impl Read, to: &mut impl Write) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => to.write_all(&buffer[..count])?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Write for Target {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.hasher.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Flushes the file of a unified image, or the metadata of a split one together with the root file
/// system that a program has written.
pub(super) fn packed(target: Target, rootfs: Option<PathBuf>) -> Result<Packed, PackError> {
    let Target { path, file, mut hasher } = target;
    file.sync_all().map_err(|source| PackError::Write { path: path.clone(), source })?;
    if let Some(rootfs) = &rootfs {
        let mut hash = || {
            let mut file = File::open(rootfs)?;
            copy(&mut file, &mut hasher)?;
            file.sync_all()
        };
        hash().map_err(|source| PackError::Read { step: "read", path: rootfs.clone(), source })?;
    }
    let size = hasher.bytes();
    Ok(Packed { files: ImageFiles { metadata: path, rootfs }, fingerprint: hasher.finish(), size })
}
