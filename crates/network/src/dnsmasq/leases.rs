//! The file in which dnsmasq keeps what it gave out.

use crate::bridge::Bridge;
use crate::names::MacAddress;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;

/// Why there are no leases to list.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The server never ran.
    #[error("No lease file for network")]
    NoFile,
    /// The file cannot be read.
    #[error("Cannot read {}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// An address that a client holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What the client is called; empty when it did not say.
    pub hostname: String,
    /// The address.
    pub address: IpAddr,
    /// The client's hardware address, when that is known.
    pub hwaddr: Option<MacAddress>,
    /// The client's identifier as dnsmasq writes it; `*`: none.
    pub client_id: String,
}

/// Reads the lines of a lease file: `expiry mac address name client-id`. Lines that are none (the
/// server's own identifier) are passed over.
#[must_use]
pub fn parse(text: &str) -> Vec<Lease> {
    text.lines().filter_map(parse_line).collect()
}

fn parse_line(line: &str) -> Option<Lease> {
    let mut fields = line.split_ascii_whitespace();
    let _expiry: u64 = fields.next()?.parse().ok()?;
    let mac = fields.next()?;
    let address: IpAddr = fields.next()?.trim_start_matches('[').trim_end_matches(']').parse().ok()?;
    let name = fields.next()?;
    let client_id = fields.next()?;
    // In leases of IPv6 the second field is a number; the identifier ends with the address.
    let mac = match address {
        IpAddr::V4(_) => Some(mac),
        IpAddr::V6(_) => client_id.len().checked_sub(17).and_then(|start| client_id.get(start..)),
    };
    Some(Lease {
        hostname: if name == "*" { String::new() } else { name.to_owned() },
        address,
        // Other networks than Ethernet have a type in front: 20-00:11:…
        hwaddr: mac.and_then(|m| m.parse().ok()),
        client_id: client_id.to_owned(),
    })
}

/// The addresses that a bridge gave out.
pub(crate) async fn list(bridge: &Bridge) -> Result<Vec<Lease>, LeaseError> {
    let path = bridge.dir.join("dnsmasq.leases");
    match tokio::fs::read(&path).await {
        Ok(bytes) => Ok(parse(&String::from_utf8_lossy(&bytes))),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(LeaseError::NoFile),
        Err(source) => Err(LeaseError::Read { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_families_and_rubbish() {
        let text = "1700000000 00:16:3e:00:00:01 10.0.0.5 first 01:00:16:3e:00:00:01
1700000000 00:16:3e:00:00:02 10.0.0.6 * *
duid 00:01:00:01:2a:2b:2c:2d:00:16:3e:00:00:09
1700000000 12345 fd42::5 first 00:01:00:01:2a:2b:2c:2d:00:16:3e:00:00:01
0 20-00:11 10.0.0.7 ib *
x y z
1700000000 00:16:3e:00:00:03 10.0.0.8
";
        let leases = parse(text);
        let brief: Vec<_> = leases
            .iter()
            .map(|l| {
                let mac = l.hwaddr.map_or_else(String::new, |m| m.to_string());
                format!("{} {} {mac}", l.hostname, l.address)
            })
            .collect();
        assert_eq!(
            brief,
            [
                "first 10.0.0.5 00:16:3e:00:00:01",
                " 10.0.0.6 00:16:3e:00:00:02",
                "first fd42::5 00:16:3e:00:00:01",
                "ib 10.0.0.7 ",
            ]
        );
    }
}
