//! The streams of an operation: seats that clients take with secrets, and who waits for them.

use super::Secret;
use crate::streams::Connection;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// One stream, until somebody takes it.
struct Seat {
    name: &'static str,
    secret: Secret,
    sender: Option<oneshot::Sender<Connection>>,
}

/// The clients' side: each secret opens one stream once.
pub(crate) struct Seats {
    seats: Mutex<Vec<Seat>>,
    show: Show,
}

/// How the secrets are shown to whoever asked for the streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Show {
    /// Below `fds`, as streams of programs.
    Fds,
    /// Each by itself, as streams of a migration.
    Names,
}

/// The operation's side: streams that will be connected, by name.
pub(crate) struct Sockets(Vec<(&'static str, oneshot::Receiver<Connection>)>);

impl Seats {
    /// Makes streams with these names.
    ///
    /// # Errors
    /// There is no randomness for secrets.
    pub(crate) fn new(names: &[&'static str], show: Show) -> std::io::Result<(Self, Sockets)> {
        let (mut seats, mut sockets) = (Vec::new(), Vec::new());
        for &name in names {
            let (sender, receiver) = oneshot::channel();
            seats.push(Seat { name, secret: Secret::random()?, sender: Some(sender) });
            sockets.push((name, receiver));
        }
        Ok((Self { seats: Mutex::new(seats), show }, Sockets(sockets)))
    }

    /// Takes the stream that a secret opens; `None` for a secret that is wrong or used.
    pub(crate) fn take(&self, secret: &str) -> Option<oneshot::Sender<Connection>> {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        // All are compared, so that the time does not tell which one it was.
        let found = seats
            .iter_mut()
            .fold(None, |found, seat| if seat.secret.is(secret) { Some(seat) } else { found });
        found?.sender.take()
    }

    /// What the client that asked for the streams is told, and nobody else.
    pub(crate) fn reveal(&self) -> serde_json::Map<String, serde_json::Value> {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let names = seats.iter().map(|seat| (seat.name.to_owned(), seat.secret.reveal().into())).collect();
        match self.show {
            Show::Names => names,
            Show::Fds => serde_json::Map::from_iter([("fds".to_owned(), serde_json::Value::Object(names))]),
        }
    }
}

impl Sockets {
    /// Takes one stream out, to wait for it apart.
    pub(crate) fn take(&mut self, name: &str) -> Option<oneshot::Receiver<Connection>> {
        let position = self.0.iter().position(|(other, _)| *other == name)?;
        Some(self.0.remove(position).1)
    }

    /// Waits until all streams are connected, in the order of their names. `None` when one cannot
    /// be connected any more.
    pub(crate) async fn all(self) -> Option<Vec<Connection>> {
        let mut connections = Vec::with_capacity(self.0.len());
        for (_, receiver) in self.0 {
            connections.push(receiver.await.ok()?);
        }
        Some(connections)
    }
}
