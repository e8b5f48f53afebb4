//! Addresses of interfaces.

use super::{NetlinkError, Socket};
use ipnet::IpNet;
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::IpAddr;

/// An address of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// The interface.
    pub(crate) index: u32,
    /// Address and prefix length; bits behind the prefix are kept.
    pub(crate) net: IpNet,
    /// Reachable beyond the link.
    pub(crate) global: bool,
    /// Made by the kernel or by router advertisements.
    pub(crate) temporary: bool,
}

impl Address {
    fn read(message: &AddressMessage) -> Option<Self> {
        let mut local = None;
        let mut address = None;
        let mut permanent = message.header.flags.contains(AddressHeaderFlags::Permanent);
        for attribute in &message.attributes {
            match attribute {
                AddressAttribute::Local(ip) => local = Some(*ip),
                AddressAttribute::Address(ip) => address = Some(*ip),
                AddressAttribute::Flags(flags) => permanent = flags.contains(AddressFlags::Permanent),
                _ => {}
            }
        }
        // On a point-to-point interface `address` is the other end.
        let net = IpNet::new(local.or(address)?, message.header.prefix_len).ok()?;
        let global = message.header.scope == AddressScope::Universe;
        Some(Self { index: message.header.index, net, global, temporary: !permanent })
    }
}

fn message(index: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = net.prefix_len();
    message.header.family = match net {
        IpNet::V4(_) => AddressFamily::Inet,
        IpNet::V6(_) => AddressFamily::Inet6,
    };
    message.attributes.push(AddressAttribute::Local(net.addr()));
    message.attributes.push(AddressAttribute::Address(net.addr()));
    message
}

impl Socket {
    /// All addresses of this namespace, or of the one that `nsid` stands for.
    pub(crate) fn addresses(&mut self, nsid: Option<i32>) -> Result<Vec<Address>, NetlinkError> {
        let mut message = AddressMessage::default();
        message.attributes.extend(nsid.map(AddressAttribute::TargetNetNsId));
        let answers = self.dump("list addresses", &RouteNetlinkMessage::GetAddress(message))?;
        let read = |m: &RouteNetlinkMessage| {
            if let RouteNetlinkMessage::NewAddress(m) = m { Address::read(m) } else { None }
        };
        Ok(answers.iter().filter_map(read).collect())
    }

    /// Gives an interface an address; having it already is fine. An IPv6 address is usable at
    /// once, without looking for duplicates.
    pub(crate) fn add_address(&mut self, index: u32, net: IpNet) -> Result<(), NetlinkError> {
        let mut message = message(index, net);
        match net {
            IpNet::V4(net) if net.prefix_len() < 31 => {
                message.attributes.push(AddressAttribute::Broadcast(net.broadcast()));
            }
            IpNet::V4(_) => {}
            IpNet::V6(_) => message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad)),
        }
        let message = RouteNetlinkMessage::NewAddress(message);
        self.change("add an address", message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes an address away.
    pub(crate) fn delete_address(&mut self, index: u32, net: IpNet) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::DelAddress(message(index, net));
        match self.change("delete an address", message, 0) {
            Err(e) if e.is(rustix::io::Errno::ADDRNOTAVAIL) => Ok(()),
            other => other,
        }
    }
}

/// Scope of an address as users see it.
pub(crate) fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}
