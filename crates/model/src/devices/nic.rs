//! `nic`: a network interface.

use super::{DeviceError, Reader};
use crate::units::BitRate;
use std::net::{Ipv4Addr, Ipv6Addr};

/// A network interface. Properties are taken for every [`NicType`]; not each acts on each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Nic {
    /// How it is connected.
    pub nictype: NicType,
    /// The host's interface that it hangs on; always there but for [`NicType::P2p`].
    pub parent: Option<String>,
    /// Its name inside; none: the first free `eth<N>`.
    pub name: Option<String>,
    /// Its Ethernet address in lower case; none: one is made up and kept.
    pub hwaddr: Option<String>,
    /// Largest packet in bytes; none: the parent's.
    pub mtu: Option<u32>,
    /// Name of the host's end; none: made up.
    pub host_name: Option<String>,
    /// VLAN, as a sub-interface of the parent.
    pub vlan: Option<u16>,
    /// Bounds.
    pub limits: NicLimits,
    /// Address that DHCP gives it.
    pub ipv4_address: Option<Ipv4Addr>,
    /// Address that DHCP gives it.
    pub ipv6_address: Option<Ipv6Addr>,
    /// Packets with another source address are dropped.
    pub mac_filtering: bool,
}

/// How an interface is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NicType {
    /// A pair, the host's end in a bridge.
    Bridged,
    /// An interface of its own on top of the parent.
    Macvlan,
    /// A pair, the host's end left alone.
    P2p,
    /// The host's interface itself.
    Physical,
    /// A virtual function of the host's interface.
    Sriov,
}

/// Bounds in bits per second; none: unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NicLimits {
    /// Towards the container.
    pub ingress: Option<BitRate>,
    /// From the container.
    pub egress: Option<BitRate>,
}

impl NicType {
    /// The value of `nictype`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bridged => "bridged",
            Self::Macvlan => "macvlan",
            Self::P2p => "p2p",
            Self::Physical => "physical",
            Self::Sriov => "sriov",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        [Self::Bridged, Self::Macvlan, Self::P2p, Self::Physical, Self::Sriov]
            .into_iter()
            .find(|t| t.name() == text)
    }
}

pub(super) fn parse(read: &Reader<'_>) -> Result<Nic, DeviceError> {
    let nictype = read.text("nictype").ok_or(DeviceError::MissingNicType)?;
    let nictype =
        NicType::parse(nictype).ok_or_else(|| DeviceError::BadNicType { nictype: nictype.to_owned() })?;
    let parent = read.interface("parent")?;
    if parent.is_none() && nictype != NicType::P2p {
        return Err(DeviceError::MissingParent { nictype: nictype.name().to_owned() });
    }
    let rate =
        |property| read.parsed(property, |v| BitRate::parse(v).ok()).map(|rate| rate.filter(|r| r.0 > 0));
    let max = rate("limits.max")?;
    let (ingress, egress) = (rate("limits.ingress")?, rate("limits.egress")?);
    Ok(Nic {
        nictype,
        parent,
        name: read.interface("name")?,
        hwaddr: read.parsed("hwaddr", |v| {
            crate::config::Grammar::Mac.check(v).ok().map(|()| v.to_ascii_lowercase())
        })?,
        mtu: read.mtu()?,
        host_name: read.interface("host_name")?,
        vlan: read.parsed("vlan", |v| v.parse().ok().filter(|n| (1..=4094).contains(n)))?,
        limits: NicLimits { ingress: max.or(ingress), egress: max.or(egress) },
        ipv4_address: read.parsed("ipv4.address", |v| v.parse().ok())?,
        ipv6_address: read.parsed("ipv6.address", |v| v.parse().ok())?,
        mac_filtering: read.bool("security.mac_filtering")?.unwrap_or(false),
    })
}
