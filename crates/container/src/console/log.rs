//! The log file of a console: appended to, and started anew with the last output when it is full.
//!
//! A log that cannot be written (full disk, removed directory) is tried again with the next output;
//! the container does not notice.

use super::ring::Ring;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// The file may grow to so many times what is kept.
const GROWTH: u64 = 4;

#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    limit: u64,
    /// Opened at the first output.
    file: Option<(File, u64)>,
}

impl Log {
    pub(super) fn new(path: &Path, keep: usize) -> Self {
        Self { path: path.to_path_buf(), limit: GROWTH.saturating_mul(keep as u64), file: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds output; `ring` has it already.
    pub(super) fn append(&mut self, bytes: &[u8], ring: &Ring) {
        if self.try_append(bytes, ring).is_err() {
            self.file = None;
        }
    }

    fn try_append(&mut self, bytes: &[u8], ring: &Ring) -> std::io::Result<()> {
        let (file, size) = match &mut self.file {
            Some(open) => open,
            none => {
                let file = OpenOptions::new()
                    .append(true)
                    .create(true)
                    .mode(0o600)
                    .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits().cast_signed())
                    .open(&self.path)?;
                let size = file.metadata()?.len();
                none.insert((file, size))
            }
        };
        if *size + bytes.len() as u64 > self.limit {
            let last = ring.to_vec();
            file.set_len(0)?;
            *size = last.len() as u64;
            return file.write_all(&last);
        }
        *size += bytes.len() as u64;
        file.write_all(bytes)
    }

    /// Empties the file.
    pub(super) fn clear(&mut self) {
        let emptied = match &self.file {
            Some((file, _)) => file.set_len(0),
            None => OpenOptions::new().write(true).open(&self.path).and_then(|file| file.set_len(0)),
        };
        match (emptied, &mut self.file) {
            (Ok(()), Some((_, size))) => *size = 0,
            _ => self.file = None,
        }
    }
}
