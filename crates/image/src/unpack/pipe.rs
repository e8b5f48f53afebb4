//! Decompression on a thread of its own, so that it goes on while files are written.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

const CHUNK: usize = 256 * 1024;
/// How many chunks may wait: this many times [`CHUNK`] is what the pipe holds at most.
const DEPTH: usize = 8;

/// The reading end.
pub(super) struct Pipe {
    chunks: Receiver<io::Result<Vec<u8>>>,
    empties: SyncSender<Vec<u8>>,
    current: Vec<u8>,
    position: usize,
    ended: bool,
}

/// Starts reading `source` on a thread. The thread ends with the source, or when the pipe goes.
pub(super) fn start(source: Box<dyn Read + Send>) -> io::Result<Pipe> {
    let (send, chunks) = sync_channel(DEPTH);
    let (empties, reuse) = sync_channel(DEPTH + 2);
    thread::Builder::new().name("decompress".into()).spawn(move || pump(source, &send, &reuse))?;
    Ok(Pipe { chunks, empties, current: Vec::new(), position: 0, ended: false })
}

fn pump(mut source: Box<dyn Read + Send>, send: &SyncSender<io::Result<Vec<u8>>>, reuse: &Receiver<Vec<u8>>) {
    loop {
        let mut chunk = reuse.try_recv().unwrap_or_default();
        chunk.resize(CHUNK, 0);
        let mut filled = 0;
        let end = loop {
            match source.read(&mut chunk[filled..]) {
                Ok(0) => break Some(Ok(())),
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(Err(error)),
            }
            if filled == CHUNK {
                break None;
            }
        };
        chunk.truncate(filled);
        if filled > 0 && send.send(Ok(chunk)).is_err() {
            return;
        }
        match end {
            None => {}
            Some(Ok(())) => return,
            // Nobody listens any more: nobody wants to know.
            Some(Err(error)) => return drop(send.send(Err(error))),
        }
    }
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.position == self.current.len() {
            if self.ended {
                return Ok(0);
            }
            match self.chunks.recv() {
                Ok(Ok(chunk)) => {
                    let empty = std::mem::replace(&mut self.current, chunk);
                    self.position = 0;
                    // A chunk that cannot be given back is simply freed.
                    let _ = self.empties.try_send(empty);
                }
                Ok(Err(error)) => {
                    self.ended = true;
                    return Err(error);
                }
                Err(_) => self.ended = true,
            }
        }
        let count = buffer.len().min(self.current.len() - self.position);
        buffer[..count].copy_from_slice(&self.current[self.position..self.position + count]);
        self.position += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_arrives_in_order() {
        let data: Vec<u8> = (0..3_000_001u32).map(|n| (n % 251) as u8).collect();
        let mut pipe = start(Box::new(io::Cursor::new(data.clone()))).unwrap();
        let mut read = Vec::new();
        pipe.read_to_end(&mut read).unwrap();
        assert!(read == data);
    }

    #[test]
    fn errors_come_after_what_was_read_before() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let mut pipe = start(Box::new((&b"abc"[..]).chain(Broken))).unwrap();
        let mut read = Vec::new();
        assert_eq!(pipe.read_to_end(&mut read).unwrap_err().to_string(), "broken");
        assert_eq!(read, b"abc");
    }

    #[test]
    fn a_pipe_may_be_left_early() {
        let mut pipe = start(Box::new(io::repeat(7))).unwrap();
        let mut few = [0; 10];
        pipe.read_exact(&mut few).unwrap();
        drop(pipe);
    }
}
