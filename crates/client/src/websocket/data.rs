//! Data streams of a session, blocking, without a copy between the socket and the caller.
//!
//! A session moves bytes between two file descriptors for as long as it lives, so each direction
//! gets a thread with blocking reads and writes: that costs no wake-ups between them, and a slow
//! reader of our standard output holds up nothing else. The frames are read and written here
//! rather than by a websocket library, because a library has to copy each message and mask it.
//!
//! Format: RFC 6455 section 5.2. Binary frames carry data; the first text frame ends a direction.

use super::Upgraded;
use rustix::net::sockopt::{set_socket_send_buffer_size, set_socket_send_buffer_size_force};
use std::io::{self, IoSlice};
use std::sync::Arc;
use tokio::io::AsyncReadExt as _;
use tokio::net::UnixStream;
use transport::{Blocking, Stream};

/// Bytes read from the socket at a time.
const READ: usize = 256 * 1024;
/// Bytes read at first: most streams of short commands end without any data.
const FIRST: usize = 4 * 1024;
/// Most bytes put into one frame.
const FRAME: usize = 1024 * 1024;
/// What the kernel may hold of what was sent, in bytes. A writer that filled the default of 208 KiB is
/// woken when three quarters are gone, and the rest is gone before it runs.
const SEND_BUFFER: usize = 1024 * 1024;
/// A piece of so many bytes is one of many.
const BUSY: usize = 64 * 1024;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;

/// Splits a fresh websocket into its two directions and makes it blocking.
pub(crate) fn split(upgraded: Upgraded) -> io::Result<(DataReader, DataWriter)> {
    let stream = Arc::new(upgraded.stream.into_blocking()?);
    let reader = DataReader::new(Source::Blocking(Arc::clone(&stream)), upgraded.early);
    Ok((reader, DataWriter { stream, wide: false }))
}

/// The daemon's direction of a fresh websocket, for a stream that only ever has that one.
pub(crate) fn receive(upgraded: Upgraded) -> io::Result<DataReader> {
    let source = match upgraded.stream {
        Stream::Unix(unix) => Source::Fresh(Some(unix)),
        other => Source::Blocking(Arc::new(other.into_blocking()?)),
    };
    Ok(DataReader::new(source, upgraded.early))
}

/// Data from the daemon. Reads block: use it on a thread of its own.
#[derive(Debug)]
pub struct DataReader {
    source: Source,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    frame: Option<Frame>,
    ended: bool,
}

/// The connection of a reader.
#[derive(Debug)]
enum Source {
    /// Still the runtime's, which can wait for the first bytes; none while it changes hands.
    Fresh(Option<UnixStream>),
    Blocking(Arc<Blocking>),
}

/// The frame that is being read.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    /// Payload bytes still to come.
    left: u64,
    /// Servers do not mask; one that does is understood.
    mask: Option<[u8; 4]>,
    /// Payload bytes already unmasked, modulo 4.
    phase: usize,
}

impl DataReader {
    fn new(source: Source, early: Vec<u8>) -> Self {
        let end = early.len();
        Self { source, buffer: early, start: 0, end, frame: None, ended: false }
    }

    /// Whether there may be data, as soon as that is known: a stream that ends without any needs no
    /// thread. Always true for one that has two directions, or comes across the network.
    ///
    /// # Errors
    /// As [`Self::next_piece`].
    pub async fn has_data(&mut self) -> io::Result<bool> {
        let Source::Fresh(Some(stream)) = &mut self.source else { return Ok(true) };
        if self.start == self.end {
            self.buffer.resize(FIRST, 0);
            self.start = 0;
            self.end = match stream.read(&mut self.buffer).await {
                // As in `read`.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => 0,
                result => result?,
            };
            self.ended = self.end == 0;
        }
        if !self.ended {
            self.begin_frame()?;
        }
        Ok(!self.ended)
    }

    /// The next bytes, as soon as there are any; `None` at the end.
    ///
    /// # Errors
    /// The connection broke, or what comes is no websocket traffic.
    pub fn next_piece(&mut self) -> io::Result<Option<&[u8]>> {
        while !self.ended {
            let Some(mut frame) = self.frame.take() else {
                self.begin_frame()?;
                continue;
            };
            if frame.left == 0 {
                continue;
            }
            if self.start == self.end && !self.fill()? {
                break;
            }
            let have = self.end - self.start;
            let count = usize::try_from(frame.left).map_or(have, |left| left.min(have));
            let range = self.start..self.start + count;
            self.start += count;
            frame.left -= count as u64;
            if let Some(mask) = frame.mask {
                for byte in &mut self.buffer[range.clone()] {
                    *byte ^= mask[frame.phase];
                    frame.phase = (frame.phase + 1) % 4;
                }
            }
            self.frame = Some(frame);
            if matches!(frame.opcode, BINARY | CONTINUATION) {
                return Ok(Some(&self.buffer[range]));
            }
        }
        self.ended = true;
        Ok(None)
    }

    /// Ends our direction of the connection. On a terminal's stream the daemon waits for that after
    /// its own end, and the thread that would do it may be reading the keyboard.
    pub fn hang_up(&self) {
        // Nothing to do about a socket that is closed already.
        if let Source::Blocking(stream) = &self.source {
            let _ = stream.end_writing();
        }
    }

