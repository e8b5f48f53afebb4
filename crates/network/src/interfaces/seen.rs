//! Interfaces of namespaces that are looked at again and again: only those that changed are asked for.

use super::inside::{Interface, numbered};
use crate::netlink::{NetlinkError, Socket, Version, Watch};
use std::collections::HashMap;
use std::os::fd::BorrowedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What was seen in a namespace. It may be kept as long as the namespace is held open: its number
/// is its own until then.
#[derive(Clone, Debug)]
pub struct Seen {
    /// In the order of their numbers. Counters are as they were then.
    pub interfaces: Vec<Interface>,
    nsid: i32,
    version: Option<Version>,
}

/// An interface of this host, as the other end of a pair: what it sends, that end receives.
#[derive(Clone, Debug)]
pub struct HostEnd {
    name: String,
    bytes: (u64, u64),
    packets: (u64, u64),
}

impl HostEnd {
    /// Brings what was seen inside up to date.
    pub fn refresh(&self, interface: &mut Interface) {
        interface.host_name = Some(self.name.clone());
        let counters = &mut interface.counters;
        (counters.bytes_received, counters.bytes_sent) = self.bytes;
        (counters.packets_received, counters.packets_sent) = self.packets;
    }
}

fn locked(watch: &Mutex<Watch>) -> MutexGuard<'_, Watch> {
    watch.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks into a namespace.
pub(crate) fn look(
    socket: &mut Socket,
    watch: Option<&Mutex<Watch>>,
    netns: BorrowedFd<'_>,
) -> Result<Seen, NetlinkError> {
    let nsid = socket.nsid(netns)?;
    // Before looking: what changes meanwhile counts as a change.
    let version = watch.map(|watch| {
        let mut watch = locked(watch);
        watch.catch_up();
        watch.version(nsid)
    });
    Ok(Seen { interfaces: numbered(socket, nsid)?, nsid, version })
}

/// Which of what was seen is still so.
pub(crate) fn current<'a>(
    watch: Option<&Mutex<Watch>>,
    seen: impl Iterator<Item = Option<&'a Seen>>,
) -> Vec<bool> {
    let Some(watch) = watch else { return seen.map(|_| false).collect() };
    let mut watch = locked(watch);
    watch.catch_up();
    let same = |seen: &Seen| seen.version == Some(watch.version(seen.nsid));
    seen.map(|seen| seen.is_some_and(same)).collect()
}

/// Every interface of this host by its number.
pub(crate) fn host_ends(socket: &mut Socket) -> Result<HashMap<u32, HostEnd>, NetlinkError> {
    let links = socket.links(None)?;
    let end = |link: crate::netlink::Link| {
        let stats = link.stats;
        let end = HostEnd {
            name: link.name,
            bytes: (stats.tx_bytes, stats.rx_bytes),
            packets: (stats.tx_packets, stats.rx_packets),
        };
        (link.index, end)
    };
    Ok(links.into_iter().map(end).collect())
}
