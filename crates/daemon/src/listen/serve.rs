//! The loop that accepts connections, and HTTP on each of them.

use super::{Caller, Tidy};
use crate::routes::Gate;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::time::Duration;
use tokio::net::{UnixListener, UnixStream};

/// How long a client may take to send a request's headers.
const HEADERS: Duration = Duration::from_secs(60);
/// How long to wait when no connection can be accepted, for instance without free descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// A socket that clients connect to.
pub(crate) enum Listener {
    /// On this host.
    Unix(UnixListener),
}

impl Listener {
    async fn accept(&self) -> std::io::Result<(UnixStream, Caller)> {
        match self {
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let peer = stream.peer_cred()?;
                Ok((stream, Caller::Local { uid: peer.uid(), pid: peer.pid() }))
            }
        }
    }
}

/// Accepts connections and serves each in a task of its own, for ever.
pub(crate) async fn serve(listener: Listener, gate: Gate, tidy: Tidy) -> Infallible {
    loop {
        match listener.accept().await {
            Ok((stream, caller)) => {
                tracing::debug!(?caller, "connection");
                tokio::spawn(converse(stream, caller, gate.clone(), tidy.clone()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

async fn converse(stream: UnixStream, caller: Caller, gate: Gate, tidy: Tidy) {
    let service = service_fn(move |request: http::Request<Incoming>| {
        let gate = gate.clone();
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(caller);
            Ok::<_, Infallible>(gate.serve(request).await)
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    // Clients come and go as they like.
    if let Err(error) = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await {
        tracing::debug!(%error, "a connection ended");
    }
    tidy.soon();
}
