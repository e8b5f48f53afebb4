//! The configuration of a managed bridge: texts become types here, once.

use crate::names::MacAddress;
use ipnet::{Ipv4Net, Ipv6Net};
use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// What is wrong with a network's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No version knows the key.
    #[error("Invalid network configuration key: {key}")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// The key or this value of it exists, but not here.
    #[error("The network configuration {key}={value} is not supported by this version; unset it")]
    Unsupported {
        /// The key.
        key: String,
        /// Its value.
        value: String,
    },
    /// The value cannot be used.
    #[error("Invalid value {value:?} for network configuration key {key}: expected {expected}")]
    Invalid {
        /// The key.
        key: String,
        /// Its value.
        value: String,
        /// What it should look like.
        expected: &'static str,
    },
}

/// Where the addresses of a bridge come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subnet<N> {
    /// A free one is to be chosen.
    Auto,
    /// This one; the address is the bridge's own.
    Fixed(N),
}

impl<N: Copy> Subnet<N> {
    /// The subnet, once it is chosen.
    #[must_use]
    pub fn fixed(&self) -> Option<N> {
        match self {
            Self::Auto => None,
            Self::Fixed(net) => Some(*net),
        }
    }
}

/// First and last address that DHCP gives out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range<A> {
    /// The first.
    pub first: A,
    /// The last.
    pub last: A,
}

/// DHCP of one family.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dhcp<A> {
    /// How long a lease lasts, in the words of dnsmasq (`1h`, `infinite`).
    pub expiry: String,
    /// What is given out; empty: the whole subnet.
    pub ranges: Vec<Range<A>>,
    /// The router that clients are told, if not the bridge. IPv4 only.
    pub gateway: Option<A>,
}

/// IPv4 on a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv4 {
    /// Its own address.
    pub address: Subnet<Ipv4Net>,
    /// Masquerade what leaves.
    pub nat: bool,
    /// Accept DHCP, DNS and forwarding in the firewall.
    pub firewall: bool,
    /// Forward to and from other interfaces.
    pub routing: bool,
    /// `None`: no DHCP.
    pub dhcp: Option<Dhcp<Ipv4Addr>>,
    /// More subnets behind this bridge.
    pub routes: Vec<Ipv4Net>,
}

/// IPv6 on a bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// Its own address.
    pub address: Subnet<Ipv6Net>,
    /// Masquerade what leaves.
    pub nat: bool,
    /// Accept DHCP, DNS and forwarding in the firewall.
    pub firewall: bool,
    /// Forward to and from other interfaces.
    pub routing: bool,
    /// `None`: router advertisements only.
    pub dhcp: Option<Dhcp6>,
    /// More subnets behind this bridge.
    pub routes: Vec<Ipv6Net>,
}

/// What DHCPv6 tells clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dhcp6 {
    /// Names and servers; clients make their addresses themselves.
    Stateless,
    /// Addresses too.
    Stateful(Dhcp<Ipv6Addr>),
}

/// Which names DNS knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DnsMode {
    /// None; the domain is not served.
    None,
    /// The names of the containers.
    Managed,
    /// What clients call themselves.
    Dynamic,
}

/// A managed bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// `None`: no IPv4.
    pub ipv4: Option<Ipv4>,
    /// `None`: no IPv6.
    pub ipv6: Option<Ipv6>,
    /// The domain of the containers' names.
    pub dns_domain: String,
    /// Which names DNS knows.
    pub dns_mode: DnsMode,
    /// In bytes; `None`: as the kernel makes it.
    pub mtu: Option<u32>,
    /// `None`: as the kernel makes it.
    pub hwaddr: Option<MacAddress>,
    /// More lines for dnsmasq, as the administrator wrote them.
    pub raw_dnsmasq: String,
}

const KNOWN: [&str; 25] = [
    "bridge.driver",
    "bridge.hwaddr",
    "bridge.mode",
    "bridge.mtu",
    "dns.domain",
    "dns.mode",
    "ipv4.address",
    "ipv4.dhcp",
    "ipv4.dhcp.expiry",
    "ipv4.dhcp.gateway",
    "ipv4.dhcp.ranges",
    "ipv4.firewall",
    "ipv4.nat",
    "ipv4.routes",
    "ipv4.routing",
    "ipv6.address",
    "ipv6.dhcp",
    "ipv6.dhcp.expiry",
    "ipv6.dhcp.ranges",
    "ipv6.dhcp.stateful",
    "ipv6.firewall",
    "ipv6.nat",
    "ipv6.routes",
    "ipv6.routing",
    "raw.dnsmasq",
];

