//! Work in the background: started by a request, watched and waited for by others.

mod operation;
mod registry;
mod resources;
mod secret;
mod sockets;
#[cfg(test)]
mod tests;
mod token;

pub(crate) use operation::{CancelError, Operation};
pub(crate) use registry::{Operations, Reporter, Task, panic_text};
pub(crate) use resources::{Resources, container, containers, image, volume};
pub(crate) use secret::Secret;
pub(crate) use sockets::{Seats, Show, Sockets};
pub(crate) use token::Token;
