//! Lets containers in: one task for each open door, one for each connection.

use super::routes::router;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use instance::guest::{Door, Guest};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tower::ServiceExt as _;

/// How many connections a container may have at a time; more wait.
const SEATS: usize = 16;
/// How long a caller may take to send a request's headers, or to think of the next request.
const HEADERS: Duration = Duration::from_secs(10);
/// How long a connection may last that is no websocket.
const LONGEST: Duration = Duration::from_secs(120);
/// How much of a request's headers is read, in bytes.
const BUFFER: usize = 16 * 1024;
/// How long to wait when no connection can be accepted, for instance without free descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A caller's place: it is taken for as long as one of these is kept.
#[derive(Clone)]
pub(super) struct Seat {
    _permit: Arc<OwnedSemaphorePermit>,
    /// Ends when the door is closed.
    pub(super) closed: watch::Receiver<()>,
}

/// Who asks.
#[derive(Clone)]
pub(super) enum Visitor {
    /// The container's root.
    Owner(Guest),
    /// Somebody else, who learns nothing.
    Stranger,
}

/// Serves every door that is opened.
pub(crate) async fn serve_all(mut doors: UnboundedReceiver<Door>) {
    let router = router();
    while let Some(door) = doors.recv().await {
        tokio::spawn(serve(door, router.clone()));
    }
}

async fn serve(door: Door, router: Router) {
    let Door { guest, listener, mut closed } = door;
    let seats = Arc::new(Semaphore::new(SEATS));
    let until = closed.clone();
    let accepting = async {
        loop {
            // Never closed, so there is always one in the end.
            let Ok(permit) = seats.clone().acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let seat = Seat { _permit: Arc::new(permit), closed: until.clone() };
                    tokio::spawn(converse(stream, guest.clone(), seat, router.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a container's connection");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = closed.changed() => {}
    }
}

async fn converse(stream: UnixStream, guest: Guest, seat: Seat, router: Router) {
    let visitor = if guest.admits(&stream) { Visitor::Owner(guest) } else { Visitor::Stranger };
    let mut closed = seat.closed.clone();
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (router, visitor, seat) = (router.clone(), visitor.clone(), seat.clone());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(visitor);
            request.extensions_mut().insert(seat);
            let Ok(response) = router.oneshot(request).await;
            Ok::<_, Infallible>(response)
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS).max_buf_size(BUFFER);
    let conversation = http.serve_connection(TokioIo::new(stream), service).with_upgrades();
    tokio::select! {
        // Callers come and go as they like.
        _ = tokio::time::timeout(LONGEST, conversation) => {}
        _ = closed.changed() => {}
    }
}
