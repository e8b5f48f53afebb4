//! Listening to the daemon's events.

use serde_json::Value;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};
use tokio_tungstenite::tungstenite::{Message, WebSocket, client};

/// How long the next event may take. A guard against hanging, not a measure.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection to `/1.0/events` or another websocket of the API.
pub struct Events {
    socket: WebSocket<UnixStream>,
}

impl Events {
    /// Connect to a path such as `/1.0/events?type=operation`.
    ///
    /// # Panics
    /// When the daemon refuses.
    #[must_use]
    #[track_caller]
    pub fn open(socket: &Path, path: &str) -> Self {
        let stream = UnixStream::connect(socket).expect("the daemon's socket");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let (socket, _) = client(format!("ws://lxd{path}"), stream)
            .unwrap_or_else(|e| panic!("no websocket at {path}: {e}"));
        Self { socket }
    }

    /// The next event.
    ///
    /// # Panics
    /// When none comes within 30 seconds or the connection ends.
    #[must_use]
    #[track_caller]
    pub fn next_event(&mut self) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < end, "no event within {PATIENCE:?}");
            match self.socket.read() {
                Ok(Message::Text(text)) => return serde_json::from_str(&text).expect("an event in JSON"),
                Ok(Message::Close(_)) => panic!("the daemon closed the event stream"),
                Ok(_) => {}
                Err(e) => panic!("no event: {e}"),
            }
        }
    }

    /// All events up to and including the first that satisfies the condition.
    ///
    /// # Panics
    /// When none does within 60 seconds.
    #[must_use]
    #[track_caller]
    pub fn until(&mut self, what: &str, mut last: impl FnMut(&Value) -> bool) -> Vec<Value> {
        let end = Instant::now() + Duration::from_secs(60);
        let mut seen = Vec::new();
        loop {
            let event = self.next_event();
            let done = last(&event);
            seen.push(event);
            if done {
                return seen;
            }
            assert!(Instant::now() < end, "no such event: {what}; seen: {seen:?}");
        }
    }

    /// The next message as it is: text or binary payload, or `None` for the end of the connection.
    pub fn next_message(&mut self) -> Option<Message> {
        match self.socket.read() {
            Ok(Message::Close(_)) | Err(_) => None,
            Ok(message) => Some(message),
        }
    }

    /// Send a binary message.
    ///
    /// # Panics
    /// When the connection has ended.
    #[track_caller]
    pub fn send_binary(&mut self, bytes: &[u8]) {
        self.socket.send(Message::binary(bytes.to_vec())).expect("an open websocket");
    }

    /// Send a text message; an empty one says that there is no more to come.
    ///
    /// # Panics
    /// When the connection has ended.
    #[track_caller]
    pub fn send_text(&mut self, text: &str) {
        self.socket.send(Message::text(text.to_owned())).expect("an open websocket");
    }
}
