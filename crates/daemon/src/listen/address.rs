//! Where to listen: `host:port`, `host`, `[v6]:port`, `:port`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

/// The port where none is given.
const PORT: u16 = 8443;

/// Where to listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an address without brackets; empty for every address of this host.
    host: String,
    port: u16,
}

impl Address {
    /// Reads a value of `core.https_address`; `None` when it has no such form.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let at = |host: &str, port: Option<&str>| {
            let port = port.filter(|port| !port.is_empty()).map_or(Some(PORT), |port| port.parse().ok())?;
            Some(Self { host: if host == "*" { "" } else { host }.to_owned(), port })
        };
        if text.is_empty() {
            return None;
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return at(text, None);
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (host, port) = rest.split_once(']')?;
            let _: Ipv6Addr = host.parse().ok()?;
            return if port.is_empty() { at(host, None) } else { at(host, Some(port.strip_prefix(':')?)) };
        }
        match text.rsplit_once(':') {
            Some((host, port)) => at(host, Some(port)),
            None => at(text, None),
        }
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Addresses to try in this order. Looks names up, which blocks.
    ///
    /// # Errors
    /// The name is not known.
    pub(crate) fn resolve(&self) -> std::io::Result<Vec<SocketAddr>> {
        if self.host.is_empty() {
            // The first one takes connections of both versions; where there is no version 6, the other.
            let all = [IpAddr::from(Ipv6Addr::UNSPECIFIED), Ipv4Addr::UNSPECIFIED.into()];
            return Ok(all.map(|ip| SocketAddr::new(ip, self.port)).to_vec());
        }
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let mut found: Vec<_> = (self.host.as_str(), self.port).to_socket_addrs()?.collect();
        found.sort_by_key(SocketAddr::is_ipv6);
        found.truncate(1);
        Ok(found)
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.as_str() {
            "" => write!(f, "[::]:{}", self.port),
            host if host.contains(':') => write!(f, "[{host}]:{}", self.port),
            host => write!(f, "{host}:{}", self.port),
        }
    }
}

/// Where a socket that listens at `bound` can be reached, as `host:port`. `reachable` are the addresses
/// of this host; an address that covers all of them is replaced by those of its version.
pub(crate) fn shown(bound: SocketAddr, reachable: &[IpAddr]) -> Vec<String> {
    if !bound.ip().is_unspecified() {
        return vec![bound.to_string()];
    }
    let covered = |ip: &&IpAddr| bound.is_ipv6() || ip.is_ipv4();
    reachable.iter().filter(covered).map(|ip| SocketAddr::new(*ip, bound.port()).to_string()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_an_address() {
        let parsed = |text: &str| Address::parse(text).map(|address| address.to_string());
        for (text, meant) in [
            ("10.0.0.1", "10.0.0.1:8443"),
            ("10.0.0.1:443", "10.0.0.1:443"),
            ("host.example", "host.example:8443"),
            ("host:1", "host:1"),
            (":9", "[::]:9"),
            ("*", "[::]:8443"),
            ("*:9", "[::]:9"),
            ("::", "[::]:8443"),
            ("[::]", "[::]:8443"),
            ("[::]:8443", "[::]:8443"),
            ("fe80::1", "[fe80::1]:8443"),
            ("[::1]:5", "[::1]:5"),
        ] {
            assert_eq!(parsed(text).as_deref(), Some(meant), "{text}");
        }
        for text in ["", "host:x", "host:70000", "[x]:1", "[::1", "[::1]5"] {
            assert_eq!(parsed(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_shown_can_be_reached() {
        let reachable = ["10.0.0.1", "fd00::1"].map(|text| text.parse().unwrap());
        let shown = |bound: &str| shown(bound.parse().unwrap(), &reachable);
        assert_eq!(shown("[::]:8443"), ["10.0.0.1:8443", "[fd00::1]:8443"]);
        assert_eq!(shown("0.0.0.0:8443"), ["10.0.0.1:8443"]);
        assert_eq!(shown("127.0.0.1:1"), ["127.0.0.1:1"]);
    }

    #[test]
    fn everywhere_is_both_versions() {
        let all = Address::parse(":1").unwrap().resolve().unwrap();
        assert_eq!(all, ["[::]:1".parse().unwrap(), "0.0.0.0:1".parse().unwrap()]);
        assert_eq!(Address::parse("10.0.0.1:2").unwrap().resolve().unwrap(), ["10.0.0.1:2".parse().unwrap()]);
    }
}
