//! `/dev/lxd/sock`: what containers ask about themselves. Plain HTTP, without the API's envelope.
//!
//! Whoever asks is hostile: connections, their number for each container, their time and what they
//! may send are bounded, and nobody but the container's root gets an answer.

mod events;
mod routes;
mod serve;

pub(crate) use serve::serve_all;
