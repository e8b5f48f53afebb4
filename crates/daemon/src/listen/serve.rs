//! The loop that accepts connections on the unix socket, and HTTP on each connection.

use super::{Caller, Tidy};
use crate::routes::Gate;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixListener;

/// How long a client may take to send a request's headers.
const HEADERS: Duration = Duration::from_secs(60);
/// How long to wait when no connection can be accepted, for instance without free descriptors.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections of this host and serves each in a task of its own, for ever.
pub(crate) async fn serve(listener: UnixListener, gate: Gate, tidy: Tidy) -> Infallible {
    let accept = async || {
        let (stream, _) = listener.accept().await?;
        let peer = stream.peer_cred()?;
        Ok::<_, std::io::Error>((stream, Caller::Local { uid: peer.uid(), pid: peer.pid() }))
    };
    loop {
        match accept().await {
            Ok((stream, caller)) => {
                tracing::debug!(?caller, "connection");
                let (gate, tidy) = (gate.clone(), tidy.clone());
                let caller = move || caller.clone();
                tokio::spawn(converse(stream, gate, tidy, caller, std::future::pending()));
            }
            Err(error) => {
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// Serves the requests of one connection; who asks is found out anew for each. When `stop` comes, the
/// request that is being served is the last.
pub(super) async fn converse<S>(
    stream: S,
    gate: Gate,
    tidy: Tidy,
    caller: impl Fn() -> Caller + Send,
    stop: impl Future<Output = ()> + Send,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request: http::Request<Incoming>| {
        let (gate, caller) = (gate.clone(), caller());
        async move {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(caller);
            Ok::<_, Infallible>(gate.serve(request).await)
        }
    });
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEADERS);
    let mut serving = pin!(http.serve_connection(TokioIo::new(stream), service).with_upgrades());
    let ended = tokio::select! {
        ended = serving.as_mut() => ended,
        () = stop => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    // Clients come and go as they like.
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended");
    }
    tidy.soon();
}
