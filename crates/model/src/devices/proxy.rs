//! `proxy`: connections and packets that are passed on from one side to the other.

use super::{DeviceError, Reader};
use std::net::{IpAddr, Ipv6Addr};

/// How many ports a device may have on each side.
const MOST_PORTS: usize = 16_384;

/// What arrives at one side is passed on to the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where connections are taken.
    pub listen: ProxyAddress,
    /// Where they are passed on to.
    pub connect: ProxyAddress,
    /// On which side it listens; it connects on the other.
    pub bind: ProxySide,
    /// Owner of the unix socket that it listens at, on the side where that is.
    pub owner: (u32, u32),
    /// Mode of that socket.
    pub mode: u32,
    /// User and group that connect, on the side where that happens; none: root.
    pub identity: Option<(u32, u32)>,
    /// Whoever is connected to learns by a header who has called.
    pub proxy_protocol: bool,
    /// By the firewall rather than by a process.
    pub nat: bool,
}

/// Where something listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyAddress {
    /// `tcp:<host>:<ports>`; the host is an address without brackets, or a name.
    Tcp(String, Vec<u16>),
    /// `udp:<host>:<ports>`.
    Udp(String, Vec<u16>),
    /// `unix:<path>`.
    Unix(String),
    /// `unix:@<name>`.
    Abstract(String),
}

/// A side of a forwarded port.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProxySide {
    /// The host.
    #[default]
    Host,
    /// The container.
    Container,
}

impl ProxyAddress {
    /// How many ports it has; a unix socket is one.
    #[must_use]
    pub fn count(&self) -> usize {
        match self {
            Self::Tcp(_, ports) | Self::Udp(_, ports) => ports.len(),
            Self::Unix(_) | Self::Abstract(_) => 1,
        }
    }
}

pub(super) fn parse(read: &Reader<'_>) -> Result<Proxy, DeviceError> {
    let address = |property| read.parsed(property, address)?.ok_or_else(|| read.missing(property));
    let side = |value: &str| match value {
        "host" => Some(ProxySide::Host),
        "container" | "instance" | "guest" => Some(ProxySide::Container),
        _ => None,
    };
    let id = |property| read.number::<u32>(property);
    let (listen, connect) = (address("listen")?, address("connect")?);
    let (uid, gid) = (id("uid")?, id("gid")?);
    let mode = read.parsed("mode", |v| {
        u32::from_str_radix(v, 8).ok().filter(|mode| *mode <= 0o777 && !v.starts_with('+'))
    })?;
    let (as_user, as_group) = (id("security.uid")?, id("security.gid")?);
    let proxy = Proxy {
        listen,
        connect,
        bind: read.parsed("bind", side)?.unwrap_or_default(),
        owner: (uid.unwrap_or(0), gid.unwrap_or(0)),
        mode: mode.unwrap_or(0o644),
        identity: (as_user.is_some() || as_group.is_some())
            .then(|| (as_user.unwrap_or(0), as_group.unwrap_or(0))),
        proxy_protocol: read.bool("proxy_protocol")?.unwrap_or(false),
        nat: read.bool("nat")?.unwrap_or(false),
    };
    fitting(read, &proxy, uid.is_some() || gid.is_some() || mode.is_some())?;
    Ok(proxy)
}

/// What only makes sense together.
fn fitting(read: &Reader<'_>, proxy: &Proxy, has_owner: bool) -> Result<(), DeviceError> {
    use ProxyAddress::{Tcp, Udp, Unix};
    let text = |property| read.text(property).unwrap_or_default();
    let (listens, connects) = (proxy.listen.count(), proxy.connect.count());
    if connects != 1 && connects != listens {
        let allowed = format!("one port, or as many as \"listen\" has ({listens})");
        return Err(read.invalid("connect", text("connect"), &allowed));
    }
    if matches!(proxy.listen, Udp(..)) != matches!(proxy.connect, Udp(..)) {
        return Err(read.invalid("connect", text("connect"), "udp on both sides, or on none"));
    }
    if proxy.proxy_protocol && !matches!(proxy.connect, Tcp(..)) {
        let allowed = "it only with connect=tcp:…";
        return Err(read.invalid("proxy_protocol", text("proxy_protocol"), allowed));
    }
    if has_owner && !matches!(proxy.listen, Unix(_)) {
        let allowed = "unix:<path> with uid, gid and mode, or leave these out";
        return Err(read.invalid("listen", text("listen"), allowed));
    }
    Ok(())
}

fn address(text: &str) -> Option<ProxyAddress> {
    match text.split_once(':')? {
        ("unix", rest) => match rest.strip_prefix('@') {
            Some(name) => fits(name, 106).then(|| ProxyAddress::Abstract(name.to_owned())),
            None => (rest.starts_with('/') && fits(rest, 4095) && !rest.split('/').any(|part| part == ".."))
                .then(|| ProxyAddress::Unix(rest.to_owned())),
        },
        (kind @ ("tcp" | "udp"), rest) => {
            let (host, ports) = rest.rsplit_once(':')?;
            let (host, ports) = (host_of(host)?, ports_of(ports)?);
            Some(if kind == "tcp" { ProxyAddress::Tcp(host, ports) } else { ProxyAddress::Udp(host, ports) })
        }
        _ => None,
    }
}

fn fits(text: &str, most: usize) -> bool {
    (1..=most).contains(&text.len()) && !text.contains('\0')
}

fn host_of(text: &str) -> Option<String> {
    let host = match text.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|host| host.parse::<Ipv6Addr>().is_ok())?,
        None => text,
    };
    let is_name = !host.is_empty()
        && !host.starts_with('-')
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'));
    (host.parse::<IpAddr>().is_ok() || is_name).then(|| host.to_owned())
}

/// `80`, `80-90`, `80,443,8000-8010`.
fn ports_of(text: &str) -> Option<Vec<u16>> {
    let port = |text: &str| {
        text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten().filter(|p: &u16| *p > 0)
    };
    let mut ports = Vec::new();
    for part in text.split(',') {
        match part.split_once('-') {
            None => ports.push(port(part)?),
            Some((first, last)) => {
                let (first, last) = (port(first)?, port(last)?);
                if first > last {
                    return None;
                }
                ports.extend(first..=last);
            }
        }
        if ports.len() > MOST_PORTS {
            return None;
        }
    }
    Some(ports)
}
