//! Interfaces of another network namespace, and of this one as if they were there.
//!
//! The kernel answers for any namespace that it has a number for (`IFLA_TARGET_NETNSID`), so that
//! nobody has to go there: no thread, no fork, three short requests.

use crate::names::MacAddress;
use crate::netlink::{self, Link, LinkKind, NetlinkError, Socket};
use netlink_packet_route::link::LinkFlags;
use std::net::IpAddr;
use std::os::fd::BorrowedFd;

/// How an interface reaches others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flavour {
    /// Itself only.
    Loopback,
    /// Like Ethernet.
    Broadcast,
    /// One other end.
    PointToPoint,
    /// None of these.
    Unknown,
}

impl Flavour {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Broadcast => "broadcast",
            Self::PointToPoint => "point-to-point",
            Self::Unknown => "unknown",
        }
    }

    fn of(flags: LinkFlags) -> Self {
        if flags.contains(LinkFlags::Loopback) {
            Self::Loopback
        } else if flags.contains(LinkFlags::Broadcast) {
            Self::Broadcast
        } else if flags.contains(LinkFlags::Pointopoint) {
            Self::PointToPoint
        } else {
            Self::Unknown
        }
    }
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This machine.
    Local,
    /// This link.
    Link,
    /// Everywhere.
    Global,
}

impl Scope {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Link => "link",
            Self::Global => "global",
        }
    }

    fn of(ip: IpAddr) -> Self {
        if ip.is_loopback() {
            Self::Local
        } else if netlink::is_link_local(ip) {
            Self::Link
        } else {
            Self::Global
        }
    }
}

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// The address; its kind is the family (`inet`, `inet6`).
    pub address: IpAddr,
    /// The length of its prefix.
    pub prefix: u8,
    /// How far it reaches.
    pub scope: Scope,
}

/// What went through since the interface exists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Bytes in.
    pub bytes_received: u64,
    /// Bytes out.
    pub bytes_sent: u64,
    /// Packets in.
    pub packets_received: u64,
    /// Packets out.
    pub packets_sent: u64,
    /// Packets in that were broken.
    pub errors_received: u64,
    /// Packets out that could not be sent.
    pub errors_sent: u64,
    /// Packets in that nobody had room for.
    pub dropped_received: u64,
    /// Packets out that there was no room for.
    pub dropped_sent: u64,
}

/// An interface inside a container, or of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name there.
    pub name: String,
    /// Its number there.
    pub index: u32,
    /// Its hardware address, if it is Ethernet-like.
    pub hwaddr: Option<MacAddress>,
    /// In bytes.
    pub mtu: u32,
    /// It is switched on.
    pub up: bool,
    /// How it reaches others.
    pub flavour: Flavour,
    /// The other end of the pair, when that is an interface of this host.
    pub host_name: Option<String>,
    /// The number of that other end here.
    pub host_index: Option<u32>,
    /// Its addresses, as the kernel lists them.
    pub addresses: Vec<Address>,
    /// What went through.
    pub counters: Counters,
}

impl Interface {
    fn new(link: &Link, host: Option<Link>, addresses: &[netlink::Address]) -> Self {
        let own = addresses.iter().filter(|a| a.index == link.index).map(|a| Address {
            address: a.net.addr(),
            prefix: a.net.prefix_len(),
            scope: Scope::of(a.net.addr()),
        });
        Self {
            name: link.name.clone(),
            index: link.index,
            hwaddr: <[u8; 6]>::try_from(link.hwaddr.as_slice()).ok().map(MacAddress),
            mtu: link.mtu,
            up: link.flags.contains(LinkFlags::Up),
            flavour: Flavour::of(link.flags),
            host_index: host.as_ref().map(|host| host.index),
            host_name: host.map(|host| host.name),
            addresses: own.collect(),
            counters: Counters {
                bytes_received: link.stats.rx_bytes,
                bytes_sent: link.stats.tx_bytes,
                packets_received: link.stats.rx_packets,
                packets_sent: link.stats.tx_packets,
                errors_received: link.stats.rx_errors,
                errors_sent: link.stats.tx_errors,
                dropped_received: link.stats.rx_dropped,
                dropped_sent: link.stats.tx_dropped,
            },
        }
    }
}

/// The interfaces in `netns`, in the order of their numbers.
pub(crate) fn inside(socket: &mut Socket, netns: BorrowedFd<'_>) -> Result<Vec<Interface>, NetlinkError> {
    let nsid = socket.nsid(netns)?;
    numbered(socket, nsid)
}

/// The interfaces in the namespace of that number, in the order of theirs.
pub(super) fn numbered(socket: &mut Socket, nsid: i32) -> Result<Vec<Interface>, NetlinkError> {
    let links = socket.links(Some(nsid))?;
    let addresses = socket.addresses(Some(nsid))?;
    let mut found = Vec::with_capacity(links.len());
    for link in &links {
        let host = other_end(socket, link, nsid)?;
        found.push(Interface::new(link, host, &addresses));
    }
    found.sort_by_key(|i| i.index);
    Ok(found)
}

/// An interface of this host.
pub(crate) fn here(socket: &mut Socket, name: &str) -> Result<Option<Interface>, NetlinkError> {
    let Some(link) = socket.links(None)?.into_iter().find(|link| link.name == name) else { return Ok(None) };
    let addresses = socket.addresses(None)?;
    Ok(Some(Interface::new(&link, None, &addresses)))
}

/// The other end of a pair, if that is here: both ends must point at each other, as
/// numbers of interfaces repeat between namespaces.
fn other_end(socket: &mut Socket, link: &Link, nsid: i32) -> Result<Option<Link>, NetlinkError> {
    let (LinkKind::Veth, Some(peer), Some(_)) = (link.kind, link.peer, link.peer_nsid) else {
        return Ok(None);
    };
    let other = socket.link_numbered(peer)?.filter(|other| {
        other.kind == LinkKind::Veth && other.peer == Some(link.index) && other.peer_nsid == Some(nsid)
    });
    Ok(other)
}
