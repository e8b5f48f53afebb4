//! `netdevice(7)`: set an interface up.

use crate::errno;
use rustix::io::{Errno, Result};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use std::os::fd::AsRawFd;

/// Set an interface of the calling thread's network namespace up.
///
/// # Errors
/// `ENODEV` when there is none of that name; `EINVAL` for a name that none can have; `EPERM`.
pub fn set_up(name: &str) -> Result<()> {
    // SAFETY: all zero bytes are a valid ifreq.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    if name.is_empty() || name.len() >= request.ifr_name.len() || name.contains('\0') {
        return Err(Errno::INVAL);
    }
    for (slot, byte) in request.ifr_name.iter_mut().zip(name.bytes()) {
        *slot = byte.cast_signed();
    }
    let flags = SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::DGRAM, flags, None)?;
    // SAFETY: the request is an ifreq with a name that ends with a zero byte.
    errno(libc::c_long::from(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request)
    }))?;
    // SAFETY: the call before stored the flags there.
    let flags = unsafe { request.ifr_ifru.ifru_flags };
    let up = libc::IFF_UP as libc::c_short;
    if flags & up == up {
        return Ok(());
    }
    request.ifr_ifru.ifru_flags = flags | up;
    // SAFETY: as for the first call.
    errno(libc::c_long::from(unsafe {
        libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request)
    }))
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    #[test]
    fn loopback_of_a_new_namespace() {
        let child = clone3(Namespaces::USER.with(Namespaces::NET), None, || {
            let missing = set_up("nothing0") == Err(Errno::NODEV);
            let up = set_up("lo").is_ok();
            let listens = std::net::TcpListener::bind("127.0.0.1:0")
                .and_then(|listener| std::net::TcpStream::connect(listener.local_addr()?))
                .is_ok();
            if missing && up && listens { 0 } else { 1 }
        })
        .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(0)));
    }

    #[test]
    fn names_that_cannot_be() {
        for name in ["", "sixteen-letters-", "a\0b"] {
            assert_eq!(set_up(name), Err(Errno::INVAL));
        }
    }
}
