//! `/1.0/events` inside: what changes about the container, as it changes.

use super::routes::refusal;
use super::serve::Seat;
use crate::streams::{Connection, Handshake, Opcode, server_frame};
use api::guest::Event;
use axum::extract::{Extension, Query, Request};
use axum::response::Response;
use http::StatusCode;
use instance::guest::Guest;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

/// How long a listener may take to read what it was sent.
const PATIENCE: Duration = Duration::from_secs(30);

/// Parameters of `events`.
#[derive(serde::Deserialize)]
pub(super) struct EventParams {
    #[serde(default, rename = "type")]
    kinds: String,
}

/// `GET /1.0/events`: a websocket. Types that there are not match nothing.
pub(super) async fn listen(
    Extension(guest): Extension<Guest>,
    Extension(seat): Extension<Seat>,
    Query(params): Query<EventParams>,
    request: Request,
) -> Response {
    let (mut request, _) = request.into_parts();
    let (handshake, response) = match Handshake::accept(&mut request) {
        Ok(accepted) => accepted,
        Err(_) => return refusal(StatusCode::BAD_REQUEST, "this is for websockets"),
    };
    // From now on, so that nothing is missed that happens after the caller has its answer.
    let news = guest.listen();
    tokio::spawn(async move {
        let mut closed = seat.closed.clone();
        let telling = async {
            if let Ok(connection) = handshake.finish().await {
                tell(news, &params.kinds, connection).await;
            }
        };
        tokio::select! {
            () = telling => {}
            _ = closed.changed() => {}
        }
    });
    response
}

/// Sends events until the listener goes or is too slow.
async fn tell(mut news: Receiver<Arc<Event>>, kinds: &str, connection: Connection) {
    let wanted = |event: &Event| kinds.is_empty() || kinds.split(',').any(|kind| kind == event.news.kind());
    let Connection { mut reader, mut writer } = connection;
    let telling = async {
        loop {
            let sent = tokio::select! {
                event = news.recv() => {
                    // None: too far behind.
                    let Some(event) = event else { return };
                    let Some(text) = wanted(&event).then(|| serde_json::to_vec(&*event).ok()).flatten() else {
                        continue;
                    };
                    let frame = server_frame(Opcode::Text, &text);
                    tokio::time::timeout(PATIENCE, writer.frames(&frame)).await
                }
                pong = writer.ping() => tokio::time::timeout(PATIENCE, writer.pong(&pong)).await,
            };
            if !matches!(sent, Ok(Ok(()))) {
                return;
            }
        }
    };
    tokio::select! {
        () = telling => {}
        // What listeners send has no meaning; that they go has.
        _ = reader.discard() => {}
    }
}
