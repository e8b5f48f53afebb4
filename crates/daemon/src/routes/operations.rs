//! `/1.0/operations`: work in the background, and the streams of programs.

use super::lists::ListParams;
use crate::operations::{CancelError, Operation, Operations};
use crate::streams::Handshake;
use crate::wire::{Answer, Params, Path, Recursion, Refusal, done, sync};
use axum::extract::{Request, State};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

fn find(operations: &Operations, id: &str) -> Result<Arc<Operation>, Refusal> {
    operations.get(id).ok_or_else(Refusal::not_found)
}

/// `GET` of the list: by status.
pub(crate) async fn list(State(operations): State<Operations>, Params(params): Params<ListParams>) -> Answer {
    let mut lists: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for operation in operations.list() {
        let entry = if params.recursion == Recursion::Urls {
            Value::from(format!("/1.0/operations/{}", operation.id))
        } else {
            serde_json::to_value(&*operation).map_err(Refusal::unexpected)?
        };
        lists.entry(operation.status.to_lowercase()).or_default().push(entry);
    }
    sync(&lists)
}

/// `GET` of one.
pub(crate) async fn get(State(operations): State<Operations>, Path(id): Path<String>) -> Answer {
    sync(&*find(&operations, &id)?.view())
}

/// `DELETE` of one: cancel it.
pub(crate) async fn cancel(State(operations): State<Operations>, Path(id): Path<String>) -> Answer {
    find(&operations, &id)?.cancel().map_err(|error: CancelError| Refusal::bad_request(error.to_string()))?;
    done()
}

/// Parameters of `wait`.
#[derive(serde::Deserialize)]
pub(crate) struct WaitParams {
    /// Seconds; below zero: as long as it takes.
    #[serde(default = "for_ever")]
    timeout: i64,
}

fn for_ever() -> i64 {
    -1
}

/// `GET …/wait`: the operation at its end, or as it is when the time is over.
pub(crate) async fn wait(
    State(operations): State<Operations>,
    Path(id): Path<String>,
    Params(params): Params<WaitParams>,
) -> Answer {
    let operation = find(&operations, &id)?;
    let object = match u64::try_from(params.timeout) {
        Err(_) => operation.wait().await,
        Ok(0) => operation.view(),
        Ok(seconds) => tokio::time::timeout(Duration::from_secs(seconds), operation.wait())
            .await
            .unwrap_or_else(|_| operation.view()),
    };
    sync(&*object)
}

/// Parameters of `websocket`.
#[derive(serde::Deserialize)]
pub(crate) struct WebsocketParams {
    #[serde(default)]
    secret: String,
}

/// `GET …/websocket`: take one stream of an operation.
pub(crate) async fn websocket(
    State(operations): State<Operations>,
    Path(id): Path<String>,
    Params(params): Params<WebsocketParams>,
    request: Request,
) -> Answer {
    let operation = find(&operations, &id)?;
    if params.secret.is_empty() {
        return Err(Refusal::internal("missing secret"));
    }
    let Some(seats) = operation.seats() else {
        return Err(Refusal::internal("This operation has no streams"));
    };
    if operation.view().status_code.is_final() {
        return Err(Refusal::internal("This operation is over"));
    }
    let (mut request, _) = request.into_parts();
    let (handshake, response) = Handshake::accept(&mut request)?;
    let seat = seats.take(&params.secret).ok_or_else(Refusal::forbidden)?;
    tokio::spawn(async move {
        match handshake.finish().await {
            // Nobody waits for it any more when the operation has just ended.
            Ok(connection) => drop(seat.send(connection)),
            Err(error) => tracing::debug!(operation = operation.id(), %error, "a stream did not come about"),
        }
    });
    Ok(response)
}
