//! What the daemon tells the keeper: plain data, made by pure functions, sent as JSON.
//!
//! [`spec`] says what a container is to be; [`protocol`] is the conversation, [`mounting`] a part of
//! it. All only ever grow: a field that older peers do not send has a default, so that a daemon can
//! be upgraded under a keeper that holds running containers, and the other way round.

pub mod build;
pub mod devices;
pub mod forward;
pub mod mounting;
pub mod protocol;
pub mod spec;
