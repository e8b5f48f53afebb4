//! Every unsafe line: thin wrappers of system calls that rustix lacks, one file per man page.
//!
//! Descriptors go in borrowed and come out owned, errors are [`rustix::io::Errno`], and there is no
//! policy here. What rustix has is used from rustix.

#![allow(unsafe_code)]

pub mod bpf;
pub mod clone3;
pub mod close_range;
pub mod execve;
pub mod fsxattr;
pub mod getcwd;
pub mod getsockopt;
pub mod inherited;
pub mod ioctl_btrfs;
pub mod ioctl_ns;
pub mod mallopt;
pub mod memfd;
pub mod mount_setattr;
pub mod netdevice;
pub mod netlink_nsid;
pub mod personality;
pub mod pidfd;
pub mod quotactl;
pub mod scm;
pub mod seccomp;
pub mod seqpacket;
pub mod signals;
pub mod unix_socket;
pub mod unshare;
pub mod waitid;

use rustix::io::{Errno, Result};

/// The result of a raw system call.
fn errno(value: libc::c_long) -> Result<libc::c_long> {
    if value >= 0 {
        return Ok(value);
    }
    Err(Errno::from_io_error(&std::io::Error::last_os_error()).unwrap_or(Errno::IO))
}
