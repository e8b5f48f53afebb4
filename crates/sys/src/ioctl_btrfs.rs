//! `btrfs-ioctl(2)`: what a btrfs says about its subvolumes.

use crate::errno;
use rustix::io::{Errno, Result};
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct btrfs_ioctl_get_subvol_rootref_args`
#[repr(C)]
struct RootRefs {
    min_treeid: u64,
    /// Pairs of a subvolume and the directory that it is in.
    refs: [[u64; 2]; 255],
    count: u8,
    align: [u8; 7],
}

/// `BTRFS_IOC_GET_SUBVOL_ROOTREF`: `_IOWR(0x94, 61, struct btrfs_ioctl_get_subvol_rootref_args)`.
const GET_SUBVOL_ROOTREF: libc::c_ulong =
    (3 << 30) | ((size_of::<RootRefs>() as libc::c_ulong) << 16) | (0x94 << 8) | 61;

/// True if there are subvolumes right inside the one that a directory is in. Needs no privilege.
///
/// # Errors
/// `ENOTTY` on other file systems, and before Linux 4.18.
pub fn has_subvolumes(directory: BorrowedFd<'_>) -> Result<bool> {
    let mut found = RootRefs { min_treeid: 0, refs: [[0; 2]; 255], count: 0, align: [0; 7] };
    let argument: *mut RootRefs = &raw mut found;
    // SAFETY: the kernel reads and writes a structure of this size and layout, which is all numbers.
    let done = unsafe { libc::ioctl(directory.as_raw_fd(), GET_SUBVOL_ROOTREF as _, argument) };
    match errno(libc::c_long::from(done)) {
        Ok(_) => Ok(found.count > 0),
        // More than fit.
        Err(Errno::OVERFLOW) => Ok(true),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn other_file_systems_have_none() {
        assert_eq!(size_of::<RootRefs>(), 4096);
        let directory = std::fs::File::open("/proc").unwrap();
        assert!(matches!(has_subvolumes(directory.as_fd()), Err(Errno::NOTTY | Errno::INVAL)));
    }
}
