//! The control stream: whole messages of bounded size.

use crate::message::{MigrationControl, MigrationHeader};
use crate::{Error, Socket};
use futures_util::{SinkExt as _, StreamExt as _};
use prost::Message as _;
use tokio_tungstenite::tungstenite::Message;

/// Largest message, in bytes: a header with thousands of snapshots.
const LARGEST: usize = 4 * 1024 * 1024;
/// Longest reason for a failure that is shown, in characters.
const REASON: usize = 1000;

/// Sends a message.
pub(crate) async fn send(socket: &mut Socket, message: &impl prost::Message) -> Result<(), Error> {
    let sent = socket.0.send(Message::binary(message.encode_to_vec())).await;
    sent.map_err(|source| Error::Socket { doing: "a message was sent", source: Box::new(source) })
}

/// The bytes of the next message. Nothing is lost when the future is dropped.
async fn next(socket: &mut Socket, waiting: &'static str) -> Result<Vec<u8>, Error> {
    loop {
        match socket.0.next().await {
            Some(Ok(Message::Binary(bytes))) if bytes.len() <= LARGEST => return Ok(bytes.to_vec()),
            Some(Ok(Message::Binary(_))) => {
                return Err(Error::Unexpected { found: "too much", expected: "a message" });
            }
            Some(Ok(Message::Text(_))) => {
                return Err(Error::Unexpected { found: "text", expected: "a message" });
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Err(Error::Cut(waiting)),
            Some(Err(source)) => return Err(Error::Socket { doing: waiting, source: Box::new(source) }),
        }
    }
}

/// The next header, or the reason why there will be none.
pub(crate) async fn header(socket: &mut Socket, waiting: &'static str) -> Result<MigrationHeader, Error> {
    let bytes = next(socket, waiting).await?;
    // Both messages begin with a number in field 1; only a failure has a text in field 2.
    if let Ok(MigrationControl { success: false, message: Some(reason) }) =
        MigrationControl::decode(&bytes[..])
    {
        return Err(failure(&reason));
    }
    MigrationHeader::decode(&bytes[..]).map_err(Error::Garbage)
}

/// How it ended at the other side. A failure is an error.
pub(crate) async fn outcome(socket: &mut Socket, waiting: &'static str) -> Result<(), Error> {
    let bytes = next(socket, waiting).await?;
    let control = MigrationControl::decode(&bytes[..]).map_err(Error::Garbage)?;
    if control.success { Ok(()) } else { Err(failure(control.message())) }
}

fn failure(reason: &str) -> Error {
    let reason: String = reason.chars().filter(|c| !c.is_control()).take(REASON).collect();
    Error::Peer(if reason.is_empty() { "it failed".to_owned() } else { reason })
}

/// Tells the other side that it is over, and says goodbye. Whoever is gone is not told.
pub(crate) async fn fail(socket: &mut Socket, reason: &str) {
    let control = MigrationControl { success: false, message: Some(reason.to_owned()) };
    if send(socket, &control).await.is_ok() {
        let _ = socket.0.close(None).await;
    }
}
