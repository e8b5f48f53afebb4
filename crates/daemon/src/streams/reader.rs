//! The receiving half of a websocket: payload as it comes, without waiting for whole messages.

use super::frame::{BadFrame, CLIENT_HEADER, Header, Opcode, unmask};
use super::writer::Pong;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::sync::mpsc;

/// The buffer that every reader starts with, in bytes.
const FIRST_BUFFER: usize = 4 * 1024;
/// The buffer that a busy reader grows to, in bytes.
const LAST_BUFFER: usize = 256 * 1024;

/// Some payload.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// Bytes of a binary message.
    Binary(&'a [u8]),
    /// Bytes of a text message.
    Text {
        /// They.
        bytes: &'a [u8],
        /// Whether the message ends with them.
        last: bool,
    },
}

/// Why nothing more comes.
#[derive(Debug, thiserror::Error)]
pub(crate) enum End {
    /// The client said goodbye.
    #[error("the client closed the stream")]
    Closed,
    /// The connection broke.
    #[error("the connection to the client broke")]
    Cut,
    /// The client does not speak the protocol.
    #[error("the client broke the protocol")]
    Violation(#[from] BadFrame),
    /// A message that does not belong on this stream.
    #[error("a message on the stream is longer than {limit} bytes")]
    TooLong {
        /// What is allowed.
        limit: usize,
    },
}

/// The frame whose payload is being read.
struct Current {
    header: Header,
    read: u64,
    kind: Opcode,
}

/// The receiving half of a websocket.
pub(crate) struct Reader {
    io: Box<dyn AsyncRead + Send + Unpin>,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    current: Option<Current>,
    message: Opcode,
    text: Vec<u8>,
    pongs: mpsc::Sender<Pong>,
}

impl Reader {
    /// Reads from `io`, after the bytes `early` that came with the handshake.
    pub(crate) fn new(
        io: Box<dyn AsyncRead + Send + Unpin>,
        early: &[u8],
        pongs: mpsc::Sender<Pong>,
    ) -> Self {
        let mut buffer = early.to_vec();
        let end = buffer.len();
        buffer.resize(end.max(FIRST_BUFFER), 0);
        Self {
            io,
            buffer,
            start: 0,
            end,
            current: None,
            message: Opcode::Continuation,
            text: Vec::new(),
            pongs,
        }
    }

    /// What it reads from, and what it has read ahead.
    pub(crate) fn into_io(self) -> (Box<dyn AsyncRead + Send + Unpin>, Vec<u8>) {
        let early = self.buffer[self.start..self.end].to_vec();
        (self.io, early)
    }

    /// The next payload, unmasked. Pings are answered on the way. Nothing is lost when the future
    /// is dropped.
    ///
    /// # Errors
    /// Nothing more comes.
    pub(crate) async fn next(&mut self) -> Result<Piece<'_>, End> {
        let (kind, from, to, last) = loop {
            if self.current.is_none() {
                self.begin_frame().await?;
            }
            let Some(current) = &mut self.current else { continue };
            if current.kind.is_control() {
                self.control_frame().await?;
                continue;
            }
            let left = current.header.length - current.read;
            if left > 0 && self.start == self.end {
                self.fill().await?;
                continue;
            }
            let available = (self.end - self.start).min(usize::try_from(left).unwrap_or(usize::MAX));
            let (from, to) = (self.start, self.start + available);
            unmask(&mut self.buffer[from..to], current.header.mask, current.read);
            self.start = to;
            current.read += available as u64;
            let whole = current.read == current.header.length;
            let (kind, last) = (current.kind, whole && current.header.last);
            if whole {
                self.current = None;
            }
            // An empty binary frame tells nothing; an empty text frame is the end of a direction.
            if available > 0 || kind == Opcode::Text {
                break (kind, from, to, last);
            }
        };
        let bytes = &self.buffer[from..to];
        Ok(if kind == Opcode::Text { Piece::Text { bytes, last } } else { Piece::Binary(bytes) })
    }

    /// A whole text message of at most `limit` bytes; binary messages are passed over. Nothing is
    /// lost when the future is dropped.
    ///
    /// # Errors
    /// Nothing more comes; the message is too long.
    pub(crate) async fn text(&mut self, limit: usize) -> Result<Vec<u8>, End> {
        loop {
            let Piece::Text { bytes, last } = self.next().await? else { continue };
            let bytes = bytes.to_vec();
            if self.text.len() + bytes.len() > limit {
                return Err(End::TooLong { limit });
            }
            self.text.extend_from_slice(&bytes);
            if last {
                return Ok(std::mem::take(&mut self.text));
            }
        }
    }

    /// Reads and forgets until nothing more comes, and tells why.
    pub(crate) async fn discard(&mut self) -> End {
        loop {
            if let Err(end) = self.next().await {
                return end;
            }
        }
    }

    async fn begin_frame(&mut self) -> Result<(), End> {
        loop {
            if let Some((header, size)) = Header::parse(&self.buffer[self.start..self.end])? {
                self.start += size;
                let kind = match header.opcode {
                    Opcode::Continuation => self.message,
                    opcode => opcode,
                };
                if kind == Opcode::Continuation {
                    return Err(BadFrame::Opcode(0).into());
                }
                if !kind.is_control() {
                    self.message = if header.last { Opcode::Continuation } else { kind };
                }
                self.current = Some(Current { header, read: 0, kind });
                return Ok(());
            }
            self.fill().await?;
        }
    }

    async fn control_frame(&mut self) -> Result<(), End> {
        let Some(Current { header, .. }) = self.current else { return Ok(()) };
        let length = usize::try_from(header.length).unwrap_or(usize::MAX);
        while self.end - self.start < length {
            self.fill().await?;
        }
        self.current = None;
        let payload = &mut self.buffer[self.start..self.start + length];
        unmask(payload, header.mask, 0);
        self.start += length;
        match header.opcode {
            Opcode::Close => Err(End::Closed),
            Opcode::Ping => {
                // A client that pings faster than it reads gets fewer pongs.
                let _ = self.pongs.try_send(Pong(payload.to_vec()));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Reads more bytes behind what is there. Cancel-safe: one read, counted at once.
    async fn fill(&mut self) -> Result<(), End> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < CLIENT_HEADER + 125 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        let space = self.buffer.len() - self.end;
        let count = match self.io.read(&mut self.buffer[self.end..]).await {
            Ok(0) | Err(_) => return Err(End::Cut),
            Ok(count) => count,
        };
        self.end += count;
        if count == space && self.buffer.len() < LAST_BUFFER {
            self.buffer.resize((self.buffer.len() * 4).min(LAST_BUFFER), 0);
        }
        Ok(())
    }
}
