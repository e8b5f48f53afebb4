//! `ioctl_ns(2)`: how namespaces hang together.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// `_IO(0xb7, 2)`.
const NS_GET_PARENT: libc::c_ulong = (0xb7 << 8) | 2;

/// The namespace around a process or user namespace, closed on exec.
///
/// # Errors
/// `EPERM` when there is none, or none that this process may see; `EINVAL` for other kinds.
pub fn parent(namespace: BorrowedFd<'_>) -> Result<OwnedFd> {
    // SAFETY: this request takes no argument.
    let fd = errno(libc::c_long::from(unsafe { libc::ioctl(namespace.as_raw_fd(), NS_GET_PARENT as _) }))?;
    // SAFETY: the kernel has just made this descriptor for us; descriptors fit an int.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn there_is_nothing_above_what_can_be_seen() {
        let own = std::fs::File::open("/proc/self/ns/net").unwrap();
        assert!(parent(own.as_fd()).is_err(), "network namespaces do not hang together");
        let mut top = OwnedFd::from(std::fs::File::open("/proc/self/ns/pid").unwrap());
        // Ends at the namespace of the process that asks, or of the host.
        for _ in 0..33 {
            match parent(top.as_fd()) {
                Ok(above) => top = above,
                Err(error) => return assert_eq!(error, rustix::io::Errno::PERM),
            }
        }
        panic!("namespaces are at most 32 deep");
    }
}
