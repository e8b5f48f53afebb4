//! From a websocket to a pipe or terminal.

use super::Connection;
use super::reader::{End, Piece, Reader};
use std::io;
use std::os::fd::OwnedFd;
use tokio::net::unix::pipe::Sender;
use tokio_util::sync::CancellationToken;

/// Hands a client's bytes to a program's standard input. The pipe is closed when the client ends
/// its direction or goes; the websocket is closed when the program has ended.
pub(crate) async fn receive_pipe(pipe: OwnedFd, connection: Connection, ended: CancellationToken) {
    let Connection { mut reader, mut writer } = connection;
    let typing = async {
        if let Ok(pipe) = Sender::from_owned_fd(pipe) {
            while let Ok(true) = forward(&mut reader, &pipe).await {}
        }
        // The pipe is closed; pings are answered until the program has ended.
        std::future::pending::<()>().await;
    };
    let answering = async {
        loop {
            let pong = writer.ping().await;
            if writer.pong(&pong).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    };
    tokio::select! {
        biased;
        () = ended.cancelled() => {}
        () = typing => {}
        () = answering => {}
    }
    // The program has ended, so nobody waits for what follows.
    let _ = writer.close().await;
}

/// Forwards one piece; when the future is dropped, some of it may be lost. `Ok(false)`: this
/// direction has ended in good order, or the program does not want more.
///
/// # Errors
/// The client closed the stream or is gone.
pub(crate) async fn forward(reader: &mut Reader, sink: &Sender) -> Result<bool, End> {
    match reader.next().await? {
        Piece::Binary(bytes) => Ok(write_all(sink, bytes).await.is_ok()),
        Piece::Text { .. } => Ok(false),
    }
}

async fn write_all(sink: &Sender, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        sink.writable().await?;
        match sink.try_write(bytes) {
            Ok(count) => bytes = &bytes[count..],
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
