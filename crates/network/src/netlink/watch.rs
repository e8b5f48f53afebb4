//! Which network namespaces have changed since they were looked at.
//!
//! The kernel tells one socket about interfaces and addresses of every namespace that has a number
//! here (`NETLINK_LISTEN_ALL_NSID`), and a namespace gets one when it is first looked at. What it
//! tells waits in the socket until somebody wants to know, so that nothing runs meanwhile; when that
//! is more than the socket holds, everything counts as changed.

use rustix::io::Errno;
use std::collections::HashMap;
use std::io;
use std::os::fd::AsFd as _;

/// `RTNLGRP_LINK`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV6_IFADDR`, see `rtnetlink(7)`.
const GROUPS: [u32; 3] = [1, 5, 9];
/// Only the beginning of a message matters: that there is one.
const ENOUGH: usize = 64;

/// Tells two states of a namespace apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    namespace: u64,
    all: u64,
}

/// The socket, and how often each namespace has changed.
pub(crate) struct Watch {
    socket: netlink_sys::Socket,
    namespaces: HashMap<i32, u64>,
    all: u64,
}

impl Watch {
    /// Begins to listen, in the caller's network namespace.
    ///
    /// # Errors
    /// What the kernel says: without this, nothing is known to be unchanged.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = netlink_sys::Socket::new(netlink_sys::protocols::NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_listen_all_namespaces(true)?;
        for group in GROUPS {
            socket.add_membership(group)?;
        }
        Ok(Self { socket, namespaces: HashMap::new(), all: 0 })
    }

    /// Takes in what was told until now. Does not wait.
    pub(crate) fn catch_up(&mut self) {
        let mut buffer = [0; ENOUGH];
        loop {
            match sys::netlink_nsid::recv(self.socket.as_fd(), &mut buffer) {
                Ok((_, Some(nsid))) => *self.namespaces.entry(nsid).or_default() += 1,
                // This namespace: host ends of pairs are looked up each time.
                Ok((_, None)) => {}
                Err(Errno::AGAIN) => return,
                Err(Errno::INTR) => {}
                Err(Errno::NOBUFS) => self.all += 1,
                Err(error) => {
                    tracing::warn!(%error, "cannot hear of changes of interfaces");
                    self.all += 1;
                    return;
                }
            }
        }
    }

    /// The version of a namespace as far as was taken in.
    pub(crate) fn version(&self, nsid: i32) -> Version {
        Version { namespace: self.namespaces.get(&nsid).copied().unwrap_or(0), all: self.all }
    }
}
