//! The bytes of one file: shared where the file system can, copied in the kernel where not.

use rustix::fs::{SeekFrom, copy_file_range, ftruncate, ioctl_ficlone, seek};
use rustix::io::{Errno, pread, pwrite};
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU8, Ordering};

const UNKNOWN: u8 = 0;
const WORKS: u8 = 1;
const REFUSED: u8 = 2;

/// Files up to this size go through a buffer: one read and one write cost less than setting up a
/// copy in the kernel.
const SMALL: u64 = 128 * 1024;

/// Whether files of a file system can share their data (`ioctl_ficlone(2)`). Asked once, when the
/// first file is copied.
#[derive(Debug, Default)]
pub struct Reflink(AtomicU8);

impl Reflink {
    /// True if sharing was tried and works, false if it was refused; `None` before it was tried.
    #[must_use]
    pub fn works(&self) -> Option<bool> {
        match self.0.load(Ordering::Relaxed) {
            WORKS => Some(true),
            REFUSED => Some(false),
            _ => None,
        }
    }

    fn share(&self, from: &OwnedFd, to: &OwnedFd) -> Result<bool, Errno> {
        if self.0.load(Ordering::Relaxed) == REFUSED {
            return Ok(false);
        }
        match ioctl_ficlone(to, from) {
            Ok(()) => {
                self.0.store(WORKS, Ordering::Relaxed);
                Ok(true)
            }
            // One file may be unshareable (swap files, other attributes) where others are not.
            Err(Errno::INVAL | Errno::TXTBSY | Errno::PERM) if self.works() == Some(true) => Ok(false),
            Err(
                Errno::OPNOTSUPP | Errno::XDEV | Errno::NOTTY | Errno::INVAL | Errno::NOSYS | Errno::PERM,
            ) => {
                // Never back from "works": another thread may have had a better file.
                let _ = self.0.compare_exchange(UNKNOWN, REFUSED, Ordering::Relaxed, Ordering::Relaxed);
                Ok(false)
            }
            Err(errno) => Err(errno),
        }
    }
}

/// Copies the data of `from`, a regular file of `size` bytes that takes `blocks` × 512 bytes on
/// disk, to the empty file `to`. Holes stay holes.
pub(super) fn copy(
    from: &OwnedFd,
    to: &OwnedFd,
    size: u64,
    blocks: u64,
    reflink: &Reflink,
    buffer: &mut [u8],
) -> Result<u64, Errno> {
    if size == 0 {
        return Ok(0);
    }
    if reflink.share(from, to)? {
        return Ok(size);
    }
    if blocks.saturating_mul(512) >= size {
        return copy_range(from, to, 0, size, buffer);
    }
    let mut copied = 0;
    let mut position = 0;
    while position < size {
        let start = match seek(from, SeekFrom::Data(position)) {
            Ok(start) if start < size => start,
            // Nothing but a hole is left.
            Ok(_) | Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => return copy_range(from, to, 0, size, buffer),
            Err(errno) => return Err(errno),
        };
        let end = seek(from, SeekFrom::Hole(start))?.min(size);
        copied += copy_range(from, to, start, end, buffer)?;
        position = end;
    }
    ftruncate(to, size)?;
    Ok(copied)
}

fn copy_range(from: &OwnedFd, to: &OwnedFd, start: u64, end: u64, buffer: &mut [u8]) -> Result<u64, Errno> {
    let mut position = start;
    let mut in_kernel = end - start > SMALL;
    while position < end {
        let wanted = usize::try_from(end - position).unwrap_or(usize::MAX);
        let result = if in_kernel {
            let (mut source, mut target) = (position, position);
            match copy_file_range(from, Some(&mut source), to, Some(&mut target), wanted.min(1 << 30)) {
                Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => {
                    in_kernel = false;
                    continue;
                }
                result => result,
            }
        } else {
            let length = wanted.min(buffer.len());
            pread(from, &mut buffer[..length], position)
                .and_then(|count| write_all(to, &buffer[..count], position).map(|()| count))
        };
        match result {
            // The file has become shorter.
            Ok(0) => break,
            Ok(count) => position += count as u64,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(position - start)
}

fn write_all(to: &OwnedFd, mut data: &[u8], mut position: u64) -> Result<(), Errno> {
    while !data.is_empty() {
        match pwrite(to, data, position) {
            Ok(0) => return Err(Errno::NOSPC),
            Ok(count) => {
                data = &data[count..];
                position += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
