//! `getsockopt(2)` with `SO_PEERPIDFD` (`unix(7)`): the process at the other end, as a descriptor.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

/// The number is the same on every architecture that containers run on; C libraries have it late.
const SO_PEERPIDFD: libc::c_int = 77;

/// The process that connected a unix stream, closed on exec. It cannot be taken for another one
/// that got its number later.
///
/// # Errors
/// `ENOPROTOOPT` before Linux 6.5; `ESRCH` or `EINVAL` when the process has been reaped.
pub fn peer_pidfd(socket: BorrowedFd<'_>) -> Result<OwnedFd> {
    let mut pidfd: libc::c_int = -1;
    let mut length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: both pointers refer to live variables, and the length is that of the first.
    errno(libc::c_long::from(unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_PEERPIDFD,
            (&raw mut pidfd).cast(),
            &raw mut length,
        )
    }))?;
    // SAFETY: the kernel has just made this descriptor for us and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(pidfd) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    #[test]
    fn the_peer_of_a_pair_is_this_process() {
        let (one, _other) = UnixStream::pair().unwrap();
        match peer_pidfd(one.as_fd()) {
            Ok(pidfd) => {
                let info = format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd());
                let info = std::fs::read_to_string(info).unwrap();
                let pid = format!("Pid:\t{}\n", std::process::id());
                assert!(info.contains(&pid), "{info}");
            }
            Err(Errno::NOPROTOOPT) => eprintln!("SKIP the_peer_of_a_pair_is_this_process: Linux before 6.5"),
            Err(error) => panic!("{error}"),
        }
    }
}
