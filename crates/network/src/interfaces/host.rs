//! The interfaces of this host and what they are.

use crate::netlink::{Link, LinkKind, NetlinkError, Socket};
use netlink_packet_route::link::LinkFlags;

/// What an interface is, in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostKind {
    /// `lo`.
    Loopback,
    /// A bridge.
    Bridge,
    /// A VLAN on another interface.
    Vlan,
    /// Backed by a device.
    Physical,
    /// A bond.
    Bond,
    /// Anything else.
    Unknown,
}

impl HostKind {
    /// The word of the API.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loopback => "loopback",
            Self::Bridge => "bridge",
            Self::Vlan => "vlan",
            Self::Physical => "physical",
            Self::Bond => "bond",
            Self::Unknown => "unknown",
        }
    }

    fn of(link: &Link) -> Self {
        match link.kind {
            _ if link.flags.contains(LinkFlags::Loopback) => Self::Loopback,
            LinkKind::Bridge => Self::Bridge,
            LinkKind::Vlan => Self::Vlan,
            _ if link.has_device => Self::Physical,
            LinkKind::Bond => Self::Bond,
            _ => Self::Unknown,
        }
    }
}

/// An interface of this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostInterface {
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: HostKind,
    /// Its number.
    pub index: u32,
    /// It is switched on.
    pub up: bool,
    /// In bytes.
    pub mtu: u32,
    /// The number of the bridge or bond it is a port of.
    pub controller: Option<u32>,
}

impl From<Link> for HostInterface {
    fn from(link: Link) -> Self {
        Self {
            kind: HostKind::of(&link),
            up: link.flags.contains(LinkFlags::Up),
            name: link.name,
            index: link.index,
            mtu: link.mtu,
            controller: link.controller,
        }
    }
}

/// All interfaces, by name.
pub(crate) fn list(socket: &mut Socket) -> Result<Vec<HostInterface>, NetlinkError> {
    let mut all: Vec<HostInterface> = socket.links(None)?.into_iter().map(HostInterface::from).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(all)
}
