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
    /// The sender has no more to say.
    ended: bool,
    /// The receiver has been told so.
    closed: bool,
}

impl Way {
    /// One that begins with these bytes.
    pub(crate) fn beginning_with(bytes: Vec<u8>) -> Self {
        Self { pending: bytes, ..Self::default() }
    }

    /// It would read.
    pub(crate) fn wants_to_read(&self) -> bool {
        self.pending.is_empty() && !self.ended
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
            if !self.flush(to)? {
                return Ok(());
            }
            if self.ended {
                if !self.closed {
                    self.closed = true;
                    match shutdown(to, Shutdown::Write) {
                        Ok(()) | Err(Errno::NOTCONN) => {}
                        Err(errno) => return Err(errno),
                    }
                }
                return Ok(());
            }
            match self.read(from, with_descriptors, buffer) {
                Ok(0) => self.ended = true,
                Ok(read) => self.write_first(to, &buffer[..read])?,
                Err(Errno::AGAIN) => return Ok(()),
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
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
