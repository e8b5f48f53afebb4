//! The kernel's interfaces, addresses and routes, by `rtnetlink(7)`.
//!
//! Requests run on two threads, each with its own socket: one that reads and one that changes.
//! The kernel works on a request inside `sendmsg` and may wait there for its own lock (longest
//! when interfaces are deleted), so that must not happen on an async thread; and a socket can do
//! one dump at a time only. Steps that belong together are one closure on one thread: they
//! are not torn apart when the caller goes away.

mod address;
mod link;
mod move_link;
mod nsid;
mod route;
mod socket;
mod traffic;
mod worker;

pub use socket::NetlinkError;

pub(crate) use address::{Address, is_link_local};
pub(crate) use link::{Changes, Link, LinkKind, NewVeth};
pub(crate) use move_link::Settled;
pub(crate) use socket::Socket;
pub(crate) use traffic::Received;
pub(crate) use worker::Worker;

use std::sync::Arc;

/// Long-lived connections to the kernel, in the network namespace they were opened in.
#[derive(Clone)]
pub(crate) struct Netlink {
    pub(crate) reader: Arc<Worker>,
    pub(crate) writer: Arc<Worker>,
}

impl Netlink {
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        Ok(Self {
            reader: Arc::new(Worker::start("netlink-reader")?),
            writer: Arc::new(Worker::start("netlink-writer")?),
        })
    }
}
