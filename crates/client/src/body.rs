//! Bodies of requests: nothing, bytes, or what a thread reads ahead from files.

use crate::Download;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use std::io::{self, Read};
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// Bytes read from a file at a time.
const CHUNK: usize = 512 * 1024;
/// Pieces read ahead of the socket.
const AHEAD: usize = 4;

/// The body of a request.
#[derive(Debug)]
pub struct Body(Inner);

#[derive(Debug)]
enum Inner {
    Full(Option<Bytes>),
    Pieces { receiver: mpsc::Receiver<io::Result<Bytes>>, length: Option<u64> },
}

impl Body {
    /// No body.
    #[must_use]
    pub fn empty() -> Self {
        Self(Inner::Full(None))
    }

    /// These bytes.
    #[must_use]
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        Self(Inner::Full((!bytes.is_empty()).then_some(bytes)))
    }

    /// All that `reader` gives, read on a thread of its own, so that reading and sending overlap.
    /// With `length` the request carries a `Content-Length`; the reader must then give exactly that.
    pub fn reader(reader: impl Read + Send + 'static, length: Option<u64>) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        tokio::task::spawn_blocking(move || read_ahead(reader, length, &sender));
        Self(Inner::Pieces { receiver, length })
    }
}

impl Body {
    /// All that another server sends. `progress` hears the length of each piece.
    pub(crate) fn download(mut from: Download, mut progress: impl FnMut(u64) + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let length = from.length();
        tokio::spawn(async move {
            loop {
                let piece = match from.piece().await {
                    Ok(Some(piece)) => Ok(piece),
                    Ok(None) => return,
                    Err(error) => Err(io::Error::other(error)),
                };
                let broken = piece.is_err();
                if let Ok(piece) = &piece {
                    progress(piece.len() as u64);
                }
                // Whoever reads has gone.
                if sender.send(piece).await.is_err() || broken {
                    return;
                }
            }
        });
        Self(Inner::Pieces { receiver, length })
    }
}

fn read_ahead(mut reader: impl Read, length: Option<u64>, sender: &mpsc::Sender<io::Result<Bytes>>) {
    let mut left = length;
    loop {
        let want = left.map_or(CHUNK as u64, |left| left.min(CHUNK as u64));
        if want == 0 {
            return;
        }
        // `read_to_end` fills spare capacity without clearing it first.
        let mut piece = Vec::with_capacity(usize::try_from(want).unwrap_or(CHUNK));
        match reader.by_ref().take(want).read_to_end(&mut piece) {
            Ok(0) if left.is_some() => {
                let short =
                    io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was read");
                let _ = sender.blocking_send(Err(short));
                return;
            }
            Ok(0) => return,
            Ok(count) => {
                left = left.map(|left| left.saturating_sub(count as u64));
                if sender.blocking_send(Ok(Bytes::from(piece))).is_err() {
                    return;
                }
            }
            Err(error) => {
                let _ = sender.blocking_send(Err(error));
                return;
            }
        }
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        match &mut self.get_mut().0 {
            Inner::Full(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Inner::Pieces { receiver, .. } => {
                receiver.poll_recv(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.0, Inner::Full(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64)),
            Inner::Pieces { length: Some(length), .. } => SizeHint::with_exact(*length),
            Inner::Pieces { length: None, .. } => SizeHint::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_reader_is_passed_on_whole() {
        let data: Vec<u8> = (0..CHUNK * 2 + 17).map(|i| (i % 251) as u8).collect();
        let body = Body::reader(io::Cursor::new(data.clone()), Some(data.len() as u64));
        assert_eq!(body.collect().await.unwrap().to_bytes(), data);
        let body = Body::reader(io::Cursor::new(data.clone()), None);
        assert_eq!(body.collect().await.unwrap().to_bytes(), data);
    }

    #[tokio::test]
    async fn a_file_that_shrinks_fails_the_request() {
        let body = Body::reader(io::Cursor::new(vec![1; 10]), Some(11));
        let error = body.collect().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