const LATER: [&str; 4] =
    ["bridge.external_interfaces", "fan.overlay_subnet", "fan.underlay_subnet", "fan.type"];

const TUNNEL_KEYS: [&str; 7] = ["protocol", "local", "remote", "group", "id", "port", "interface"];

impl BridgeConfig {
    /// Reads a configuration. A key with an empty value is unset.
    ///
    /// # Errors
    /// See [`ConfigError`]; the first key in alphabetical order that is wrong.
    pub fn parse(config: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        for (key, value) in config {
            check_key(key, value)?;
        }
        let keys = Keys(config);
        let ipv4 = keys.ipv4()?;
        let ipv6 = keys.ipv6()?;
        let mtu = keys.mtu(ipv4.is_some(), ipv6.is_some())?;
        Ok(Self {
            ipv4,
            ipv6,
            mtu,
            dns_domain: keys.checked("dns.domain", is_domain, "a domain name")?.unwrap_or("lxd").to_owned(),
            dns_mode: keys.dns_mode()?,
            hwaddr: keys.parsed("bridge.hwaddr", "a hardware address such as 00:16:3e:12:34:56")?,
            raw_dnsmasq: keys.get("raw.dnsmasq").unwrap_or_default().to_owned(),
        })
    }
}

fn check_key(key: &str, value: &str) -> Result<(), ConfigError> {
    let unsupported = || ConfigError::Unsupported { key: key.to_owned(), value: value.to_owned() };
    let accepted = match key {
        "bridge.driver" => ["", "native"].contains(&value),
        "bridge.mode" => ["", "standard"].contains(&value),
        _ if key.starts_with("user.") || KNOWN.contains(&key) => true,
        _ if LATER.contains(&key) || is_tunnel_key(key) => value.is_empty(),
        _ => return Err(ConfigError::UnknownKey { key: key.to_owned() }),
    };
    if accepted { Ok(()) } else { Err(unsupported()) }
}

fn is_tunnel_key(key: &str) -> bool {
    let parts: Vec<_> = key.split('.').collect();
    matches!(parts[..], ["tunnel", name, what] if !name.is_empty() && TUNNEL_KEYS.contains(&what))
}

struct Keys<'a>(&'a BTreeMap<String, String>);

