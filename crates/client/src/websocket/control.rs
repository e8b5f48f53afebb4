//! The control stream of a session: window size and signals.

use super::Messages;
use crate::Error;
use api::exec::Control;
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::{Message, protocol::CloseFrame, protocol::frame::coding::CloseCode};

/// How long a session lasts before its control stream is opened unasked.
const MOMENT: Duration = Duration::from_millis(20);

/// The control stream of a session.
///
/// Dropping it without [`ControlStream::close`] makes the daemon kill the command.
#[derive(Debug)]
pub struct ControlStream(State);

#[derive(Debug)]
enum State {
    /// The daemon is asked for it in a moment. A command may be over before that, and its client too.
    Opening {
        opening: JoinHandle<Result<Messages, Error>>,
        /// It is needed now.
        now: Arc<Notify>,
    },
    Open(Box<Messages>),
    /// It could not be opened, which has been said.
    Gone,
}

impl ControlStream {
    pub(crate) fn new(messages: Messages) -> Self {
        Self(State::Open(Box::new(messages)))
    }

    /// A stream that is opened when it is needed, or the session has lasted for a moment. From then on
    /// it tells the daemon whether we are there.
    pub(crate) fn opening(messages: impl Future<Output = Result<Messages, Error>> + Send + 'static) -> Self {
        let now = Arc::new(Notify::new());
        let needed = Arc::clone(&now);
        let opening = tokio::spawn(async move {
            // Its end means the same as being notified.
            let _ = tokio::time::timeout(MOMENT, needed.notified()).await;
            messages.await
        });
        Self(State::Opening { opening, now })
    }

    async fn messages(&mut self) -> Result<&mut Messages, Error> {
        if let State::Opening { opening, now } = &mut self.0 {
            now.notify_one();
            self.0 = match opening.await {
                Ok(Ok(messages)) => State::Open(Box::new(messages)),
                Ok(Err(error)) => {
                    self.0 = State::Gone;
                    return Err(error);
                }
                Err(_) => State::Gone,
            };
        }
        match &mut self.0 {
            State::Open(messages) => Ok(messages),
            State::Opening { .. } | State::Gone => {
                Err(Error::Unexpected { path: "control".to_owned(), expected: "a websocket" })
            }
        }
    }

    /// Tells the new size of the terminal.
    ///
    /// # Errors
    /// The stream is gone, as it is once the command ended.
    pub async fn resize(&mut self, width: u16, height: u16) -> Result<(), Error> {
        let args = BTreeMap::from([
            ("width".to_owned(), width.to_string()),
            ("height".to_owned(), height.to_string()),
        ]);
        self.send(&Control { command: "window-resize".to_owned(), args, signal: 0 }).await
    }

    /// Sends a signal to the command.
    ///
    /// # Errors
    /// The stream is gone, as it is once the command ended.
    pub async fn signal(&mut self, number: i32) -> Result<(), Error> {
        self.send(&Control { command: "signal".to_owned(), args: BTreeMap::new(), signal: number }).await
    }

    async fn send(&mut self, message: &Control) -> Result<(), Error> {
        let text = serde_json::to_string(message)
            .map_err(|source| Error::Encode { path: "control".to_owned(), source })?;
        self.messages()
            .await?
            .send(Message::text(text))
            .await
            .map_err(|source| Error::Websocket { stream: "control", source: Box::new(source) })
    }

    /// Returns when the daemon ended the stream.
    pub async fn ended(&mut self) {
        let Ok(messages) = self.messages().await else { return };
        while let Some(Ok(message)) = messages.next().await {
            if message.is_close() {
                return;
            }
        }
    }

    /// Ends the stream in good order, so that the command is left alone. The daemon may have
    /// ended it before.
    pub async fn close(self, reason: &str) {
        let frame = CloseFrame { code: CloseCode::Normal, reason: reason.to_owned().into() };
        match self.0 {
            State::Open(mut messages) => drop(messages.send(Message::Close(Some(frame))).await),
            // The command has ended: nobody needs the stream any more.
            State::Opening { opening, .. } => opening.abort(),
            State::Gone => {}
        }
    }
}
