//! The sending half of a websocket.

use super::frame::{Opcode, SERVER_HEADER, put_server_header, server_frame};
use std::io;
use tokio::io::{AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc;

/// Everything went as it should (RFC 6455 §7.4.1).
pub(crate) const NORMAL_CLOSURE: u16 = 1000;

/// The payload of a ping, to be sent back.
pub(crate) struct Pong(pub(crate) Vec<u8>);

/// Payload with room for the header before it, so that a frame is one write without a copy.
pub(crate) struct FrameBuffer {
    bytes: Vec<u8>,
}

impl FrameBuffer {
    /// Room for `capacity` bytes of payload.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        let mut bytes = Vec::with_capacity(SERVER_HEADER + capacity);
        bytes.resize(SERVER_HEADER, 0);
        Self { bytes }
    }

    /// How much payload fits.
    pub(crate) fn capacity(&self) -> usize {
        self.bytes.capacity() - SERVER_HEADER
    }

    /// Makes room for `capacity` bytes of payload; keeps what is in it.
    pub(crate) fn reserve(&mut self, capacity: usize) {
        self.bytes.reserve_exact((SERVER_HEADER + capacity).saturating_sub(self.bytes.len()));
    }

    /// Lets `read` append payload to the emptied buffer; it must not touch what is before.
    pub(crate) fn refill<T>(&mut self, read: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        self.bytes.truncate(SERVER_HEADER);
        read(&mut self.bytes)
    }

    /// The whole frame.
    fn frame(&mut self, opcode: Opcode) -> &[u8] {
        let length = self.bytes.len() - SERVER_HEADER;
        let start = self
            .bytes
            .first_chunk_mut::<SERVER_HEADER>()
            .map_or(0, |space| put_server_header(space, opcode, length));
        &self.bytes[start..]
    }
}

/// The sending half of a websocket. Dropping a future of it may leave half a frame behind: the
/// writer must not be used again then.
pub(crate) struct Writer {
    io: Box<dyn AsyncWrite + Send + Unpin>,
    pongs: mpsc::Receiver<Pong>,
}

impl Writer {
    /// Writes to `io`; answers pings whose payload comes from `pongs`.
    pub(crate) fn new(io: Box<dyn AsyncWrite + Send + Unpin>, pongs: mpsc::Receiver<Pong>) -> Self {
        Self { io, pongs }
    }

    /// What it writes to.
    pub(crate) fn into_io(self) -> Box<dyn AsyncWrite + Send + Unpin> {
        self.io
    }

    /// Sends the buffer's payload as one binary message.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn binary(&mut self, buffer: &mut FrameBuffer) -> io::Result<()> {
        self.io.write_all(buffer.frame(Opcode::Binary)).await
    }

    /// Sends frames that are complete already.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn frames(&mut self, frames: &[u8]) -> io::Result<()> {
        self.io.write_all(frames).await
    }

    /// Ends this direction: an empty text message.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn barrier(&mut self) -> io::Result<()> {
        self.frames(&server_frame(Opcode::Text, &[])).await
    }

    /// Says goodbye and ends the connection's sending side.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.frames(&server_frame(Opcode::Close, &NORMAL_CLOSURE.to_be_bytes())).await?;
        self.io.shutdown().await
    }

    /// The next ping to answer; for ever pending when none can come any more.
    pub(crate) async fn ping(&mut self) -> Pong {
        match self.pongs.recv().await {
            Some(pong) => pong,
            None => std::future::pending().await,
        }
    }

    /// Answers a ping.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn pong(&mut self, pong: &Pong) -> io::Result<()> {
        self.frames(&server_frame(Opcode::Pong, &pong.0)).await
    }
}
