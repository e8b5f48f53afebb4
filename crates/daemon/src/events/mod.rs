//! What happens, told to whoever listens: operations, log lines, changes of containers.

mod hub;
mod log_layer;

pub(crate) use hub::{Hub, Listener, Topics};
pub(crate) use log_layer::LogLayer;
