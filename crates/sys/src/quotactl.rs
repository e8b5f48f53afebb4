//! `quotactl_fd(2)`: how much the files of a project may take, and how much they do. Linux 5.14.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct if_dqblk`
#[repr(C)]
#[derive(Default)]
struct Dqblk {
    /// In units of 1024 bytes.
    block_hard: u64,
    block_soft: u64,
    /// In bytes.
    space: u64,
    inode_hard: u64,
    inode_soft: u64,
    inodes: u64,
    block_time: u64,
    inode_time: u64,
    valid: u32,
    pad: u32,
}

const PROJECT_QUOTA: u32 = 2;
const GET: u32 = 0x0080_0007;
const SET: u32 = 0x0080_0008;
/// The limits of blocks count.
const BLOCK_LIMITS: u32 = 1;

/// What a project has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    /// Bytes that its files may take; 0: as many as there are.
    pub limit: u64,
    /// Bytes that its files take.
    pub used: u64,
}

fn ask(place: BorrowedFd<'_>, command: u32, project: u32, block: &mut Dqblk) -> Result<()> {
    let argument: *mut Dqblk = block;
    let command = (command << 8) | PROJECT_QUOTA;
    // SAFETY: the kernel reads or writes a structure of this size and layout, which is all numbers.
    let done = unsafe { libc::syscall(libc::SYS_quotactl_fd, place.as_raw_fd(), command, project, argument) };
    errno(done).map(drop)
}

/// What a project has on the file system that a file is on.
///
/// # Errors
/// `ESRCH` where nothing is counted, `ENOSYS` on older kernels.
pub fn project(place: BorrowedFd<'_>, project: u32) -> Result<Quota> {
    let mut block = Dqblk::default();
    ask(place, GET, project, &mut block)?;
    Ok(Quota { limit: block.block_hard.saturating_mul(1024), used: block.space })
}

/// Limits how many bytes the files of a project take, to whole units of 1024; 0: no limit.
///
/// # Errors
/// As [`project`].
pub fn set_project_limit(place: BorrowedFd<'_>, project: u32, bytes: u64) -> Result<()> {
    let blocks = bytes.div_ceil(1024);
    let mut block = Dqblk { block_hard: blocks, block_soft: blocks, valid: BLOCK_LIMITS, ..Dqblk::default() };
    ask(place, SET, project, &mut block)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn other_file_systems_count_nothing() {
        assert_eq!(size_of::<Dqblk>(), 72);
        let directory = std::fs::File::open("/proc").unwrap();
        assert!(project(directory.as_fd(), 7).is_err());
        assert!(set_project_limit(directory.as_fd(), 7, 1).is_err());
    }
}