impl<'a> Keys<'a> {
    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.get(key).map(String::as_str).filter(|v| !v.is_empty())
    }

    fn invalid(&self, key: &str, expected: &'static str) -> ConfigError {
        let value = self.get(key).unwrap_or_default().to_owned();
        ConfigError::Invalid { key: key.to_owned(), value, expected }
    }

    fn checked(
        &self,
        key: &str,
        good: fn(&str) -> bool,
        expected: &'static str,
    ) -> Result<Option<&'a str>, ConfigError> {
        match self.get(key) {
            Some(value) if !good(value) => Err(self.invalid(key, expected)),
            value => Ok(value),
        }
    }

    fn parsed<T: FromStr>(&self, key: &str, expected: &'static str) -> Result<Option<T>, ConfigError> {
        self.get(key).map(|v| v.parse().map_err(|_| self.invalid(key, expected))).transpose()
    }

    fn boolean(&self, key: &str, default: bool) -> Result<bool, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(default) };
        match value.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(self.invalid(key, "true or false")),
        }
    }

    fn list<T: FromStr>(&self, key: &str, expected: &'static str) -> Result<Vec<T>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        value.split(',').map(|item| item.trim().parse().map_err(|_| self.invalid(key, expected))).collect()
    }

    fn subnet<N: FromStr>(
        &self,
        key: &str,
        expected: &'static str,
    ) -> Result<Option<Subnet<N>>, ConfigError> {
        match self.get(key) {
            None | Some("none") => Ok(None),
            Some("auto") => Ok(Some(Subnet::Auto)),
            Some(_) => Ok(self.parsed(key, expected)?.map(Subnet::Fixed)),
        }
    }

    fn dhcp<A: FromStr + Ord>(&self, family: &str, gateway: Option<A>) -> Result<Dhcp<A>, ConfigError> {
        let expiry = format!("{family}.dhcp.expiry");
        let expiry = self.checked(&expiry, is_expiry, "a time such as 45m, 1h, 2d or infinite")?;
        let ranges = self.list::<Range<A>>(&format!("{family}.dhcp.ranges"), "FIRST-LAST[,FIRST-LAST...]")?;
        Ok(Dhcp { expiry: expiry.unwrap_or("1h").to_owned(), ranges, gateway })
    }

    fn ipv4(&self) -> Result<Option<Ipv4>, ConfigError> {
        const EXPECTED: &str = "the bridge's own address with its prefix length (10.0.3.1/24), auto or none";
        let address = self.subnet::<Ipv4Net>("ipv4.address", EXPECTED)?;
        if let Some(Subnet::Fixed(net)) = address
            && (net.prefix_len() > 30
                || net.prefix_len() < 8
                || net.addr() == net.network()
                || net.addr() == net.broadcast()
                || net.addr().is_multicast()
                || net.addr().is_loopback())
        {
            return Err(self.invalid("ipv4.address", EXPECTED));
        }
        let gateway = self.parsed("ipv4.dhcp.gateway", "an IPv4 address")?;
        let dhcp = self.dhcp("ipv4", gateway)?;
        let read = Ipv4 {
            address: address.unwrap_or(Subnet::Auto),
            nat: self.boolean("ipv4.nat", false)?,
            firewall: self.boolean("ipv4.firewall", true)?,
            routing: self.boolean("ipv4.routing", true)?,
            dhcp: self.boolean("ipv4.dhcp", true)?.then_some(dhcp),
            routes: self.list("ipv4.routes", "IPv4 subnets with prefix length, separated by commas")?,
        };
        Ok(address.map(|_| read))
    }

    fn ipv6(&self) -> Result<Option<Ipv6>, ConfigError> {
        const EXPECTED: &str = "the bridge's own address with its prefix length (fd42::1/64), auto or none";
        let address = self.subnet::<Ipv6Net>("ipv6.address", EXPECTED)?;
        if let Some(Subnet::Fixed(net)) = address
            && (net.prefix_len() > 126
                || net.prefix_len() < 16
                || net.addr() == net.network()
                || net.addr().is_multicast()
                || net.addr().is_loopback())
        {
            return Err(self.invalid("ipv6.address", EXPECTED));
        }
        let stateful = self.boolean("ipv6.dhcp.stateful", false)?;
        let dhcp = self.dhcp("ipv6", None)?;
        let dhcp = if stateful { Dhcp6::Stateful(dhcp) } else { Dhcp6::Stateless };
        let read = Ipv6 {
            address: address.unwrap_or(Subnet::Auto),
            nat: self.boolean("ipv6.nat", false)?,
            firewall: self.boolean("ipv6.firewall", true)?,
            routing: self.boolean("ipv6.routing", true)?,
            dhcp: self.boolean("ipv6.dhcp", true)?.then_some(dhcp),
            routes: self.list("ipv6.routes", "IPv6 subnets with prefix length, separated by commas")?,
        };
        Ok(address.map(|_| read))
    }

    fn dns_mode(&self) -> Result<DnsMode, ConfigError> {
        match self.get("dns.mode") {
            None | Some("managed") => Ok(DnsMode::Managed),
            Some("none") => Ok(DnsMode::None),
            Some("dynamic") => Ok(DnsMode::Dynamic),
            Some(_) => Err(self.invalid("dns.mode", "none, managed or dynamic")),
        }
    }

    fn mtu(&self, v4: bool, v6: bool) -> Result<Option<u32>, ConfigError> {
        const KEY: &str = "bridge.mtu";
        let mtu = self.parsed::<u32>(KEY, "a number of bytes from 68 to 65535")?;
        match mtu {
            Some(mtu) if v6 && mtu < 1280 => Err(self.invalid(KEY, "at least 1280, which IPv6 needs")),
            Some(mtu) if v4 && mtu < 68 => Err(self.invalid(KEY, "at least 68, which IPv4 needs")),
            Some(mtu) if !(68..=65535).contains(&mtu) => {
                Err(self.invalid(KEY, "a number of bytes from 68 to 65535"))
            }
            mtu => Ok(mtu),
        }
    }
}

impl<A: FromStr + Ord> FromStr for Range<A> {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, ()> {
        let (first, last) = text.split_once('-').ok_or(())?;
        let first: A = first.trim().parse().map_err(|_| ())?;
        let last: A = last.trim().parse().map_err(|_| ())?;
        if first <= last { Ok(Self { first, last }) } else { Err(()) }
    }
}

impl<A: fmt::Display> fmt::Display for Range<A> {
    /// As dnsmasq reads it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{},{}", self.first, self.last)
    }
}

fn is_expiry(text: &str) -> bool {
    let digits = text.strip_suffix(['s', 'm', 'h', 'd', 'w']).unwrap_or(text);
    text == "infinite" || ((1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()))
}

fn is_domain(text: &str) -> bool {
    let label = |l: &str| {
        (1..=63).contains(&l.len())
            && !l.starts_with('-')
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
    };
    text.len() <= 253 && text.split('.').all(label)
}

#[cfg(test)]
mod tests;
