//! Version 1 of the PROXY protocol: a line before the first byte that says who has called.
//!
//! <https://www.haproxy.org/download/2.9/doc/proxy-protocol.txt>

use std::net::{IpAddr, SocketAddr};

/// The line for a connection from `from` that was taken at `to`; `None`: it has no addresses.
pub(crate) fn line(ends: Option<(SocketAddr, SocketAddr)>) -> String {
    let Some((from, to)) = ends else { return "PROXY UNKNOWN\r\n".to_owned() };
    let (from_ip, to_ip) = (from.ip().to_canonical(), to.ip().to_canonical());
    let family = match (from_ip, to_ip) {
        (IpAddr::V4(_), IpAddr::V4(_)) => "TCP4",
        (IpAddr::V6(_), IpAddr::V6(_)) => "TCP6",
        _ => return "PROXY UNKNOWN\r\n".to_owned(),
    };
    format!("PROXY {family} {from_ip} {to_ip} {} {}\r\n", from.port(), to.port())
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn addresses_of_both_ends() {
        let ends = |from: &str, to: &str| line(Some((from.parse().unwrap(), to.parse().unwrap())));
        assert_eq!(ends("1.2.3.4:5", "6.7.8.9:10"), "PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n");
        assert_eq!(ends("[::ffff:1.2.3.4]:5", "[::ffff:6.7.8.9]:10"), "PROXY TCP4 1.2.3.4 6.7.8.9 5 10\r\n");
        assert_eq!(ends("[::1]:5", "[::2]:10"), "PROXY TCP6 ::1 ::2 5 10\r\n");
        assert_eq!(line(None), "PROXY UNKNOWN\r\n");
    }
}
