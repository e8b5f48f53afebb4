//! What happens by itself.

mod connections;
pub(crate) mod consoles;
mod ends;
pub(crate) mod programs;
