//! One tree on the fs stream: what rsync says to the rsync at the other end, in binary messages. An empty
//! text message ends each direction; the next tree may follow on the same stream.

use crate::{Error, Progress, Socket, confine};
use futures_util::{SinkExt as _, StreamExt as _};
use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio_tungstenite::tungstenite::Message;
use tools::rsync::{self, Features};

/// How much is read at once, in bytes.
const PIECE: usize = 64 * 1024;

/// Sends a tree; at most `limit` bytes per second.
pub(crate) async fn send(
    socket: &mut Socket,
    tree: &Path,
    features: Features,
    limit: Option<u64>,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let (ours, theirs) = pair()?;
    let program = rsync::send(confine::sender(tree), features, limit, File::from(theirs));
    run(socket, ours, program, Count::Sent(progress)).await
}

/// Receives a tree into a directory.
pub(crate) async fn receive(
    socket: &mut Socket,
    tree: &Path,
    features: Features,
    progress: Progress<'_>,
) -> Result<(), Error> {
    let (ours, theirs) = pair()?;
    let output = theirs.try_clone().map_err(Error::Pipe)?;
    let program = rsync::receive(confine::receiver(tree), features, File::from(theirs), File::from(output));
    run(socket, ours, program, Count::Received(progress)).await
}

/// Which direction tells how far it is.
enum Count<'a> {
    Sent(Progress<'a>),
    Received(Progress<'a>),
}

fn pair() -> Result<(UnixStream, OwnedFd), Error> {
    let flags = SocketFlags::CLOEXEC;
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)
        .map_err(|errno| Error::Pipe(errno.into()))?;
    let ours = std::os::unix::net::UnixStream::from(ours);
    ours.set_nonblocking(true).map_err(Error::Pipe)?;
    Ok((UnixStream::from_std(ours).map_err(Error::Pipe)?, theirs))
}

/// Runs the program and carries its bytes until both are done. What the program says when it fails is
/// more telling than a connection that broke because of it.
async fn run(
    socket: &mut Socket,
    ours: UnixStream,
    program: impl Future<Output = Result<(), tools::RunError>>,
    count: Count<'_>,
) -> Result<(), Error> {
    let pump = pump(socket, ours, &count);
    tokio::pin!(pump, program);
    tokio::select! {
        ended = &mut program => {
            ended?;
            pump.await
        }
        carried = &mut pump => {
            carried?;
            Ok(program.await?)
        }
    }
}

/// Carries bytes both ways until both ways have ended.
async fn pump(
    socket: &mut Socket,
    local: impl AsyncRead + AsyncWrite,
    count: &Count<'_>,
) -> Result<(), Error> {
    let (mut read, mut write) = tokio::io::split(local);
    let (mut out, mut incoming) = (&mut socket.0).split();
    let failed = |source| Error::Socket { doing: "files were sent", source: Box::new(source) };
    let total = AtomicU64::new(0);
    let tell = |progress: &Progress<'_>, more: usize| {
        progress(total.fetch_add(more as u64, Ordering::Relaxed) + more as u64);
    };
    let outwards = async {
        let mut piece = vec![0; PIECE];
        loop {
            let length = match read.read(&mut piece).await {
                Ok(0) => break,
                Ok(length) => length,
                // The program has ended without reading all.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => break,
                Err(error) => return Err(Error::Pipe(error)),
            };
            out.send(Message::binary(piece[..length].to_vec())).await.map_err(failed)?;
            if let Count::Sent(progress) = count {
                tell(progress, length);
            }
        }
        out.send(Message::text("")).await.map_err(failed)
    };
    let inwards = async {
        loop {
            match incoming.next().await {
                Some(Ok(Message::Binary(bytes))) => {
                    match write.write_all(&bytes).await {
                        // Why it does not listen any more, the program says itself.
                        Err(error) if is_gone(&error) => {}
                        result => result.map_err(Error::Pipe)?,
                    }
                    if let Count::Received(progress) = count {
                        tell(progress, bytes.len());
                    }
                }
                Some(Ok(Message::Text(text))) if text.is_empty() => break,
                Some(Ok(Message::Text(_))) => {
                    return Err(Error::Unexpected { found: "text", expected: "files" });
                }
                Some(Ok(Message::Close(_))) | None => return Err(Error::Cut("files were sent")),
                Some(Ok(_)) => {}
                Some(Err(source)) => return Err(failed(source)),
            }
        }
        match write.shutdown().await {
            Err(error) if !is_gone(&error) => Err(Error::Pipe(error)),
            _ => Ok(()),
        }
    };
    tokio::try_join!(outwards, inwards).map(drop)
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset | io::ErrorKind::NotConnected
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the test sees of the local program's stream.
    async fn carry(
        peer: impl AsyncFnOnce(Socket) -> Socket,
        said: &[u8],
    ) -> (Result<(), Error>, Vec<u8>, Socket) {
        let (mut socket, other) = Socket::pair().await;
        let (local, mut program) = tokio::io::duplex(1024);
        let program = async {
            program.write_all(said).await.unwrap();
            program.shutdown().await.unwrap();
            let mut heard = Vec::new();
            let _ = program.read_to_end(&mut heard).await;
            heard
        };
        let count = Count::Sent(&|_| {});
        let (carried, heard, other) = tokio::join!(
            async {
                let carried = pump(&mut socket, local, &count).await;
                drop(socket);
                carried
            },
            program,
            peer(other)
        );
        (carried, heard, other)
    }

    #[tokio::test]
    async fn both_directions_end_with_a_barrier() {
        let (carried, heard, _) = carry(
            async |mut other: Socket| {
                other.0.send(Message::binary(vec![1, 2])).await.unwrap();
                other.0.send(Message::Ping("x".into())).await.unwrap();
                other.0.send(Message::binary(vec![])).await.unwrap();
                other.0.send(Message::binary(vec![3])).await.unwrap();
                other.0.send(Message::text("")).await.unwrap();
                let mut got = Vec::new();
                loop {
                    match other.0.next().await.unwrap().unwrap() {
                        Message::Binary(bytes) => got.extend_from_slice(&bytes),
                        Message::Text(text) => break assert!(text.is_empty()),
                        _ => {}
                    }
                }
                assert_eq!(got, b"hello");
                other
            },
            b"hello",
        )
        .await;
        carried.unwrap();
        assert_eq!(heard, [1, 2, 3]);
    }

    #[tokio::test]
    async fn a_peer_that_leaves_or_talks_is_told_apart() {
        let (carried, ..) = carry(
            async |mut other: Socket| {
                other.0.close(None).await.unwrap();
                other
            },
            b"",
        )
        .await;
        assert!(matches!(carried, Err(Error::Cut(_))), "{carried:?}");
        let (carried, ..) = carry(
            async |mut other: Socket| {
                other.0.send(Message::text("hello")).await.unwrap();
                other
            },
            b"",
        )
        .await;
        assert!(matches!(carried, Err(Error::Unexpected { .. })), "{carried:?}");
        let (carried, ..) = carry(
            async |mut other: Socket| {
                // The largest message is a little more than 4 MiB.
                let _ = other.0.send(Message::binary(vec![0; 5 << 20])).await;
                other
            },
            b"",
        )
        .await;
        assert!(matches!(carried, Err(Error::Socket { .. })), "{carried:?}");
    }
}
