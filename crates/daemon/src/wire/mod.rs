//! HTTP as this API uses it: envelopes, refusals, bodies, parameters, tags.

mod body;
mod content;
mod etag;
mod params;
mod range;
mod refusal;
mod reply;

pub(crate) use body::{Json, collect, parse};
pub(crate) use content::{Content, Segment};
pub(crate) use etag::{Etag, IfMatch};
pub(crate) use params::{Params, Path, Recursion};
pub(crate) use range::Range;
pub(crate) use refusal::Refusal;
pub(crate) use reply::{accepted, created, done, sync, sync_bytes, sync_tagged};

/// What handlers answer with.
pub(crate) type Answer = Result<axum::response::Response, Refusal>;
