//! Bytes from one socket to another, both ways, each way ending by itself.
//!
//! A way reads only when all that it read before has been written, so that it holds at most one
//! buffer. Between two unix sockets descriptors are passed on as well.

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, Shutdown, recvmsg, sendmsg, shutdown,
};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Most descriptors that are passed on with one message.
const MOST_FDS: usize = 64;
const SPACE: usize = rustix::cmsg_space!(ScmRights(MOST_FDS));
/// How often one way is pumped before others get their turn.
const TURNS: usize = 4;

/// One way from a socket to another.
#[derive(Debug, Default)]
pub(crate) struct Way {
    /// Read and not yet written.
    pending: Vec<u8>,
    written: usize,
    descriptors: Vec<OwnedFd>,
    /// The sender has no more to say, and the receiver has been told so.
    closed: bool,
}

impl Way {
    /// One that begins with these bytes.
    pub(crate) fn beginning_with(bytes: Vec<u8>) -> Self {
        Self { pending: bytes, ..Self::default() }
    }

    /// It would read.
    pub(crate) fn wants_to_read(&self) -> bool {
        self.pending.is_empty() && !self.closed
    }

    /// It would write.
    pub(crate) fn wants_to_write(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing more will come this way.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Passes on what there is, without waiting. `with_descriptors`: both are unix sockets.
    ///
    /// # Errors
    /// The connection is broken.
    pub(crate) fn pump(
        &mut self,
        from: BorrowedFd<'_>,
        to: BorrowedFd<'_>,
        with_descriptors: bool,
        buffer: &mut [u8],
    ) -> Result<(), Errno> {
        for _ in 0..TURNS {
            if self.closed || !self.flush(to)? {
                return Ok(());
            }
            match self.read(from, with_descriptors, buffer) {
                // All that was read before has been written.
                Ok(0) => return self.close(to),
                Ok(read) => self.write_first(to, &buffer[..read])?,
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }

    fn close(&mut self, to: BorrowedFd<'_>) -> Result<(), Errno> {
        self.closed = true;
        match shutdown(to, Shutdown::Write) {
            Ok(()) | Err(Errno::NOTCONN) => Ok(()),
            Err(errno) => Err(errno),
        }
    }

    fn read(
        &mut self,
        from: BorrowedFd<'_>,
        with_descriptors: bool,
        buffer: &mut [u8],
    ) -> Result<usize, Errno> {
        if !with_descriptors {
            return retry_on_intr(|| {
                rustix::net::recv(from, &mut *buffer, RecvFlags::empty()).map(|(read, _)| read)
            });
        }
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let message = retry_on_intr(|| {
            recvmsg(from, &mut [IoSliceMut::new(buffer)], &mut control, RecvFlags::CMSG_CLOEXEC)
        })?;
        for part in control.drain() {
            if let RecvAncillaryMessage::ScmRights(rights) = part {
                self.descriptors.extend(rights);
            }
        }
        if message.flags.contains(ReturnFlags::CTRUNC) {
            // Some are lost; going on would give the receiver others than it was sent.
            return Err(Errno::MSGSIZE);
        }
        Ok(message.bytes)
    }

    /// Writes what was just read; what does not fit is kept.
    fn write_first(&mut self, to: BorrowedFd<'_>, bytes: &[u8]) -> Result<(), Errno> {
        let written = match self.send(to, bytes) {
            Ok(written) => written,
            Err(Errno::AGAIN) => 0,
            Err(errno) => return Err(errno),
        };
        if written < bytes.len() {
            self.pending = bytes[written..].to_vec();
            self.written = 0;
        }
        Ok(())
    }

    /// Writes what was kept. True: nothing is left.
    fn flush(&mut self, to: BorrowedFd<'_>) -> Result<bool, Errno> {
        while self.written < self.pending.len() {
            let rest = std::mem::take(&mut self.pending);
            let sent = self.send(to, &rest[self.written..]);
            self.pending = rest;
            match sent {
                Ok(sent) => self.written += sent,
                Err(Errno::AGAIN) => return Ok(false),
                Err(errno) => return Err(errno),
            }
        }
        self.pending = Vec::new();
        self.written = 0;
        Ok(true)
    }

    fn send(&mut self, to: BorrowedFd<'_>, bytes: &[u8]) -> Result<usize, Errno> {
        if self.descriptors.is_empty() {
            return retry_on_intr(|| rustix::net::send(to, bytes, SendFlags::NOSIGNAL));
        }
        let descriptors: Vec<BorrowedFd<'_>> = self.descriptors.iter().map(AsFd::as_fd).collect();
        let mut space = [MaybeUninit::uninit(); SPACE];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(Errno::MSGSIZE);
        }
        let sent = retry_on_intr(|| sendmsg(to, &[IoSlice::new(bytes)], &mut control, SendFlags::NOSIGNAL))?;
        self.descriptors.clear();
        Ok(sent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    fn pair() -> (UnixStream, OwnedFd) {
        let flags = SocketFlags::CLOEXEC;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None).unwrap();
        rustix::io::ioctl_fionbio(&ours, true).unwrap();
        (UnixStream::from(theirs), ours)
    }

    #[test]
    fn a_slow_reader_holds_one_buffer_and_loses_nothing() {
        let ((mut sender, from), (mut receiver, to)) = (pair(), pair());
        let (mut way, mut buffer) = (Way::beginning_with(b"header ".to_vec()), vec![0; 65536]);
        let writer = std::thread::spawn(move || {
            sender.write_all(&vec![b'x'; 4 << 20]).unwrap();
        });
        receiver.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        let mut part = vec![0; 10_000];
        while !way.is_closed() || heard.len() < 7 + (4 << 20) {
            way.pump(from.as_fd(), to.as_fd(), true, &mut buffer).unwrap();
            assert!(way.pending.len() <= buffer.len());
            if let Ok(read) = receiver.read(&mut part) {
                heard.extend_from_slice(&part[..read]);
            }
        }
        writer.join().unwrap();
        assert!(heard.starts_with(b"header xxx") && heard.len() == 7 + (4 << 20));
        receiver.set_nonblocking(false).unwrap();
        assert_eq!(receiver.read(&mut part).unwrap(), 0, "the end is passed on");
        receiver.write_all(b"back").unwrap();
        let mut back = Way::default();
        back.pump(to.as_fd(), from.as_fd(), true, &mut buffer).unwrap_err();
    }

    #[test]
    fn the_end_is_passed_on_in_whatever_turn_it_is_read() {
        for parts in 0..=TURNS + 1 {
            let flags = SocketFlags::CLOEXEC;
            // Each part is read by itself.
            let kind = SocketType::SEQPACKET;
            let (sender, from) = socketpair(AddressFamily::UNIX, kind, flags, None).unwrap();
            rustix::io::ioctl_fionbio(&from, true).unwrap();
            let (mut receiver, to) = pair();
            for _ in 0..parts {
                rustix::io::write(&sender, b"x").unwrap();
            }
            drop(sender);
            let (mut way, mut buffer) = (Way::default(), vec![0; 64]);
            while way.wants_to_read() {
                way.pump(from.as_fd(), to.as_fd(), false, &mut buffer).unwrap();
            }
            let mut heard = Vec::new();
            receiver.read_to_end(&mut heard).unwrap();
            assert_eq!((heard.len(), way.is_closed()), (parts, true));
        }
    }

    #[test]
    fn descriptors_are_passed_on_with_their_bytes() {
        let ((sender, from), (receiver, to)) = (pair(), pair());
        let (mut way, mut buffer) = (Way::default(), vec![0; 1024]);
        let file = tempfile::tempfile().unwrap();
        sys::scm::send(sender.as_fd(), b"take this", &[file.as_fd()]).unwrap();
        way.pump(from.as_fd(), to.as_fd(), true, &mut buffer).unwrap();
        let received = sys::scm::recv(receiver.as_fd(), &mut buffer).unwrap();
        assert_eq!((received.len, received.fds.len()), (9, 1));
        let same = |fd: &dyn AsFd| rustix::fs::fstat(fd.as_fd()).unwrap().st_ino;
        assert_eq!(same(&received.fds[0]), same(&file));
        assert!(way.descriptors.is_empty());
    }
}
