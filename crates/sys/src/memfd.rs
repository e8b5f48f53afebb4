//! `memfd_create(2)`: a file in memory that nobody can change afterwards.

use rustix::fs::{MemfdFlags, SealFlags, SeekFrom, fcntl_add_seals, memfd_create, seek};
use rustix::io::{Errno, Result};
use std::os::fd::OwnedFd;

/// A memory file with this content, sealed against every change, read from its start.
/// `name` is what `/proc/<pid>/fd` shows.
///
/// # Errors
/// `ENOMEM`, `EMFILE`, `ENFILE`.
pub fn sealed(name: &str, content: &[u8]) -> Result<OwnedFd> {
    seal(memfd_create(name, FLAGS)?, content)
}

/// The same for a program that is to be executed, also where memory files are not executable by
/// default (`vm.memfd_noexec`).
///
/// # Errors
/// As for [`sealed`]; `EACCES` where executable memory files are forbidden.
pub fn sealed_program(name: &str, content: &[u8]) -> Result<OwnedFd> {
    let fd = match memfd_create(name, FLAGS | EXEC) {
        // A kernel before 6.3, which does not know the flag.
        Err(Errno::INVAL) => memfd_create(name, FLAGS)?,
        result => result?,
    };
    seal(fd, content)
}

const FLAGS: MemfdFlags = MemfdFlags::CLOEXEC.union(MemfdFlags::ALLOW_SEALING);
/// `MFD_EXEC`.
const EXEC: MemfdFlags = MemfdFlags::from_bits_retain(0x10);

fn seal(fd: OwnedFd, content: &[u8]) -> Result<OwnedFd> {
    let mut rest = content;
    while !rest.is_empty() {
        let written = rustix::io::retry_on_intr(|| rustix::io::write(&fd, rest))?;
        rest = rest.get(written..).unwrap_or_default();
    }
    let seals = SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL;
    fcntl_add_seals(&fd, seals)?;
    seek(&fd, SeekFrom::Start(0))?;
    Ok(fd)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn readable_but_not_writable() {
        let fd = sealed("test", b"content").unwrap();
        assert_eq!(rustix::io::pwrite(&fd, b"x", 0), Err(Errno::PERM));
        assert_eq!(rustix::fs::ftruncate(&fd, 0), Err(Errno::PERM));
        let mut text = String::new();
        std::fs::File::from(fd).read_to_string(&mut text).unwrap();
        assert_eq!(text, "content");
    }
}
