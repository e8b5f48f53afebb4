//! The daemon's side of the conversation with the keeper.
//!
//! | file | what |
//! |---|---|
//! | [`supervisor`] | [`Keeper`]: a connection that is made again whenever it is lost |
//! | [`spawn`] | finding the keeper, running it, upgrading it |
//! | [`connection`] | one connection: requests and replies matched by number |
//! | [`requests`] | one method for each request |
//! | [`files`] | [`FileServer`]: reading and writing inside a container |

mod connection;
mod error;
mod files;
mod requests;
pub(crate) mod spawn;
mod supervisor;

#[cfg(test)]
mod tests;

pub(crate) use connection::packet_socket;
pub use error::Error;
pub use files::{FileError, FileServer, Owner};
pub use requests::{Cloned, Handles, Orphan, Spawned, Started, Streams};
pub use supervisor::{Keeper, Notice};
