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
mod watch;
mod worker;

pub use socket::NetlinkError;

pub(crate) use address::{Address, is_link_local};
pub(crate) use link::{Changes, Link, LinkKind, NewVeth};
pub(crate) use move_link::Settled;
pub(crate) use socket::Socket;
pub(crate) use traffic::Received;
pub(crate) use watch::{Version, Watch};
pub(crate) use worker::Worker;

use std::sync::{Arc, Mutex};

/// Long-lived connections to the kernel, in the network namespace they were opened in.
#[derive(Clone)]
pub(crate) struct Netlink {
    pub(crate) reader: Arc<Worker>,
    pub(crate) writer: Arc<Worker>,
    /// `None`: the kernel does not tell, so that everything is looked at each time.
    pub(crate) watch: Option<Arc<Mutex<Watch>>>,
}

impl Netlink {
    pub(crate) fn open() -> Result<Self, NetlinkError> {
        Ok(Self {
            reader: Arc::new(Worker::start("netlink-reader")?),
            writer: Arc::new(Worker::start("netlink-writer")?),
            watch: match Watch::open() {
                Ok(watch) => Some(Arc::new(Mutex::new(watch))),
                Err(error) => {
                    tracing::warn!(%error, "cannot hear of changes of interfaces: each list looks at all of them");
                    None
                }
            },
        })
    }
}
