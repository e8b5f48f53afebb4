//! Websockets: the upgrade, message streams (events, control) and raw data streams (exec, console).

pub(crate) mod control;
pub(crate) mod data;
mod local;

use crate::connection::{self, Pool};
use crate::{Body, Error};
use http::{HeaderValue, Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

/// A stream of whole messages.
pub(crate) type Messages = WebSocketStream<connection::Stream>;

/// Read buffer of message streams, in bytes: their messages are small.
const MESSAGE_BUFFER: usize = 8 * 1024;

/// Read buffer of streams between servers, in bytes.
const CARRIED: usize = 64 * 1024;
/// Largest message between servers, in bytes.
const LARGEST: usize = 16 * 1024 * 1024;

/// A connection that speaks the websocket protocol from here on.
#[derive(Debug)]
pub(crate) struct Upgraded {
    pub(crate) stream: connection::Stream,
    /// Bytes that came right behind the answer to the upgrade.
    pub(crate) early: Vec<u8>,
}

impl Upgraded {
    pub(crate) async fn into_messages(self) -> Messages {
        let config = WebSocketConfig::default().read_buffer_size(MESSAGE_BUFFER).write_buffer_size(0);
        WebSocketStream::from_partially_read(self.stream, self.early, Role::Client, Some(config)).await
    }
}

impl Upgraded {
    /// A stream of messages of any size that other servers send each other.
    pub(crate) async fn into_carrier(self) -> Messages {
        let config = WebSocketConfig::default()
            .read_buffer_size(CARRIED)
            .write_buffer_size(0)
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST));
        WebSocketStream::from_partially_read(self.stream, self.early, Role::Client, Some(config)).await
    }
}

/// Opens a connection of its own and turns it into a websocket.
pub(crate) async fn open(pool: &Pool, path: &str) -> Result<Upgraded, Error> {
    let stream = match pool.dial().await? {
        connection::Stream::Unix(stream) => match local::upgrade(stream, path).await {
            Some(upgraded) => return Ok(upgraded),
            // Asked again in the usual way, the daemon says what is wrong.
            None => pool.dial().await?,
        },
        other => other,
    };
    let broken = |source| Error::Exchange { method: Method::GET, path: path.to_owned(), source };
    let (mut sender, connection) = http1::handshake::<_, Body>(TokioIo::new(stream)).await.map_err(broken)?;
    let driver = tokio::spawn(connection.with_upgrades());
    let key = generate_key();
    let request = Request::builder()
        .uri(path)
        .header(header::HOST, pool.host())
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, &key)
        .body(Body::empty())
        .map_err(|source| Error::Request { method: Method::GET, path: path.to_owned(), source })?;
    let response = sender.send_request(request).await.map_err(broken)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.map_err(broken)?.to_bytes();
        driver.abort();
        return Err(match crate::query::failure(status, &body) {
            Error::Api { code: ..400, .. } => not_a_websocket(path),
            error => error,
        });
    }
    let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT).map(HeaderValue::as_bytes);
    if accepted != Some(derive_accept_key(key.as_bytes()).as_bytes()) {
        return Err(not_a_websocket(path));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(broken)?;
    match upgraded.downcast::<TokioIo<connection::Stream>>() {
        Ok(parts) => Ok(Upgraded { stream: parts.io.into_inner(), early: parts.read_buf.to_vec() }),
        Err(_) => Err(not_a_websocket(path)),
    }
}

fn not_a_websocket(path: &str) -> Error {
    Error::Unexpected { path: path.to_owned(), expected: "a websocket" }
}
