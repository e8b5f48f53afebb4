//! Routes.

use super::{NetlinkError, Socket};
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_REPLACE};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A route of the main table or another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    /// Where to; the default route has prefix length 0.
    pub(crate) destination: IpNet,
    /// Through which interface.
    pub(crate) device: Option<u32>,
    /// Made by an administrator, not by the kernel.
    pub(crate) fixed: bool,
}

fn read(message: &RouteMessage) -> Option<Route> {
    let prefix = message.header.destination_prefix_length;
    let mut destination = match message.header.address_family {
        AddressFamily::Inet => IpNet::V4(Ipv4Net::new(Ipv4Addr::UNSPECIFIED, prefix).ok()?),
        _ => IpNet::V6(Ipv6Net::new(Ipv6Addr::UNSPECIFIED, prefix).ok()?),
    };
    let mut device = None;
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(RouteAddress::Inet(ip)) => {
                destination = IpNet::V4(Ipv4Net::new(*ip, prefix).ok()?);
            }
            RouteAttribute::Destination(RouteAddress::Inet6(ip)) => {
                destination = IpNet::V6(Ipv6Net::new(*ip, prefix).ok()?);
            }
            RouteAttribute::Oif(index) => device = Some(*index),
            _ => {}
        }
    }
    Some(Route { destination, device, fixed: message.header.protocol == RouteProtocol::Static })
}

fn message(index: u32, destination: IpNet) -> RouteMessage {
    let mut message = RouteMessage::default();
    let (family, address) = match destination {
        IpNet::V4(net) => (AddressFamily::Inet, RouteAddress::Inet(net.network())),
        IpNet::V6(net) => (AddressFamily::Inet6, RouteAddress::Inet6(net.network())),
    };
    message.header.address_family = family;
    message.header.destination_prefix_length = destination.prefix_len();
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    message.header.protocol = RouteProtocol::Static;
    message.header.scope =
        if family == AddressFamily::Inet { RouteScope::Link } else { RouteScope::Universe };
    message.header.kind = RouteType::Unicast;
    message.attributes.push(RouteAttribute::Destination(address));
    message.attributes.push(RouteAttribute::Oif(index));
    message
}

impl Socket {
    /// All unicast routes of both families.
    pub(crate) fn routes(&mut self) -> Result<Vec<Route>, NetlinkError> {
        let mut routes = Vec::new();
        for family in [AddressFamily::Inet, AddressFamily::Inet6] {
            let mut message = RouteMessage::default();
            message.header.address_family = family;
            let answers = match self.dump("list routes", &RouteNetlinkMessage::GetRoute(message)) {
                // A kernel without IPv6.
                Err(e) if e.is(rustix::io::Errno::OPNOTSUPP) => continue,
                other => other?,
            };
            routes.extend(answers.iter().filter_map(|m| match m {
                RouteNetlinkMessage::NewRoute(m) if m.header.kind == RouteType::Unicast => read(m),
                _ => None,
            }));
        }
        Ok(routes)
    }

    /// Routes `destination` through an interface; doing so already is fine.
    pub(crate) fn add_route(&mut self, index: u32, destination: IpNet) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::NewRoute(message(index, destination));
        self.change("add a route", message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Sends everything that has no route of its own to a gateway.
    pub(crate) fn add_gateway(&mut self, index: u32, gateway: IpAddr) -> Result<(), NetlinkError> {
        let (all, address) = match gateway {
            IpAddr::V4(ip) => (IpNet::V4(Ipv4Net::default()), RouteAddress::Inet(ip)),
            IpAddr::V6(ip) => (IpNet::V6(Ipv6Net::default()), RouteAddress::Inet6(ip)),
        };
        let mut message = message(index, all);
        message.header.scope = RouteScope::Universe;
        message.attributes.push(RouteAttribute::Gateway(address));
        let message = RouteNetlinkMessage::NewRoute(message);
        self.change("add a default route", message, NLM_F_CREATE | NLM_F_REPLACE)
    }

    /// Takes a route away.
    pub(crate) fn delete_route(&mut self, index: u32, destination: IpNet) -> Result<(), NetlinkError> {
        let message = RouteNetlinkMessage::DelRoute(message(index, destination));
        match self.change("delete a route", message, 0) {
            Err(e) if e.is(rustix::io::Errno::SRCH) => Ok(()),
            other => other,
        }
    }
}
