//! Interfaces that change their namespace, and those on top of others.

use super::{NetlinkError, Socket};
use crate::names::{InterfaceName, MacAddress};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoMacVlan, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage, MacVlanMode,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::{AsRawFd as _, BorrowedFd};

/// What an interface is to be in the namespace that it is moved to.
pub(crate) struct Settled<'a> {
    pub(crate) name: &'a InterfaceName,
    /// `None`: as it is.
    pub(crate) hwaddr: Option<MacAddress>,
    /// `None`: as it is.
    pub(crate) mtu: Option<u32>,
    pub(crate) netns: BorrowedFd<'a>,
}

impl Socket {
    /// A socket in another network namespace.
    pub(crate) fn open_in(netns: BorrowedFd<'_>) -> Result<Self, NetlinkError> {
        let failed = |source| NetlinkError::Open { source };
        // A socket belongs to the namespace that the thread which makes it is in: a thread goes
        // there for that, and never comes back.
        let opened = std::thread::scope(|scope| {
            let enter = || {
                move_into_link_name_space(netns, Some(LinkNameSpaceType::Network))
                    .map_err(|errno| failed(errno.into()))?;
                Self::open()
            };
            let thread = std::thread::Builder::new().stack_size(64 << 10).spawn_scoped(scope, enter);
            thread.map(std::thread::ScopedJoinHandle::join)
        });
        match opened.map_err(failed)? {
            Ok(socket) => socket,
            Err(_) => Err(failed(std::io::Error::other("the thread that opens it has died"))),
        }
    }

    /// Switches an interface off or on.
    pub(crate) fn switch(&mut self, index: u32, on: bool) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.flags = if on { LinkFlags::Up } else { LinkFlags::empty() };
        message.header.change_mask = LinkFlags::Up;
        self.change("switch an interface", RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Moves an interface, which must be off, to another namespace.
    pub(crate) fn move_link(&mut self, index: u32, settled: &Settled<'_>) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(LinkAttribute::NetNsFd(settled.netns.as_raw_fd()));
        message.attributes.push(LinkAttribute::IfName(settled.name.as_str().to_owned()));
        message.attributes.extend(settled.hwaddr.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        message.attributes.extend(settled.mtu.map(LinkAttribute::Mtu));
        self.change("move an interface", RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Makes an interface of its own on top of the interface `parent`, in another namespace.
    pub(crate) fn create_macvlan(&mut self, parent: u32, settled: &Settled<'_>) -> Result<(), NetlinkError> {
        let mode = InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Bridge)]);
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(settled.name.as_str().to_owned()));
        message.attributes.push(LinkAttribute::Link(parent));
        message.attributes.extend(settled.hwaddr.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
        message.attributes.extend(settled.mtu.map(LinkAttribute::Mtu));
        message.attributes.push(LinkAttribute::NetNsFd(settled.netns.as_raw_fd()));
        let info = vec![LinkInfo::Kind(InfoKind::MacVlan), LinkInfo::Data(mode)];
        message.attributes.push(LinkAttribute::LinkInfo(info));
        let message = RouteNetlinkMessage::NewLink(message);
        self.change("create a macvlan interface", message, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Makes the interface of a VLAN on top of another, and switches it on.
    pub(crate) fn create_vlan(
        &mut self,
        parent: u32,
        id: u16,
        name: &InterfaceName,
    ) -> Result<(), NetlinkError> {
        let info =
            vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(InfoData::Vlan(vec![InfoVlan::Id(id)]))];
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.as_str().to_owned()));
        message.attributes.push(LinkAttribute::Link(parent));
        message.attributes.push(LinkAttribute::LinkInfo(info));
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        let message = RouteNetlinkMessage::NewLink(message);
        self.change("create a VLAN interface", message, NLM_F_CREATE | NLM_F_EXCL)
    }

    /// Makes an interface that passes on what it is given, and switches it on.
    pub(crate) fn create_ifb(&mut self, name: &InterfaceName) -> Result<(), NetlinkError> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.as_str().to_owned()));
        message.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Ifb)]));
        message.header.flags = LinkFlags::Up;
        message.header.change_mask = LinkFlags::Up;
        let message = RouteNetlinkMessage::NewLink(message);
        self.change("create an interface that shapes traffic", message, NLM_F_CREATE | NLM_F_EXCL)
    }
}
