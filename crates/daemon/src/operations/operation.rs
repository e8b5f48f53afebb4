//! One operation: its object as clients see it, which changes in one place.

use super::{Resources, Seats, Token};
use crate::events::Hub;
use api::{StatusCode, Time};
use serde_json::{Map, Value};
use std::sync::Arc;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Why an operation was not cancelled.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum CancelError {
    /// It is over, or being cancelled.
    #[error("Only running operations can be cancelled")]
    NotRunning,
    /// It cannot be stopped half-way.
    #[error("This operation can't be cancelled")]
    NotCancellable,
}

/// What an operation holds for clients to take.
pub(crate) enum Holding {
    /// Nothing: it works by itself.
    Nothing,
    /// Streams, each for one secret.
    Streams(Seats),
    /// A secret that lets its bearer in.
    Token(Token),
}

impl Holding {
    fn class(&self) -> &'static str {
        match self {
            Self::Nothing => "task",
            Self::Streams(_) => "websocket",
            Self::Token(_) => "token",
        }
    }
}

/// One operation.
pub(crate) struct Operation {
    id: String,
    object: watch::Sender<Arc<api::operations::Operation>>,
    hub: Hub,
    cancel: CancellationToken,
    holding: Holding,
}

impl Operation {
    /// A pending operation; everybody is told of it.
    pub(crate) fn new(
        hub: Hub,
        description: &str,
        resources: Resources,
        may_cancel: bool,
        holding: Holding,
    ) -> Self {
        let id = uuid::Uuid::new_v4().to_string();
        let now = Time::now();
        let object = api::operations::Operation {
            id: id.clone(),
            class: holding.class().to_owned(),
            description: description.to_owned(),
            created_at: now,
            updated_at: now,
            status: StatusCode::Pending.text().to_owned(),
            status_code: StatusCode::Pending,
            resources,
            metadata: None,
            may_cancel,
            err: String::new(),
            location: "none".to_owned(),
        };
        hub.operation(&object);
        let object = watch::Sender::new(Arc::new(object));
        Self { id, object, hub, cancel: CancellationToken::new(), holding }
    }

    /// Its id.
    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("/1.0/operations/{}", self.id)
    }

    /// As everybody may see it.
    pub(crate) fn view(&self) -> Arc<api::operations::Operation> {
        self.object.borrow().clone()
    }

    /// As the client that asked for it sees it: with its secrets.
    pub(crate) fn view_of_creator(&self) -> Arc<api::operations::Operation> {
        let mut object = self.view();
        let secrets = match &self.holding {
            Holding::Nothing => return object,
            Holding::Streams(seats) => seats.reveal(),
            Holding::Token(token) => token.reveal(),
        };
        Arc::make_mut(&mut object).metadata = Some(secrets);
        object
    }

    /// The streams that clients can take.
    pub(crate) fn seats(&self) -> Option<&Seats> {
        match &self.holding {
            Holding::Streams(seats) => Some(seats),
            _ => None,
        }
    }

    /// The secret that lets its bearer in.
    pub(crate) fn token(&self) -> Option<&Token> {
        match &self.holding {
            Holding::Token(token) => Some(token),
            _ => None,
        }
    }

    /// Work has begun.
    pub(crate) fn started(&self) {
        self.change(|object| set_status(object, StatusCode::Running));
    }

    /// Replaces what the work tells about itself.
    pub(crate) fn report(&self, metadata: Map<String, Value>) {
        self.change(|object| object.metadata = Some(metadata));
    }

    /// The work has ended.
    pub(crate) fn ended(&self, result: Result<Option<Map<String, Value>>, String>) {
        self.change(|object| match result {
            Ok(metadata) => {
                if metadata.is_some() {
                    object.metadata = metadata;
                }
                set_status(object, StatusCode::Success);
            }
            Err(story) => {
                object.err = story;
                set_status(object, StatusCode::Failure);
            }
        });
    }

    /// The work was given up and undone.
    pub(crate) fn cancelled(&self) {
        self.change(|object| set_status(object, StatusCode::Cancelled));
    }

    /// Asks the work to give up.
    ///
    /// # Errors
    /// It is over, or cannot.
    pub(crate) fn cancel(&self) -> Result<(), CancelError> {
        let mut result = Ok(());
        self.change(|object| {
            if object.status_code != StatusCode::Running {
                result = Err(CancelError::NotRunning);
            } else if object.may_cancel {
                set_status(object, StatusCode::Cancelling);
            } else {
                result = Err(CancelError::NotCancellable);
            }
        });
        if self.view().status_code.is_final() {
            return Err(CancelError::NotRunning);
        }
        result?;
        self.cancel.cancel();
        Ok(())
    }

    /// Comes when the work is to give up.
    pub(crate) async fn cancel_asked(&self) {
        self.cancel.cancelled().await;
    }

    /// Waits for the end.
    pub(crate) async fn wait(&self) -> Arc<api::operations::Operation> {
        let mut receiver = self.object.subscribe();
        // The sender lives in `self`, so there is always an answer.
        match receiver.wait_for(|object| object.status_code.is_final()).await {
            Ok(object) => object.clone(),
            Err(_) => self.view(),
        }
    }

    /// The one place where an operation changes: nothing after its end, and everybody is told, in order.
    fn change(&self, change: impl FnOnce(&mut api::operations::Operation)) {
        self.object.send_if_modified(|object| {
            if object.status_code.is_final() {
                return false;
            }
            let object = Arc::make_mut(object);
            change(object);
            object.updated_at = Time::now();
            self.hub.operation(object);
            true
        });
    }
}

fn set_status(object: &mut api::operations::Operation, status: StatusCode) {
    object.status_code = status;
    object.status = status.text().to_owned();
}
