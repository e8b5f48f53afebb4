//! A container's console and the websocket of its client.

use super::control::{Command, obey};
use super::reader::{End, Piece};
use super::writer::{FrameBuffer, Writer};
use super::{Connection, Reader};
use crate::operations::Sockets;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio_util::sync::CancellationToken;

/// How long a client may take to connect its stream.
const PATIENCE: Duration = Duration::from_secs(30);
/// Consoles are slow; this many bytes are sent at once.
const BUFFER: usize = 16 * 1024;

/// Why a console was not shown.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConsoleError {
    /// The client asked for a stream and did not come.
    #[error("No client connected to the console within {} seconds", PATIENCE.as_secs())]
    NobodyCame,
    /// The stream broke before it began.
    #[error("The client left before the console could be shown")]
    ClientLeft,
    /// The console cannot be had.
    #[error(transparent)]
    Attach(#[from] instance::Error),
}

/// Waits for the client, attaches to the console, and carries bytes both ways until either side
/// or the control stream ends.
///
/// # Errors
/// Nobody came; the console cannot be had.
pub(crate) async fn attend_console(
    instances: instance::instances::Instances,
    name: String,
    size: (u16, u16),
    mut sockets: Sockets,
) -> Result<(), ConsoleError> {
    let control = sockets.take("control");
    let mut data = tokio::time::timeout(PATIENCE, sockets.all())
        .await
        .map_err(|_| ConsoleError::NobodyCame)?
        .ok_or(ConsoleError::ClientLeft)?;
    let Some(Connection { mut reader, mut writer }) = data.pop() else {
        return Err(ConsoleError::ClientLeft);
    };
    let session = instances.console(&name, size.0, size.1).await?;
    let resize = session.resize;
    let (mut from, mut to) = session.stream.into_split();
    let ended = CancellationToken::new();
    let obeying = async {
        let Some(Ok(connection)) = (match control {
            Some(receiver) => Some(receiver.await),
            None => None,
        }) else {
            return std::future::pending().await;
        };
        obey(connection, &ended, |command| {
            if let Command::Resize { width, height } = command {
                resize(width, height);
            }
        })
        .await;
    };
    let mut obeying = std::pin::pin!(obeying);
    let ended_by_console = tokio::select! {
        () = show(&mut from, &mut writer) => true,
        () = type_in(&mut reader, &mut to) => false,
        () = &mut obeying => false,
    };
    ended.cancel();
    if ended_by_console && writer.barrier().await.is_ok() {
        // The client has everything; whether it hears the goodbye does not matter.
        let _ = writer.close().await;
        let _ = tokio::time::timeout(Duration::from_millis(100), obeying).await;
    }
    Ok(())
}

/// Sends what the console prints until it is gone. Returns early only when the client is gone.
async fn show(from: &mut OwnedReadHalf, writer: &mut Writer) {
    let mut buffer = FrameBuffer::with_capacity(BUFFER);
    let mut bytes = vec![0; BUFFER];
    loop {
        let sent = tokio::select! {
            read = from.read(&mut bytes) => match read {
                Ok(count @ 1..) => {
                    buffer.refill(|payload| payload.extend_from_slice(&bytes[..count]));
                    writer.binary(&mut buffer).await
                }
                _ => return,
            },
            pong = writer.ping() => writer.pong(&pong).await,
        };
        if sent.is_err() {
            return;
        }
    }
}

/// Types what the client sends until it goes. The end of its input alone does not end it.
async fn type_in(reader: &mut Reader, to: &mut OwnedWriteHalf) {
    loop {
        match reader.next().await {
            Ok(Piece::Binary(bytes)) => {
                if to.write_all(bytes).await.is_err() {
                    return;
                }
            }
            Ok(Piece::Text { .. }) => {
                let end: End = reader.discard().await;
                tracing::debug!(reason = %end, "a console's client has gone");
                return;
            }
            Err(_) => return,
        }
    }
}
