//! `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR` (`ioctl_xfs_fsgetxattr(2)`): the project that files are counted
//! for.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `struct fsxattr`
#[repr(C)]
#[derive(Default)]
struct FsXattr {
    xflags: u32,
    extsize: u32,
    nextents: u32,
    projid: u32,
    cowextsize: u32,
    pad: [u8; 8],
}

const SIZE: libc::c_ulong = size_of::<FsXattr>() as libc::c_ulong;
/// `_IOR('X', 31, struct fsxattr)`
const GET: libc::c_ulong = (2 << 30) | (SIZE << 16) | (0x58 << 8) | 31;
/// `_IOW('X', 32, struct fsxattr)`
const SET: libc::c_ulong = (1 << 30) | (SIZE << 16) | (0x58 << 8) | 32;
/// What is made in the directory belongs to its project too.
const PROJECT_INHERIT: u32 = 0x200;

fn ask(file: BorrowedFd<'_>, request: libc::c_ulong, attributes: &mut FsXattr) -> Result<()> {
    let argument: *mut FsXattr = attributes;
    // SAFETY: the kernel reads or writes a structure of this size and layout, which is all numbers.
    let done = unsafe { libc::ioctl(file.as_raw_fd(), request as _, argument) };
    errno(libc::c_long::from(done)).map(drop)
}

/// The project that a file is counted for; 0: none.
///
/// # Errors
/// `ENOTTY` on file systems without projects.
pub fn project(file: BorrowedFd<'_>) -> Result<u32> {
    let mut attributes = FsXattr::default();
    ask(file, GET, &mut attributes)?;
    Ok(attributes.projid)
}

/// Makes a directory, and all that is made in it from now on, count for a project.
///
/// # Errors
/// `EOPNOTSUPP`, `ENOTTY` or `EINVAL` on file systems without projects.
pub fn set_project(directory: BorrowedFd<'_>, project: u32) -> Result<()> {
    let mut attributes = FsXattr::default();
    ask(directory, GET, &mut attributes)?;
    attributes.projid = project;
    attributes.xflags |= PROJECT_INHERIT;
    ask(directory, SET, &mut attributes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn other_file_systems_have_no_projects() {
        assert_eq!(size_of::<FsXattr>(), 28);
        let directory = std::fs::File::open("/proc").unwrap();
        assert!(project(directory.as_fd()).is_err());
        assert!(set_project(directory.as_fd(), 7).is_err());
    }
}
