//! Everything that can go wrong between a caller and a daemon.

use crate::Address;
use simplestreams::StreamsError;
use std::io;
use std::path::PathBuf;
use transport::dial::DialError;
use transport::get::GetError;

/// A request, stream or operation that failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Nobody answers at the address.
    #[error("cannot connect to the daemon at {address} (is it running, and may you use its socket?)")]
    Connect {
        /// What was dialled.
        address: Address,
        /// Why it failed.
        source: io::Error,
    },
    /// A server across the network cannot be reached, or is not to be trusted.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// What an image server lists cannot be read.
    #[error(transparent)]
    Streams(#[from] StreamsError),
    /// A file of an image server cannot be fetched.
    #[error(transparent)]
    Get(#[from] GetError),
    /// A file is not what the image server's list says.
    #[error("{url} is another file than the image server's list says (wrong size or SHA-256)")]
    OtherFile {
        /// Which.
        url: String,
    },
    /// Nobody but programs on its own host reaches the server.
    #[error(
        "the server at {address} does not listen on the network, so that no other server can fetch from it; let it with: lxc config set core.https_address :8443"
    )]
    NotListening {
        /// How we reach it.
        address: Address,
    },
    /// The daemon answered with an error.
    #[error("{message}")]
    Api {
        /// HTTP status, such as 404.
        code: u16,
        /// The daemon's own sentence.
        message: String,
    },
    /// An operation ended badly.
    #[error("{message}")]
    Operation {
        /// Its `err`.
        message: String,
        /// True when it was cancelled.
        cancelled: bool,
    },
    /// The connection broke in the middle of an exchange.
    #[error("{method} {path}: the connection to the daemon broke")]
    Exchange {
        /// HTTP method.
        method: http::Method,
        /// Path and query.
        path: String,
        /// What hyper says.
        source: hyper::Error,
    },
    /// A request that cannot be written down, such as a header value with a newline.
    #[error("{method} {path}: the request cannot be sent")]
    Request {
        /// HTTP method.
        method: http::Method,
        /// Path and query.
        path: String,
        /// What is wrong with it.
        source: http::Error,
    },
    /// An answer that is no JSON, or not of the expected shape.
    #[error("{path}: the daemon's answer is not understood")]
    Decode {
        /// Path and query.
        path: String,
        /// Where the JSON goes wrong.
        source: serde_json::Error,
    },
    /// An answer that no server gives which is well.
    #[error("{path}: the answer is longer than {} MiB, and more is not kept in memory", limit >> 20)]
    TooLong {
        /// Path and query.
        path: String,
        /// The most that is kept, in bytes.
        limit: usize,
    },
    /// A value of ours that JSON cannot hold.
    #[error("{path}: the request cannot be written as JSON")]
    Encode {
        /// Path and query.
        path: String,
        /// Why.
        source: serde_json::Error,
    },
    /// The daemon answered with another kind of answer than the request has.
    #[error("{path}: expected {expected} from the daemon")]
    Unexpected {
        /// Path and query.
        path: String,
        /// What should have come.
        expected: &'static str,
    },
    /// A websocket message could not be sent or received.
    #[error("the {stream} stream broke")]
    Websocket {
        /// Which stream.
        stream: &'static str,
        /// What tungstenite says.
        source: Box<tokio_tungstenite::tungstenite::Error>,
    },
    /// A local file could not be read or written.
    #[error("{path}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A body could not be passed on.
    #[error("{what}")]
    Transfer {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        source: io::Error,
    },
}

impl Error {
    /// The HTTP code, when the daemon gave one.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self {
            Self::Api { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// True for "no such object".
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.code() == Some(404)
    }
}
