//! Bodies of answers that are files: read in a blocking thread, a few pieces ahead.

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// How much is read at once, in bytes.
const PIECE: usize = 512 * 1024;
/// How many pieces may wait to be sent.
const AHEAD: usize = 2;

/// Some of a body.
pub(crate) enum Segment {
    /// Bytes that are there.
    Bytes(Bytes),
    /// `length` bytes of a file, from `start`.
    File {
        /// The file.
        file: File,
        /// The first byte.
        start: u64,
        /// How many.
        length: u64,
    },
}

impl Segment {
    /// Some of it, which it has.
    pub(crate) fn part(self, from: u64, count: u64) -> Self {
        match self {
            Self::Bytes(bytes) => {
                // As much as fits into memory, as the bytes do.
                let end = usize::try_from(from.saturating_add(count)).unwrap_or(usize::MAX).min(bytes.len());
                Self::Bytes(bytes.slice(usize::try_from(from).unwrap_or(end).min(end)..end))
            }
            Self::File { file, start, .. } => Self::File { file, start: start + from, length: count },
        }
    }

    /// How many bytes it is.
    pub(crate) fn length(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { length, .. } => *length,
        }
    }
}

/// A body made of segments. Its length is known, so a file that shrinks breaks the connection
/// instead of giving the client less than it was told.
pub(crate) struct Content {
    left: u64,
    pieces: mpsc::Receiver<io::Result<Bytes>>,
}

impl Content {
    /// The body with these segments, and its length in bytes.
    pub(crate) async fn of(segments: Vec<Segment>) -> io::Result<(Body, u64)> {
        let length = segments.iter().map(Segment::length).sum();
        if length <= PIECE as u64 {
            let whole = tokio::task::spawn_blocking(move || read_whole(segments)).await??;
            return Ok((Body::from(whole), length));
        }
        let (sender, pieces) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || {
            if let Err(error) = send(segments.into(), &sender) {
                // Fails only when the client has gone, who then needs no reason.
                let _ = sender.blocking_send(Err(error));
            }
        });
        Ok((Body::new(Self { left: length, pieces }), length))
    }
}

fn read_whole(segments: Vec<Segment>) -> io::Result<Bytes> {
    let mut whole = Vec::new();
    for segment in segments {
        match segment {
            Segment::Bytes(bytes) => whole.extend_from_slice(&bytes),
            Segment::File { mut file, start, length } => {
                file.seek(SeekFrom::Start(start))?;
                read_piece(&mut file, &mut whole, length)?;
            }
        }
    }
    Ok(whole.into())
}

fn send(mut segments: VecDeque<Segment>, sender: &mpsc::Sender<io::Result<Bytes>>) -> io::Result<()> {
    while let Some(segment) = segments.pop_front() {
        match segment {
            Segment::Bytes(bytes) => {
                if sender.blocking_send(Ok(bytes)).is_err() {
                    return Ok(());
                }
            }
            Segment::File { mut file, start, mut length } => {
                file.seek(SeekFrom::Start(start))?;
                while length > 0 {
                    let piece = length.min(PIECE as u64);
                    let mut bytes = Vec::with_capacity(piece as usize);
                    read_piece(&mut file, &mut bytes, piece)?;
                    length -= piece;
                    if sender.blocking_send(Ok(bytes.into())).is_err() {
                        return Ok(());
                    }
                }
            }
        }
    }
    Ok(())
}

fn read_piece(file: &mut File, into: &mut Vec<u8>, length: u64) -> io::Result<()> {
    if file.take(length).read_to_end(into)? as u64 == length {
        Ok(())
    } else {
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read"))
    }
}

impl HttpBody for Content {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        self.pieces.poll_recv(context).map(|piece| {
            let piece = piece?;
            if let Ok(bytes) = &piece {
                self.left = self.left.saturating_sub(bytes.len() as u64);
            }
            Some(piece.map(Frame::data))
        })
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::io::Write as _;

    fn file(size: usize) -> (File, Vec<u8>) {
        let content: Vec<u8> = (0..size).map(|i| (i % 251) as u8).collect();
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&content).unwrap();
        (file, content)
    }

    async fn sent(segments: Vec<Segment>) -> (Bytes, u64) {
        let (body, length) = Content::of(segments).await.unwrap();
        (body.collect().await.unwrap().to_bytes(), length)
    }

    #[tokio::test]
    async fn small_and_large_files_and_parts_of_them() {
        for size in [0, 1, PIECE, PIECE + 1, 3 * PIECE + 7] {
            let (file, content) = file(size);
            let (bytes, length) =
                sent(vec![Segment::File { file: file.try_clone().unwrap(), start: 0, length: size as u64 }])
                    .await;
            assert_eq!(length, size as u64);
            assert!(bytes == content, "{size}");
            if size > 10 {
                let part = Segment::File { file, start: 5, length: size as u64 - 7 };
                let head = Segment::Bytes(Bytes::from_static(b"head"));
                let (bytes, _) = sent(vec![head, part]).await;
                assert_eq!(&bytes[..4], b"head");
                assert!(bytes[4..] == content[5..size - 2], "{size}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_shrank_is_an_error() {
        let (file, _) = file(PIECE + 5);
        let (body, _) =
            Content::of(vec![Segment::File { file, start: 0, length: 2 * PIECE as u64 }]).await.unwrap();
        assert!(body.collect().await.is_err());
    }
}
