//! What can go wrong while a container moves.

use std::io;

/// Why a container was not moved.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The other side says so.
    #[error("the other server says: {0}")]
    Peer(String),
    /// The connection is gone.
    #[error("the connection to the other server broke while {0}")]
    Cut(&'static str),
    /// The websocket protocol was broken, or the connection failed.
    #[error("the connection to the other server failed while {doing}")]
    Socket {
        /// What was being done.
        doing: &'static str,
        /// Why.
        source: Box<tokio_tungstenite::tungstenite::Error>,
    },
    /// A message that cannot be read.
    #[error("the other server sent a message that is none of this protocol")]
    Garbage(#[source] prost::DecodeError),
    /// Something else than expected.
    #[error("the other server sent {found} instead of {expected}")]
    Unexpected {
        /// What came.
        found: &'static str,
        /// What should have come.
        expected: &'static str,
    },
    /// The other side wants to use something that this side does not have.
    #[error("the other server wants {0}, which was not offered")]
    Unoffered(&'static str),
    /// The rsync of this side failed.
    #[error(transparent)]
    Rsync(#[from] tools::RunError),
    /// A local pipe failed.
    #[error("cannot pass on the bytes of rsync")]
    Pipe(#[source] io::Error),
    /// The other server cannot be reached.
    #[error(transparent)]
    Dial(#[from] transport::dial::DialError),
    /// What says where the other server is makes no sense.
    #[error("{what} is wrong: {why}")]
    Address {
        /// Which part.
        what: &'static str,
        /// How.
        why: String,
    },
    /// The other server does not take the stream.
    #[error("the other server refuses the stream {stream}: {answer}")]
    Refused {
        /// Which.
        stream: &'static str,
        /// Its answer.
        answer: String,
    },
}
