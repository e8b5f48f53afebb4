//! Interfaces: read, make, change, delete.

use super::{NetlinkError, Socket};
use crate::names::{InterfaceName, MacAddress};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags,
    LinkInfo, LinkMessage, Stats64,
};
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// What the driver of an interface calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LinkKind {
    Bridge,
    Veth,
    Vlan,
    Bond,
    /// Another driver that names itself.
    Virtual,
    /// Hardware, loopback, and what else gives no name.
    Unnamed,
}

/// An interface as the kernel describes it.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) flags: LinkFlags,
    pub(crate) mtu: u32,
    pub(crate) hwaddr: Vec<u8>,
    pub(crate) kind: LinkKind,
    /// The other end of a veth pair, or what a vlan sits on.
    pub(crate) peer: Option<u32>,
    /// The namespace of `peer`, as seen by the socket; `None`: the same as this interface's.
    pub(crate) peer_nsid: Option<i32>,
    /// It belongs to a device on a bus.
    pub(crate) has_device: bool,
    /// The bridge or bond it is a port of.
    pub(crate) controller: Option<u32>,
    pub(crate) stats: Stats64,
}

/// What to change on an interface; `None` leaves it alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    pub(crate) up: bool,
    pub(crate) mtu: Option<u32>,
    pub(crate) hwaddr: Option<MacAddress>,
    /// Never make an IPv6 address by itself.
    pub(crate) no_link_local: bool,
}

/// A pair of interfaces, one end of which is born in another namespace.
pub(crate) struct NewVeth<'a> {
    pub(crate) name: &'a InterfaceName,
    pub(crate) controller: Option<u32>,
    pub(crate) inside_name: &'a InterfaceName,
    pub(crate) hwaddr: MacAddress,
    pub(crate) mtu: Option<u32>,
    pub(crate) netns: BorrowedFd<'a>,
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let mut link = Self {
            index: message.header.index,
            name: String::new(),
            flags: message.header.flags,
            mtu: 0,
            hwaddr: Vec::new(),
            kind: LinkKind::Unnamed,
            peer: None,
            peer_nsid: None,
            has_device: false,
            controller: None,
            stats: Stats64::default(),
        };
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Mtu(mtu) => link.mtu = mtu,
                LinkAttribute::Address(bytes) => link.hwaddr = bytes,
                LinkAttribute::Link(index) => link.peer = Some(index),
                LinkAttribute::LinkNetNsId(id) => link.peer_nsid = Some(id),
                LinkAttribute::ParentDevName(_) => link.has_device = true,
                LinkAttribute::Controller(index) => link.controller = Some(index),
                LinkAttribute::Stats64(stats) => link.stats = stats,
                LinkAttribute::LinkInfo(info) => link.kind = kind_of(&info),
                _ => {}
            }
        }
        link
    }
}

fn kind_of(info: &[LinkInfo]) -> LinkKind {
    let kind = info.iter().find_map(|i| if let LinkInfo::Kind(kind) = i { Some(kind) } else { None });
    match kind {
        None => LinkKind::Unnamed,
        Some(InfoKind::Bridge) => LinkKind::Bridge,
        Some(InfoKind::Veth) => LinkKind::Veth,
        Some(InfoKind::Vlan) => LinkKind::Vlan,
        Some(InfoKind::Bond) => LinkKind::Bond,
        Some(_) => LinkKind::Virtual,
    }
}

fn changes_of(changes: Changes) -> (LinkFlags, Vec<LinkAttribute>) {
    let mut attributes = Vec::new();
    attributes.extend(changes.mtu.map(LinkAttribute::Mtu));
    attributes.extend(changes.hwaddr.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    if changes.no_link_local {
        let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
        attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]));
    }
    (if changes.up { LinkFlags::Up } else { LinkFlags::empty() }, attributes)
}

impl Socket {
    fn link(&mut self, message: LinkMessage) -> Result<Option<Link>, NetlinkError> {
        match self.get("look up an interface", RouteNetlinkMessage::GetLink(message)) {
            Ok(Some(RouteNetlinkMessage::NewLink(message))) => Ok(Some(message.into())),
            Ok(_) => Ok(None),
            Err(e) if e.is_missing() => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The interface of that name.
    pub(crate) fn link_named(&mut self, name: &str) -> Result<Option<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        self.link(message)
    }

    /// The interface of that number.
    pub(crate) fn link_numbered(&mut self, index: u32) -> Result<Option<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.link(message)
    }

    /// All interfaces of this namespace, or of the one that `nsid` stands for.
    pub(crate) fn links(&mut self, nsid: Option<i32>) -> Result<Vec<Link>, NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.extend(nsid.map(LinkAttribute::IfNetnsId));
        let answers = self.dump("list interfaces", &RouteNetlinkMessage::GetLink(message))?;
        let link = |m| if let RouteNetlinkMessage::NewLink(m) = m { Some(Link::from(m)) } else { None };
        Ok(answers.into_iter().filter_map(link).collect())
    }

    /// Makes a bridge without address, down.
    pub(crate) fn create_bridge(
        &mut self,
        name: &InterfaceName,
        hwaddr: Option<MacAddress>,
    ) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.as_str().to_owned()));
        message.attributes.extend(hwaddr.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]));
        self.change("create a bridge", RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Makes a pair in one request: our end is a port of the bridge, the other is in its namespace.
    pub(crate) fn create_veth(&mut self, new: &NewVeth<'_>) -> Result<(), NetlinkError> {
        let mut peer = LinkMessage::default();
        peer.attributes.push(LinkAttribute::IfName(new.inside_name.as_str().to_owned()));
        peer.attributes.push(LinkAttribute::Address(new.hwaddr.0.to_vec()));
        peer.attributes.extend(new.mtu.map(LinkAttribute::Mtu));
        peer.attributes.push(LinkAttribute::NetNsFd(new.netns.as_raw_fd()));
        let info = vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer)))];
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(new.name.as_str().to_owned()));
        message.attributes.extend(new.mtu.map(LinkAttribute::Mtu));
        message.attributes.extend(new.controller.map(LinkAttribute::Controller));
        message.attributes.push(LinkAttribute::LinkInfo(info));
        self.change(
            "create a pair of interfaces",
            RouteNetlinkMessage::NewLink(message),
            NLM_F_CREATE | NLM_F_EXCL,
        )
    }

    /// Changes the interface of that name.
    pub(crate) fn set_link(&mut self, name: &InterfaceName, changes: Changes) -> Result<(), NetlinkError> {
        let (flags, attributes) = changes_of(changes);
        let mut message = LinkMessage::default();
        message.header.flags = flags;
        message.header.change_mask = flags;
        message.attributes.push(LinkAttribute::IfName(name.as_str().to_owned()));
        message.attributes.extend(attributes);
        self.change("change an interface", RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Deletes the interface of that name. False when there was none.
    pub(crate) fn delete_link(&mut self, name: &InterfaceName) -> Result<bool, NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.as_str().to_owned()));
        match self.change("delete an interface", RouteNetlinkMessage::DelLink(message), 0) {
            Ok(()) => Ok(true),
            Err(e) if e.is_missing() => Ok(false),
            Err(e) => Err(e),
        }
    }
}
