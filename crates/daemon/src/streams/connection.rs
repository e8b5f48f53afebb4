//! From an HTTP request to a websocket: the handshake (RFC 6455 §4.2), and the two halves.

use super::linger::Lingering;
use super::{Reader, Writer};
use crate::wire::Refusal;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

/// Pings that wait for their pongs at most.
const PONGS: usize = 4;
/// What the kernel may hold of what we sent, in bytes; the default of 208 KiB stalls fast streams.
const SEND_BUFFER: usize = 1024 * 1024;

/// A websocket.
pub(crate) struct Connection {
    /// From the client.
    pub(crate) reader: Reader,
    /// To the client.
    pub(crate) writer: Writer,
}

impl Connection {
    /// As a stream of a migration, whose messages are read by another protocol.
    pub(crate) async fn into_socket(self) -> migration::Socket {
        let (read, early) = self.reader.into_io();
        migration::Socket::accepted(Box::new(tokio::io::join(read, self.writer.into_io())), early).await
    }

    /// A websocket on a unix stream, after the handshake and the bytes `early` that followed it.
    pub(crate) fn unix(stream: UnixStream, early: &[u8]) -> Self {
        // Only makes it faster: without the right to do it things work as well.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size_force(&stream, SEND_BUFFER);
        let (read, write) = stream.into_split();
        let (sender, receiver) = mpsc::channel(PONGS);
        Self {
            reader: Reader::new(Box::new(read), early, sender),
            writer: Writer::new(Box::new(write), receiver),
        }
    }

    /// A websocket on any other stream, after the handshake.
    pub(crate) fn other(stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        let (read, write) = tokio::io::split(Lingering::new(stream));
        let (sender, receiver) = mpsc::channel(PONGS);
        Self {
            reader: Reader::new(Box::new(read), &[], sender),
            writer: Writer::new(Box::new(write), receiver),
        }
    }
}

/// A handshake that was answered; the connection follows.
pub(crate) struct Handshake {
    upgrade: OnUpgrade,
}

/// Why an accepted handshake did not become a websocket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpgradeError {
    /// The client left.
    #[error("the client left before the stream was set up")]
    Gone(#[source] hyper::Error),
}

impl Handshake {
    /// Checks a request for a websocket and makes the answer to it.
    ///
    /// # Errors
    /// It does not ask for a websocket, version 13.
    pub(crate) fn accept(request: &mut http::request::Parts) -> Result<(Self, Response), Refusal> {
        let key = key(&request.headers)?;
        let Some(upgrade) = request.extensions.remove::<OnUpgrade>() else {
            return Err(Refusal::bad_request("This connection cannot become a websocket"));
        };
        let accept = HeaderValue::from_str(&derive_accept_key(key)).map_err(Refusal::unexpected)?;
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        let headers = response.headers_mut();
        headers.insert(header::CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
        Ok((Self { upgrade }, response))
    }

    /// The websocket, once the answer has been sent.
    ///
    /// # Errors
    /// The client left.
    pub(crate) async fn finish(self) -> Result<Connection, UpgradeError> {
        let upgraded: Upgraded = self.upgrade.await.map_err(UpgradeError::Gone)?;
        Ok(match upgraded.downcast::<TokioIo<UnixStream>>() {
            Ok(parts) => Connection::unix(parts.io.into_inner(), &parts.read_buf),
            Err(other) => Connection::other(TokioIo::new(other)),
        })
    }
}

fn key(headers: &HeaderMap) -> Result<&[u8], Refusal> {
    let lists = |name, word: &str| {
        headers
            .get_all(name)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .any(|value| value.split(',').any(|entry| entry.trim().eq_ignore_ascii_case(word)))
    };
    if !lists(header::CONNECTION, "upgrade") || !lists(header::UPGRADE, "websocket") {
        return Err(Refusal::bad_request("This URL is for websockets: ask for an upgrade of the connection"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::bad_request("Only version 13 of the websocket protocol is spoken here"));
    }
    headers
        .get(header::SEC_WEBSOCKET_KEY)
        .map(HeaderValue::as_bytes)
        .ok_or_else(|| Refusal::bad_request("The websocket handshake has no key"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(headers: &[(&str, &str)]) -> http::request::Parts {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn what_is_not_a_websocket_is_refused() {
        let good = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "WebSocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        assert_eq!(key(&request(&good).headers).unwrap(), b"dGhlIHNhbXBsZSBub25jZQ==");
        for missing in 0..good.len() {
            let mut headers = good.to_vec();
            headers.remove(missing);
            assert!(key(&request(&headers).headers).is_err(), "{missing}");
        }
    }
}
