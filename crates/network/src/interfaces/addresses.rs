//! Addresses under which this host can be reached from elsewhere.

use crate::netlink::{NetlinkError, Socket};
use std::net::IpAddr;

/// Addresses of this host's interfaces that are good beyond the link, IPv4 first. Blocks for a moment.
///
/// # Errors
/// The kernel does not tell.
pub fn reachable() -> Result<Vec<IpAddr>, NetlinkError> {
    let all = Socket::open()?.addresses(None)?;
    let mut all: Vec<IpAddr> = all
        .iter()
        .filter(|address| address.global)
        .map(|address| address.net.addr())
        .filter(|ip| !ip.is_loopback() && !ip.is_unspecified() && !ip.is_multicast())
        .collect();
    all.sort_unstable();
    all.dedup();
    Ok(all)
}
