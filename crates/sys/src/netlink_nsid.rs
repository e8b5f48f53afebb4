//! `netlink(7)`, `NETLINK_LISTEN_ALL_NSID`: messages from other network namespaces say where they
//! come from.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// The option, and the kind of the control message that carries the number.
const NETLINK_LISTEN_ALL_NSID: libc::c_int = 8;
/// Room for one control message with a number, generously.
const CONTROL: usize = 64;

/// The control messages of a packet, aligned as the kernel wants them.
#[repr(C, align(8))]
struct Control([u8; CONTROL]);

/// Receives one packet without waiting. The second value is the number of the namespace that it
/// comes from; `None`: the socket's own. What does not fit the buffer is dropped.
///
/// # Errors
/// `EAGAIN` when nothing is there; `ENOBUFS` when packets were lost.
pub fn recv(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<(usize, Option<i32>)> {
    let mut control = Control([0; CONTROL]);
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: all bytes zero is a valid msghdr: no name, no parts, no control messages.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = control.0.as_mut_ptr().cast();
    message.msg_controllen = CONTROL as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the message points at the buffer, the part and the control messages, which live until
    // the end of this function, and their lengths are the true ones.
    let received = errno(unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, flags) } as _)?;
    let mut nsid = None;
    // SAFETY: the kernel has filled in the message; the macros walk only the control messages that
    // are within its control length, and each number is read, unaligned, from a message of that kind.
    unsafe {
        let mut next = libc::CMSG_FIRSTHDR(&raw const message);
        while let Some(header) = next.as_ref() {
            if (header.cmsg_level, header.cmsg_type) == (libc::SOL_NETLINK, NETLINK_LISTEN_ALL_NSID) {
                nsid = Some(libc::CMSG_DATA(header).cast::<i32>().read_unaligned());
            }
            next = libc::CMSG_NXTHDR(&raw const message, header);
        }
    }
    Ok((usize::try_from(received).unwrap_or(0), nsid))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    use std::os::fd::AsFd;

    #[test]
    fn nothing_there_is_told_at_once() {
        let kind = (AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC);
        let socket = socket_with(kind.0, kind.1, kind.2, None).unwrap();
        assert_eq!(recv(socket.as_fd(), &mut [0; 16]), Err(Errno::AGAIN));
    }
}
