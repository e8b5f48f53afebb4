//! The stream of events.

use crate::{Client, Error, websocket};
use api::events::Event;
use futures_util::StreamExt as _;
use tokio_tungstenite::tungstenite::Message;

/// What events may be about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// Operations begin, progress and end.
    Operation,
    /// Lines of the daemon's log.
    Logging,
    /// Objects are made, changed and deleted.
    Lifecycle,
}

impl EventKind {
    /// The word in `type=`.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Operation => "operation",
            Self::Logging => "logging",
            Self::Lifecycle => "lifecycle",
        }
    }
}

/// Events as they happen.
#[derive(Debug)]
pub struct Events {
    stream: websocket::Messages,
}

impl Client {
    /// Listens to events of these kinds; to all that the server has when `kinds` is empty.
    ///
    /// # Errors
    /// As for every request.
    pub async fn events(&self, kinds: &[EventKind]) -> Result<Events, Error> {
        let words: Vec<_> = kinds.iter().map(|kind| kind.word()).collect();
        let path = match words.as_slice() {
            [] => "/1.0/events".to_owned(),
            words => format!("/1.0/events?type={}", words.join(",")),
        };
        Ok(Events { stream: websocket::open(&self.pool, &path).await?.into_messages().await })
    }
}

impl Events {
    /// The next event; `None` when the daemon ended the stream.
    ///
    /// # Errors
    /// The connection broke, or an event is not understood.
    pub async fn next(&mut self) -> Result<Option<Event>, Error> {
        Ok(self.next_raw().await?.map(|(event, _)| event))
    }

    /// The next event, and its JSON as it came.
    ///
    /// # Errors
    /// As [`Events::next`].
    pub async fn next_raw(&mut self) -> Result<Option<(Event, String)>, Error> {
        while let Some(message) = self.stream.next().await {
            let message =
                message.map_err(|source| Error::Websocket { stream: "events", source: Box::new(source) })?;
            match message {
                Message::Text(text) => {
                    let event = serde_json::from_str(&text)
                        .map_err(|source| Error::Decode { path: "/1.0/events".to_owned(), source })?;
                    return Ok(Some((event, text.to_string())));
                }
                Message::Close(_) => return Ok(None),
                _ => {}
            }
        }
        Ok(None)
    }
}
