//! The protocol by which a container moves between daemons: messages, framing, and who says what when.
//!
//! ```text
//!   source                         control                        sink
//!     │ ── header: what there is, and how it could be sent ──▶     │
//!     │ ◀── header: how it is to be sent ─────────────────────     │
//!     │                               fs                           │
//!     │ ══ snapshots, oldest first; the container; what ═════▶     │
//!     │    changed meanwhile, if it runs                           │
//!     │                            control                         │
//!     │ ◀── success, or why not ──────────────────────────────     │
//! ```
//!
//! | file | what |
//! |---|---|
//! | [`message`] | the protobuf messages on the control stream |
//! | `negotiate` | what is offered and what is chosen: no I/O |
//! | [`Socket`] | one stream: a websocket on whatever carries bytes |
//! | `control` | whole messages of bounded size |
//! | `session` | one tree on the fs stream, by rsync at both ends |
//! | [`Source`], [`Sink`] | the two roles |
//! | [`confine`] | where rsync is locked up, and what carries its bytes out |

pub mod confine;
mod control;
mod error;
pub mod message;
mod negotiate;
mod session;
mod sink;
mod socket;
mod source;

pub use error::Error;
pub use negotiate::{Agreement, Transfer};
pub use sink::Sink;
pub use socket::{Io, Socket, dial};
pub use source::{Offer, Source};

#[cfg(test)]
mod tests;

/// The streams of a migration, connected.
#[derive(Debug)]
pub struct Streams {
    /// Messages.
    pub control: Socket,
    /// Files.
    pub fs: Socket,
}

/// Names of the streams, as operations know them.
pub const STREAM_NAMES: &[&str] = &["control", "fs"];

/// Told how many bytes of a tree have been carried so far.
pub type Progress<'a> = &'a (dyn Fn(u64) + Sync);
