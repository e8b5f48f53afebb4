//! The conversation between the daemon and the forwarder.
//!
//! As with the keeper: a `SOCK_SEQPACKET` unix socket, mode 0600, one JSON message in a packet, one
//! reply for each request. There is one request that matters, [`RequestBody::Set`]: it says what a
//! container's forwards are from now on. Saying the same again changes nothing, which is all that a
//! daemon needs which comes back after a crash.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, SocketAddr};

/// Version of this protocol. Messages are only ever added.
pub const VERSION: u32 = 1;
/// Largest message, in bytes.
pub const MAX_PACKET: usize = 256 * 1024;
/// The socket's name in the daemon's directory.
pub const SOCKET: &str = "forwarder.socket";
/// The argument that makes the keeper's program a forwarder.
pub const ARGUMENT: &str = "--forward";

/// Daemon to forwarder.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// Of the reply.
    pub id: u64,
    /// What.
    pub body: RequestBody,
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum RequestBody {
    /// Makes the forwards of a container exactly these. Descriptors: pidfd of its init, its network
    /// namespace; none when there are no forwards.
    Set {
        /// The container.
        container: String,
        /// Its init on the host.
        pid: i32,
        /// All of them.
        forwards: Vec<Forward>,
    },
}

/// Forwarder to daemon.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// Of the request.
    pub id: u64,
    /// What came of it.
    pub result: Result<(), Refusal>,
}

/// Why a forward cannot be; what was asked for new is not there then.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The device, or empty.
    pub device: String,
    /// What could not be listened at, or empty.
    pub address: String,
    /// Why.
    pub reason: String,
    /// The error number, if it was the kernel.
    pub errno: Option<i32>,
}

/// One proxy device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// Its name.
    pub device: String,
    /// It listens in the container and connects on the host; else the other way round.
    pub from_inside: bool,
    /// Where it listens.
    pub listen: Endpoint,
    /// Where it connects to; with one address, all that is listened at leads there.
    pub connect: Endpoint,
    /// Owner of the unix socket that it listens at: ids of the host.
    pub owner: (u32, u32),
    /// Mode of that socket.
    pub mode: u32,
    /// The container's root: ids of the host.
    pub root: (u32, u32),
    /// User and group that connect: ids of the host. None: root of that side.
    pub identity: Option<(u32, u32)>,
    /// Whoever is connected to gets a header that says who has called.
    pub proxy_protocol: bool,
}

/// One address, or one for each of many ports.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Endpoint {
    /// Ports as ranges with both ends in.
    Tcp(IpAddr, Vec<(u16, u16)>),
    /// The same.
    Udp(IpAddr, Vec<(u16, u16)>),
    /// A path, of the host or below the container's root.
    Unix(String),
    /// A name in the network namespace.
    Abstract(String),
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Address {
    /// Connections.
    Tcp(SocketAddr),
    /// Packets.
    Udp(SocketAddr),
    /// Connections.
    Unix(String),
    /// Connections.
    Abstract(String),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "tcp:{address}"),
            Self::Udp(address) => write!(f, "udp:{address}"),
            Self::Unix(path) => write!(f, "unix:{path}"),
            Self::Abstract(name) => write!(f, "unix:@{name}"),
        }
    }
}

/// Ports as ranges, in their order.
#[must_use]
pub fn ranges(ports: &[u16]) -> Vec<(u16, u16)> {
    let mut ranges: Vec<(u16, u16)> = Vec::new();
    for &port in ports {
        match ranges.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(port) => *last = port,
            _ => ranges.push((port, port)),
        }
    }
    ranges
}

impl Endpoint {
    /// Each address.
    #[must_use]
    pub fn addresses(&self) -> Vec<Address> {
        let each = |ip: IpAddr, ranges: &[(u16, u16)], kind: fn(SocketAddr) -> Address| {
            let ports = ranges.iter().flat_map(|&(first, last)| first..=last);
            ports.map(|port| kind(SocketAddr::new(ip, port))).collect()
        };
        match self {
            Self::Tcp(ip, ranges) => each(*ip, ranges, Address::Tcp),
            Self::Udp(ip, ranges) => each(*ip, ranges, Address::Udp),
            Self::Unix(path) => vec![Address::Unix(path.clone())],
            Self::Abstract(name) => vec![Address::Abstract(name.clone())],
        }
    }
}

impl Forward {
    /// What is listened at, and where each leads.
    #[must_use]
    pub fn routes(&self) -> Vec<(Address, Address)> {
        let targets = self.connect.addresses();
        let target = |at: usize| targets.get(at).or_else(|| targets.first()).cloned();
        let listens = self.listen.addresses().into_iter().enumerate();
        listens.filter_map(|(at, listen)| Some((listen, target(at)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forward(listen: &[u16], connect: &[u16]) -> Forward {
        let ip = IpAddr::from([127, 0, 0, 1]);
        Forward {
            device: "p".to_owned(),
            from_inside: false,
            listen: Endpoint::Tcp(ip, ranges(listen)),
            connect: Endpoint::Tcp(ip, ranges(connect)),
            owner: (0, 0),
            mode: 0o644,
            root: (0, 0),
            identity: None,
            proxy_protocol: false,
        }
    }

    #[test]
    fn ports_lead_to_ports() {
        let ports = |routes: Vec<(Address, Address)>| -> Vec<String> {
            routes.iter().map(|(from, to)| format!("{from} {to}")).collect()
        };
        assert_eq!(
            ports(forward(&[80, 81, 443], &[8080, 8081, 9000]).routes()),
            [
                "tcp:127.0.0.1:80 tcp:127.0.0.1:8080",
                "tcp:127.0.0.1:81 tcp:127.0.0.1:8081",
                "tcp:127.0.0.1:443 tcp:127.0.0.1:9000"
            ]
        );
        assert_eq!(
            ports(forward(&[80, 81], &[9]).routes()),
            ["tcp:127.0.0.1:80 tcp:127.0.0.1:9", "tcp:127.0.0.1:81 tcp:127.0.0.1:9"]
        );
    }

    #[test]
    fn ports_become_ranges_and_stay_in_order() {
        assert_eq!(ranges(&[80, 81, 82, 443, 65535]), [(80, 82), (443, 443), (65535, 65535)]);
        assert_eq!(ranges(&[5, 4]), [(5, 5), (4, 4)]);
    }
}
