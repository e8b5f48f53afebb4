//! From a pipe or terminal to a websocket.

use super::writer::{FrameBuffer, Writer};
use super::{Connection, reader::End};
use std::io;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;

/// The buffer that every stream starts with, in bytes.
const FIRST_BUFFER: usize = 4 * 1024;
/// The buffer, and frame, that a busy stream grows to, in bytes.
const LAST_BUFFER: usize = 256 * 1024;
/// More than a terminal can hold (its queues take less than 70 KiB), in bytes.
const TERMINAL_REST: u64 = 128 * 1024;

/// How a stream of output ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OutputEnd {
    /// Everything was delivered.
    Delivered,
    /// The client closed the stream in good order.
    Closed,
    /// The client vanished.
    Cut,
}

/// What output comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A pipe, which knows how much is in it.
    Pipe,
    /// The master of a terminal.
    Terminal,
}

/// What a read brought.
enum Read {
    Data(usize),
    Nothing,
    End,
}

/// Reads output and sends it on.
pub(crate) struct Output<'a> {
    source: &'a Receiver,
    kind: Source,
    buffer: FrameBuffer,
}

impl<'a> Output<'a> {
    /// Nothing is read yet.
    pub(crate) fn new(source: &'a Receiver, kind: Source) -> Self {
        Self { source, kind, buffer: FrameBuffer::with_capacity(FIRST_BUFFER) }
    }

    /// Sends output until nothing more can come: every holder of the other end is gone, or the
    /// program ended and what was there at that moment has been sent. Whoever still holds the
    /// other end then does not keep the client.
    ///
    /// # Errors
    /// The client is gone.
    pub(crate) async fn send(&mut self, writer: &mut Writer, ended: &CancellationToken) -> io::Result<()> {
        loop {
            tokio::select! {
                biased;
                () = ended.cancelled() => return self.send_rest(writer).await,
                ready = self.source.readable() => {
                    ready?;
                    match self.read_when_ready()? {
                        Read::Data(_) => writer.binary(&mut self.buffer).await?,
                        Read::Nothing => {}
                        Read::End => return Ok(()),
                    }
                }
                pong = writer.ping() => writer.pong(&pong).await?,
            }
        }
    }

    async fn send_rest(&mut self, writer: &mut Writer) -> io::Result<()> {
        let mut left = match self.kind {
            Source::Pipe => rustix::io::ioctl_fionread(self.source)?,
            // Terminals count only what their line discipline took; reading empties all queues.
            Source::Terminal => TERMINAL_REST,
        };
        while left > 0 {
            match self.read()? {
                Read::Data(count) => left = left.saturating_sub(count as u64),
                Read::Nothing | Read::End => break,
            }
            writer.binary(&mut self.buffer).await?;
        }
        Ok(())
    }

    /// Reads after the reactor said that something is there, and tells it when that was wrong.
    fn read_when_ready(&mut self) -> io::Result<Read> {
        let mut read = Read::Nothing;
        let source = self.source;
        let result = source.try_io(|| {
            read = self.read()?;
            if matches!(read, Read::Nothing) { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(()) }
        });
        match result {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
            _ => Ok(read),
        }
    }

    /// Reads what is there into the buffer, which grows with what comes.
    fn read(&mut self) -> io::Result<Read> {
        loop {
            let source = self.source;
            let result =
                self.buffer.refill(|bytes| rustix::io::read(source, rustix::buffer::spare_capacity(bytes)));
            return match result {
                Ok(0) => Ok(Read::End),
                Ok(count) => {
                    self.grow(count);
                    Ok(Read::Data(count))
                }
                Err(rustix::io::Errno::INTR) => continue,
                Err(rustix::io::Errno::AGAIN) => Ok(Read::Nothing),
                // What a master says when nobody has the terminal open.
                Err(rustix::io::Errno::IO) if self.kind == Source::Terminal => Ok(Read::End),
                Err(error) => Err(error.into()),
            };
        }
    }

    fn grow(&mut self, count: usize) {
        let capacity = self.buffer.capacity();
        if count == capacity && capacity < LAST_BUFFER {
            self.buffer.reserve((capacity * 4).min(LAST_BUFFER));
        }
    }
}

/// Sends a pipe to a client, then the end marker, then closes.
pub(crate) async fn send_pipe(pipe: OwnedFd, connection: Connection, ended: CancellationToken) -> OutputEnd {
    let Connection { mut reader, mut writer } = connection;
    let Ok(pipe) = Receiver::from_owned_fd(pipe) else {
        return OutputEnd::Cut;
    };
    let mut output = Output::new(&pipe, Source::Pipe);
    tokio::select! {
        result = output.send(&mut writer, &ended) => {
            if result.is_err() {
                return OutputEnd::Cut;
            }
        }
        end = reader.discard() => {
            return if matches!(end, End::Cut) { OutputEnd::Cut } else { OutputEnd::Closed };
        }
    }
    drop(pipe);
    if writer.barrier().await.is_ok() {
        // The client has everything; whether it hears the goodbye does not matter.
        let _ = writer.close().await;
    }
    OutputEnd::Delivered
}
