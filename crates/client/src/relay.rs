//! Two operations, on servers that cannot reach each other, whose streams meet in this program.

use crate::{Client, Error, Pending, encode_segment, websocket};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::BTreeMap;
use tokio_tungstenite::tungstenite::{self, Message};

/// The streams of a migration, in the order in which they are opened.
const STREAMS: [&str; 3] = ["control", "fs", "criu"];

impl Pending {
    /// The secrets of its streams, for operations that others connect to.
    #[must_use]
    pub fn secrets(&self) -> BTreeMap<String, String> {
        let shown = self.operation.metadata.iter().flatten();
        shown.filter_map(|(name, secret)| Some((name.clone(), secret.as_str()?.to_owned()))).collect()
    }
}

/// Opens the streams of both operations, and carries every message of one to the other, as what it is,
/// until both have closed them or one is broken.
///
/// # Errors
/// A stream cannot be opened.
pub async fn relay(one: &Pending, other: &Pending) -> Result<(), Error> {
    let (ours, theirs) = (one.secrets(), other.secrets());
    let mut pairs = Vec::new();
    for stream in STREAMS {
        if let (Some(ours), Some(theirs)) = (ours.get(stream), theirs.get(stream)) {
            pairs.push((open(one, ours).await?, open(other, theirs).await?));
        }
    }
    let carried = pairs.into_iter().map(|(one, other)| carry(one, other));
    futures_util::future::join_all(carried).await;
    Ok(())
}

async fn open(pending: &Pending, secret: &str) -> Result<websocket::Messages, Error> {
    let client: &Client = pending.client();
    let id = encode_segment(&pending.operation.id);
    let path = format!("/1.0/operations/{id}/websocket?secret={}", encode_segment(secret));
    Ok(websocket::open(&client.pool, &path).await?.into_carrier().await)
}

/// Carries messages both ways. When one side closes or breaks, the other side is closed.
async fn carry(one: websocket::Messages, other: websocket::Messages) {
    let ((one_out, one_in), (other_out, other_in)) = (one.split(), other.split());
    tokio::join!(forward(one_in, other_out), forward(other_in, one_out));
}

async fn forward(
    mut from: impl futures_util::Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
    mut to: impl futures_util::Sink<Message, Error = tungstenite::Error> + Unpin,
) {
    while let Some(Ok(message)) = from.next().await {
        let carried = match message {
            Message::Binary(_) | Message::Text(_) => to.send(message).await,
            Message::Close(_) => break,
            // Each side answers pings itself.
            _ => Ok(()),
        };
        if carried.is_err() {
            break;
        }
    }
    // Whoever is gone cannot be told.
    let _ = to.close().await;
}
