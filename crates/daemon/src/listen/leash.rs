//! A stream that can be cut from outside, whoever reads and writes it by then: websockets outlive the
//! request that they began with.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_util::sync::{CancellationToken, DropGuard, WaitForCancellationFutureOwned};

/// A stream that can be cut.
pub(super) struct Leashed<S> {
    stream: S,
    // One for each direction: those may be waited for by two tasks.
    reading: Pin<Box<WaitForCancellationFutureOwned>>,
    writing: Pin<Box<WaitForCancellationFutureOwned>>,
    _gone: DropGuard,
}

/// The other end: cuts the stream.
pub(super) struct Leash {
    /// Cuts.
    pub(super) cut: CancellationToken,
    /// Tells that there is nothing more to cut.
    pub(super) gone: CancellationToken,
}

/// Puts a stream on a leash.
pub(super) fn leash<S>(stream: S) -> (Leashed<S>, Leash) {
    let (cut, gone) = (CancellationToken::new(), CancellationToken::new());
    let wait = || Box::pin(cut.clone().cancelled_owned());
    let leashed = Leashed { stream, reading: wait(), writing: wait(), _gone: gone.clone().drop_guard() };
    (leashed, Leash { cut, gone })
}

fn is_cut(wait: &mut Pin<Box<WaitForCancellationFutureOwned>>, cx: &mut Context<'_>) -> io::Result<()> {
    match wait.as_mut().poll(cx) {
        Poll::Ready(()) => {
            Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the client is trusted no more"))
        }
        Poll::Pending => Ok(()),
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Leashed<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        is_cut(&mut self.reading, cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Leashed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        is_cut(&mut self.writing, cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        is_cut(&mut self.writing, cx)?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        is_cut(&mut self.writing, cx)?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        is_cut(&mut self.writing, cx)?;
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn what_is_cut_ends_for_who_waits_in_either_direction() {
        let (ours, mut theirs) = tokio::io::duplex(4);
        let (leashed, Leash { cut, gone }) = leash(ours);
        let (mut read, mut write) = tokio::io::split(leashed);
        theirs.write_all(b"ab").await.unwrap();
        assert_eq!(read.read_u16().await.unwrap(), 0x6162);
        let reader = tokio::spawn(async move { read.read_u8().await });
        // More than fits.
        let writer = tokio::spawn(async move { write.write_all(b"0123456789").await });
        tokio::task::yield_now().await;
        assert!(!gone.is_cancelled());
        cut.cancel();
        assert!(reader.await.unwrap().is_err());
        assert!(writer.await.unwrap().is_err());
        gone.cancelled().await;
    }
}
