//! `proxy`: a port that is forwarded.

use super::{DeviceError, Reader};

/// A TCP port that is forwarded to another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proxy {
    /// Where connections are taken.
    pub listen: ProxyAddress,
    /// Where they are passed on to.
    pub connect: ProxyAddress,
    /// On which side it listens; it connects on the other.
    pub bind: ProxySide,
}

/// `tcp:<host>:<port>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAddress {
    /// An address without brackets, or a host name.
    pub host: String,
    /// The port.
    pub port: u16,
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

pub(super) fn parse(read: &Reader<'_>) -> Result<Proxy, DeviceError> {
    let address = |property| read.parsed(property, address)?.ok_or_else(|| read.missing(property));
    let side = |value: &str| match value {
        "host" => Some(ProxySide::Host),
        "container" | "instance" | "guest" => Some(ProxySide::Container),
        _ => None,
    };
    Ok(Proxy {
        listen: address("listen")?,
        connect: address("connect")?,
        bind: read.parsed("bind", side)?.unwrap_or_default(),
    })
}

fn address(text: &str) -> Option<ProxyAddress> {
    let (host, port) = text.strip_prefix("tcp:")?.rsplit_once(':')?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').filter(|h| h.parse::<std::net::Ipv6Addr>().is_ok())?,
        None => host,
    };
    let name = |h: &str| {
        !h.is_empty()
            && !h.starts_with('-')
            && h.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.'))
    };
    (host.parse::<std::net::IpAddr>().is_ok() || name(host)).then_some(())?;
    let port = port.bytes().all(|b| b.is_ascii_digit()).then(|| port.parse().ok()).flatten()?;
    (port > 0).then(|| ProxyAddress { host: host.to_owned(), port })
}
