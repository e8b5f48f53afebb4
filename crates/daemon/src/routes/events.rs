//! `/1.0/events`: what happens, as it happens.

use crate::events::{Hub, Listener, Topics};
use crate::streams::{Connection, Handshake};
use crate::wire::{Answer, Params, Refusal};
use axum::extract::{Request, State};
use std::time::Duration;

/// How many bytes of events are sent at once.
const BATCH: usize = 64 * 1024;
/// How long a listener may take to read what it was sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Parameters of `events`.
#[derive(serde::Deserialize)]
pub(crate) struct EventParams {
    #[serde(default, rename = "type")]
    topics: String,
}

/// `GET /1.0/events`.
pub(crate) async fn listen(
    State(hub): State<Hub>,
    Params(params): Params<EventParams>,
    request: Request,
) -> Answer {
    let topics = Topics::parse(&params.topics).map_err(|error| Refusal::bad_request(error.to_string()))?;
    let (mut request, _) = request.into_parts();
    let (handshake, response) = Handshake::accept(&mut request)?;
    // From now on, so that nothing is missed that happens after the client has its answer.
    let listener = hub.subscribe(topics);
    tokio::spawn(async move {
        if let Ok(connection) = handshake.finish().await {
            tell(listener, connection).await;
        }
    });
    Ok(response)
}

/// Sends events until the listener goes or is too slow.
async fn tell(mut listener: Listener, connection: Connection) {
    let Connection { mut reader, mut writer } = connection;
    let mut batch = Vec::new();
    let telling = async {
        loop {
            batch.clear();
            tokio::select! {
                result = listener.frames(&mut batch, BATCH) => if let Err(missed) = result {
                    tracing::warn!(reason = %missed, "a listener of events is disconnected");
                    return;
                },
                pong = writer.ping() => {
                    if writer.pong(&pong).await.is_err() {
                        return;
                    }
                    continue;
                }
            }
            if !matches!(tokio::time::timeout(PATIENCE, writer.frames(&batch)).await, Ok(Ok(()))) {
                return;
            }
            batch.shrink_to(BATCH);
        }
    };
    tokio::select! {
        () = telling => {}
        // What listeners send has no meaning; that they go has.
        _ = reader.discard() => {}
    }
}
