//! Requests of the sub-commands to the daemon: JSON over its unix socket, one connection each.

use api::Reply;
use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::future::Future;
use std::io;
use std::path::PathBuf;
use tokio::net::UnixStream;

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TalkError {
    /// Nobody listens.
    #[error("cannot reach the daemon at {}: is it running, and is LXD_DIR the same?", socket.display())]
    Connect {
        /// Where.
        socket: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The connection broke.
    #[error("the daemon did not answer {method} {path}")]
    Broken {
        /// What was asked.
        method: Method,
        /// Of what.
        path: String,
        /// Why.
        source: hyper::Error,
    },
    /// The request cannot be written.
    #[error("'{path}' cannot be asked for")]
    Request {
        /// Of what.
        path: String,
        /// Why.
        source: http::Error,
    },
    /// The answer is not what this API sends.
    #[error("the daemon's answer to {method} {path} is not understood")]
    Answer {
        /// What was asked.
        method: Method,
        /// Of what.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The daemon said no.
    #[error("{text}")]
    Refused {
        /// HTTP's code.
        code: u16,
        /// Its reason.
        text: String,
    },
}

impl TalkError {
    /// Whether the daemon said that there is no such thing.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { code: 404, .. })
    }
}

/// A daemon.
pub(crate) struct Daemon {
    socket: PathBuf,
}

impl Daemon {
    /// The daemon that listens there.
    pub(crate) fn at(socket: PathBuf) -> Self {
        Self { socket }
    }

    /// The daemon's directory, which its socket is in.
    pub(crate) fn var(&self) -> PathBuf {
        self.socket.parent().map(std::path::Path::to_owned).unwrap_or_default()
    }

    /// Asks, and returns the answer's `metadata`.
    ///
    /// # Errors
    /// There is no daemon, or it says no.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, TalkError> {
        let (answer, _) = self.converse(method, path, body).await?;
        Ok(answer)
    }

    /// Asks; returns the answer's `metadata`, and what comes when the daemon closes the connection.
    ///
    /// # Errors
    /// There is no daemon, or it says no.
    pub(crate) async fn converse(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(Value, impl Future<Output = ()> + use<>), TalkError> {
        let connect = |source| TalkError::Connect { socket: self.socket.clone(), source };
        let broken = |source| TalkError::Broken { method: method.clone(), path: path.to_owned(), source };
        let stream = UnixStream::connect(&self.socket).await.map_err(connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        let connection = tokio::spawn(connection);
        let bytes = body.map(|value| Bytes::from(value.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(&method)
            .uri(path)
            .header(header::HOST, "lxd")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(bytes))
            .map_err(|source| TalkError::Request { path: path.to_owned(), source })?;
        let response = sender.send_request(request).await.map_err(broken)?;
        let bytes = response.into_body().collect().await.map_err(broken)?.to_bytes();
        let reply: Reply = serde_json::from_slice(&bytes).map_err(|source| TalkError::Answer {
            method: method.clone(),
            path: path.to_owned(),
            source,
        })?;
        if reply.kind == "error" {
            return Err(TalkError::Refused { code: reply.error_code, text: reply.error });
        }
        let closed = async move {
            // The connection ends when the daemon closes it, not because nobody will ask again.
            let _ = connection.await;
            drop(sender);
        };
        Ok((reply.metadata, closed))
    }
}