    /// Reads a frame's header.
    fn begin_frame(&mut self) -> io::Result<()> {
        if !self.have(2)? {
            return Ok(());
        }
        let [first, second] = [self.buffer[self.start], self.buffer[self.start + 1]];
        let extra = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let masked = second & 0x80 != 0;
        let size = 2 + extra + if masked { 4 } else { 0 };
        if !self.have(size)? {
            return Ok(());
        }
        let header = &self.buffer[self.start..self.start + size];
        let left = match extra {
            0 => u64::from(second & 0x7f),
            extra => header[2..2 + extra].iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
        };
        let mask = masked.then(|| [header[size - 4], header[size - 3], header[size - 2], header[size - 1]]);
        let opcode = first & 0x0f;
        self.start += size;
        match opcode {
            TEXT | CLOSE => self.ended = true,
            CONTINUATION | BINARY | 0x9 | 0xa => {}
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "unknown websocket frame")),
        }
        self.frame = Some(Frame { opcode, left, mask, phase: 0 });
        Ok(())
    }

    /// True when `count` bytes are in the buffer; false, and `ended`, when the stream ends before.
    fn have(&mut self, count: usize) -> io::Result<bool> {
        while self.end - self.start < count {
            if self.start > 0 {
                self.buffer.copy_within(self.start..self.end, 0);
                self.end -= self.start;
                self.start = 0;
            }
            let got = self.read(self.end)?;
            if got == 0 {
                self.ended = true;
                return Ok(false);
            }
            self.end += got;
        }
        Ok(true)
    }

    /// Fills the empty buffer; false at the end of the stream.
    fn fill(&mut self) -> io::Result<bool> {
        self.start = 0;
        self.end = 0;
        self.end = self.read(0)?;
        Ok(self.end > 0)
    }

    /// Reads into the buffer behind its first `used` bytes.
    fn read(&mut self, used: usize) -> io::Result<usize> {
        // Fresh zeros from the kernel cost nothing until they are used, and most sessions use few.
        if self.buffer.len() < READ {
            let mut wide = vec![0; READ];
            wide[..used].copy_from_slice(&self.buffer[..used]);
            self.buffer = wide;
        }
        if let Source::Fresh(stream) = &mut self.source {
            let stream = stream.take().ok_or(io::ErrorKind::NotConnected)?;
            self.source = Source::Blocking(Arc::new(Stream::Unix(stream).into_blocking()?));
        }
        match &self.source {
            Source::Blocking(stream) => read(stream, &mut self.buffer[used..]),
            Source::Fresh(_) => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

fn read(stream: &Blocking, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match stream.read(buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // The daemon is gone; the operation tells what became of the command.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => return Ok(0),
            result => return result,
        }
    }
}

/// Data to the daemon. Writes block: use it on a thread of its own.
#[derive(Debug)]
pub struct DataWriter {
    stream: Arc<Blocking>,
    /// The socket was given a larger buffer, or cannot have one.
    wide: bool,
}

impl DataWriter {
    /// Sends all of `data`.
    ///
    /// # Errors
    /// The daemon no longer listens.
    pub fn send(&mut self, data: &[u8]) -> io::Result<()> {
        if data.len() >= BUSY && !self.wide {
            self.widen();
        }
        data.chunks(FRAME).try_for_each(|piece| self.frame(BINARY, piece))
    }

    fn widen(&mut self) {
        self.wide = true;
        // Only makes it faster; without the right to go beyond the system's limit, up to that.
        if let Blocking::Unix(stream) = &*self.stream
            && set_socket_send_buffer_size_force(stream, SEND_BUFFER).is_err()
        {
            let _ = set_socket_send_buffer_size(stream, SEND_BUFFER);
        }
    }

    /// Ends this direction: the command reads end-of-file.
    ///
    /// # Errors
    /// The daemon no longer listens.
    pub fn finish(&mut self) -> io::Result<()> {
        self.frame(TEXT, &[])
    }

    fn frame(&mut self, opcode: u8, payload: &[u8]) -> io::Result<()> {
        let mut header = [0; 14];
        let length = header_bytes(&mut header, opcode, payload.len());
        let mut parts = [IoSlice::new(&header[..length]), IoSlice::new(payload)];
        let mut parts: &mut [IoSlice<'_>] = &mut parts;
        while parts.iter().any(|part| !part.is_empty()) {
            match self.stream.write_vectored(parts) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut parts, count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

/// Writes a final, masked frame's header and returns its size.
///
/// The mask is zero: masks protect confused proxies on the way, and there are none on a unix
/// socket nor inside TLS, while a zero mask leaves the payload as it is.
fn header_bytes(header: &mut [u8; 14], opcode: u8, length: usize) -> usize {
    header[0] = 0x80 | opcode;
    let extended = match length {
        0..=125 => {
            header[1] = 0x80 | length as u8;
            0
        }
        126..=0xffff => {
            header[1] = 0x80 | 126;
            header[2..4].copy_from_slice(&(length as u16).to_be_bytes());
            2
        }
        _ => {
            header[1] = 0x80 | 127;
            header[2..10].copy_from_slice(&(length as u64).to_be_bytes());
            8
        }
    };
    2 + extended + 4
}

#[cfg(test)]
mod tests;
