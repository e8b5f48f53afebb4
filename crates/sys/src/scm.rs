//! `unix(7)` and `cmsg(3)`: packets with descriptors attached.

use rustix::io::{Errno, Result, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{BorrowedFd, OwnedFd};

/// Most descriptors in one packet.
pub const MOST_FDS: usize = 64;

const SPACE: usize = rustix::cmsg_space!(ScmRights(MOST_FDS));

/// Send one packet. A peer that is gone is `EPIPE`, never a signal.
///
/// # Errors
/// `EINVAL` for more than [`MOST_FDS`] descriptors; `EAGAIN` on a socket that does not block;
/// `EMSGSIZE` when the packet is larger than the socket's buffer.
pub fn send(socket: BorrowedFd<'_>, packet: &[u8], fds: &[BorrowedFd<'_>]) -> Result<()> {
    if fds.len() > MOST_FDS {
        return Err(Errno::INVAL);
    }
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(Errno::INVAL);
    }
    let parts = [IoSlice::new(packet)];
    let sent = retry_on_intr(|| sendmsg(socket, &parts, &mut control, SendFlags::NOSIGNAL))?;
    if sent == packet.len() { Ok(()) } else { Err(Errno::MSGSIZE) }
}

/// What arrived.
#[derive(Debug)]
pub struct Received {
    /// Bytes of the packet, at the start of the buffer. 0 is the end of the connection.
    pub len: usize,
    /// The descriptors, closed on exec.
    pub fds: Vec<OwnedFd>,
}

/// Receive one packet.
///
/// # Errors
/// `EMSGSIZE` when it did not fit the buffer or had too many descriptors (all of them are closed
/// then); `EAGAIN` on a socket that does not block.
pub fn recv(socket: BorrowedFd<'_>, buffer: &mut [u8]) -> Result<Received> {
    let mut space = [MaybeUninit::uninit(); SPACE];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let message = retry_on_intr(|| {
        recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for part in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = part {
            fds.extend(rights);
        }
    }
    if message.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC) {
        return Err(Errno::MSGSIZE);
    }
    Ok(Received { len: message.bytes, fds })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seqpacket;
    use std::io::Read;
    use std::os::fd::AsFd;

    #[test]
    fn descriptors_arrive_in_order_and_close_on_exec() {
        let (a, b) = seqpacket::pair(4096).unwrap();
        let files = [crate::memfd::sealed("one", b"1").unwrap(), crate::memfd::sealed("two", b"2").unwrap()];
        send(a.as_fd(), b"hello", &[files[0].as_fd(), files[1].as_fd()]).unwrap();
        send(a.as_fd(), b"more", &[]).unwrap();
        let mut buffer = [0; 64];
        let first = recv(b.as_fd(), &mut buffer).unwrap();
        assert_eq!(&buffer[..first.len], b"hello");
        for (fd, want) in first.fds.into_iter().zip(["1", "2"]) {
            let flags = rustix::io::fcntl_getfd(&fd).unwrap();
            assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
            let mut text = String::new();
            std::fs::File::from(fd).read_to_string(&mut text).unwrap();
            assert_eq!(text, want);
        }
        assert_eq!(recv(b.as_fd(), &mut buffer).unwrap().len, 4);
        drop(a);
        assert_eq!(recv(b.as_fd(), &mut buffer).unwrap().len, 0);
    }

    #[test]
    fn what_does_not_fit_is_an_error() {
        let (a, b) = seqpacket::pair(4096).unwrap();
        send(a.as_fd(), &[1; 100], &[]).unwrap();
        assert_eq!(recv(b.as_fd(), &mut [0; 10]).unwrap_err(), Errno::MSGSIZE);
        let many = vec![b.as_fd(); MOST_FDS + 1];
        assert_eq!(send(a.as_fd(), b"x", &many), Err(Errno::INVAL));
        drop(b);
        assert_eq!(send(a.as_fd(), b"x", &[]), Err(Errno::PIPE));
    }
}
