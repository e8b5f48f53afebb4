//! Packets with descriptors over `SOCK_SEQPACKET` unix sockets, see `unix(7)`.
//!
//! One packet carries at most [`MAX_DESCRIPTORS`]; what arrives is close-on-exec.

use rustix::io::Errno;
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most descriptors that one packet can carry.
pub const MAX_DESCRIPTORS: usize = 8;

/// A packet that was received into the caller's buffer.
#[derive(Debug)]
pub struct Packet {
    /// How many bytes of the buffer it fills; 0 is the end of the connection.
    pub length: usize,
    /// The descriptors that came with it.
    pub descriptors: Vec<OwnedFd>,
    /// It was larger than the buffer or had too many descriptors; what is there is a part of it.
    pub truncated: bool,
}

/// Sends one packet. Never raises `SIGPIPE`.
///
/// # Errors
/// Those of `sendmsg(2)`: `EAGAIN` when the socket is non-blocking and full, `EMSGSIZE` when the
/// packet is larger than the send buffer, `EPIPE` when nobody reads. `E2BIG` for too many
/// descriptors.
pub fn send(socket: impl AsFd, payload: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<(), Errno> {
    if descriptors.len() > MAX_DESCRIPTORS {
        return Err(Errno::TOOBIG);
    }
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !control.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(Errno::TOOBIG);
    }
    loop {
        match sendmsg(&socket, &[IoSlice::new(payload)], &mut control, SendFlags::NOSIGNAL) {
            Err(Errno::INTR) => {}
            result => return result.map(drop),
        }
    }
}

/// Receives one packet.
///
/// # Errors
/// Those of `recvmsg(2)`; `EAGAIN` when the socket is non-blocking and nothing is there.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> Result<Packet, Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_DESCRIPTORS))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let received = loop {
        let mut parts = [IoSliceMut::new(buffer)];
        match recvmsg(&socket, &mut parts, &mut control, RecvFlags::CMSG_CLOEXEC) {
            Err(Errno::INTR) => {}
            result => break result?,
        }
    };
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(fds) = message {
            descriptors.extend(fds);
        }
    }
    let truncated = received.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(Packet { length: received.bytes, descriptors, truncated })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    fn pair() -> (OwnedFd, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap()
    }

    #[test]
    fn a_packet_arrives_whole_with_its_descriptors() {
        let (a, b) = pair();
        let file = tempfile::tempfile().unwrap();
        send(&a, b"hello", &[file.as_fd(), file.as_fd()]).unwrap();
        let mut buffer = [0; 16];
        let packet = receive(&b, &mut buffer).unwrap();
        assert_eq!(&buffer[..packet.length], b"hello");
        assert_eq!(packet.descriptors.len(), 2);
        assert!(!packet.truncated);
        let flags = rustix::io::fcntl_getfd(&packet.descriptors[0]).unwrap();
        assert!(flags.contains(rustix::io::FdFlags::CLOEXEC));
    }

    #[test]
    fn a_packet_that_is_too_large_says_so() {
        let (a, b) = pair();
        send(&a, b"0123456789", &[]).unwrap();
        let mut buffer = [0; 4];
        assert!(receive(&b, &mut buffer).unwrap().truncated);
        assert_eq!(receive(&b, &mut buffer).unwrap_err(), Errno::AGAIN);
    }

    #[test]
    fn the_end_is_an_empty_packet_and_writing_to_it_an_error() {
        let (a, b) = pair();
        drop(b);
        assert_eq!(receive(&a, &mut [0; 4]).unwrap().length, 0);
        assert_eq!(send(&a, b"x", &[]).unwrap_err(), Errno::PIPE);
    }

    #[test]
    fn too_many_descriptors_are_refused() {
        let (a, _b) = pair();
        let many = [a.as_fd(); MAX_DESCRIPTORS + 1];
        assert_eq!(send(&a, b"x", &many).unwrap_err(), Errno::TOOBIG);
    }
}
