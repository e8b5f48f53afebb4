//! Passes connections and packets on between the host and containers: proxy devices.
//!
//! One process for all containers of a daemon, with one thread and a poll loop. It is there as long
//! as there is a proxy device, outlives the daemon, and enters no namespace but for the moment in
//! which it makes a socket. What could wait for a container (a path that leads into a file system
//! of its own making) happens on a thread that ends with it.
//!
//! | file | what |
//! |---|---|
//! | [`home`] | the daemon's directory: lock and socket |
//! | [`forwarder`] | the state, and the loop |
//! | [`requests`] | what the daemon asks |
//! | [`connections`] | connections that arrive, and those that are passed on |
//! | [`datagrams`] | packets |
//! | [`relay`] | bytes from one socket to another, with half-closed connections |
//! | [`place`] | a container as a place where sockets are made |
//! | [`listen`], [`dial`] | making sockets |
//! | [`identity`] | who does so |
//! | [`workers`] | threads for what may wait |
//! | [`header`] | the header of the PROXY protocol |
//! | [`poller`] | epoll |

mod connections;
mod datagrams;
mod dial;
mod error;
mod forwarder;
mod header;
mod home;
mod identity;
mod listen;
mod place;
mod poller;
mod relay;
mod requests;

mod workers;

pub use error::Error;

use forwarder::Forwarder;
use home::{Home, Lock};
use std::path::Path;

/// Serves the daemon directory `var` until nothing is to be forwarded any more. `ready` is called
/// as soon as somebody can connect, also when that is another process.
///
/// # Errors
/// The directory, the socket or the kernel cannot be used; or those of `ready`.
pub fn serve<E: From<Error>>(var: &Path, ready: impl FnOnce() -> Result<(), E>) -> Result<(), E> {
    let home = Home::open(var)?;
    let lock = match home.wait_for_lock()? {
        Lock::Held(lock) => lock,
        Lock::Served => return ready(),
    };
    let listener = home.listen()?;
    let forwarder = Forwarder::new(home, lock, listener)?;
    ready()?;
    Ok(forwarder.run()?)
}
