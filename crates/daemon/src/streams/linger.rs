//! Ending a connection over the network so that the other end misses nothing.
//!
//! When a socket is closed that holds bytes which nobody has read, the kernel tells the other end that the
//! connection broke, and what was under way to it is lost. So our direction ends first, and what still
//! comes is read for a while.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::runtime::Handle;

/// How long the other end may take to end its direction.
const PATIENCE: Duration = Duration::from_secs(10);

/// A stream that ends gently when it is dropped.
pub(crate) struct Lingering<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(Option<S>);

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Lingering<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(Some(stream))
    }

    fn poll<T>(
        mut self: Pin<&mut Self>,
        poll: impl FnOnce(Pin<&mut S>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.0 {
            Some(stream) => poll(Pin::new(stream)),
            None => Poll::Ready(Err(io::ErrorKind::NotConnected.into())),
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> Drop for Lingering<S> {
    fn drop(&mut self) {
        // Without a runtime the daemon has ended.
        let (Some(mut stream), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        runtime.spawn(tokio::time::timeout(PATIENCE, async move {
            if stream.shutdown().await.is_ok() {
                // A connection that breaks now breaks after everything was said.
                let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
            }
        }));
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncRead for Lingering<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_read(cx, buffer))
    }
}

impl<S: AsyncRead + AsyncWrite + Send + Unpin + 'static> AsyncWrite for Lingering<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.poll(|stream| stream.poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll(|stream| stream.poll_shutdown(cx))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};

    #[tokio::test]
    async fn what_was_sent_arrives_although_something_was_not_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        client.write_all(b"nobody reads this").await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut server = Lingering::new(server);
        server.write_all(&[7; 100_000]).await.unwrap();
        drop(server);
        client.write_all(b"nor this").await.unwrap();
        let mut all = Vec::new();
        client.read_to_end(&mut all).await.unwrap();
        assert_eq!(all.len(), 100_000);
        client.write_all(b"still there").await.unwrap();
    }
}
