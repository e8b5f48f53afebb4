//! Giving back the addresses of a container that is gone.
//!
//! The server keeps leases in memory and would write a removed line again, so it is told in its
//! own language: a DHCPRELEASE (RFC 2131) as the client would have sent it. Restarting it instead
//! would leave every other container without DNS for a moment. Leases of stateful DHCPv6 expire
//! by themselves while the server runs.

use super::leases::{self, Lease};
use super::process::{DnsmasqError, blocking, file_error, running, write_if_changed};
use crate::bridge::Bridge;
use crate::names::MacAddress;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};
use tokio::net::UdpSocket;

const SERVER_PORT: u16 = 67;

/// A DHCPRELEASE packet.
fn packet(lease: Ipv4Addr, hwaddr: MacAddress, server: Ipv4Addr, client_id: &[u8]) -> Vec<u8> {
    let mut packet = vec![0; 236];
    // A request, over Ethernet, with addresses of six bytes.
    packet[..3].copy_from_slice(&[1, 1, 6]);
    packet[12..16].copy_from_slice(&lease.octets());
    packet[28..34].copy_from_slice(&hwaddr.0);
    packet.extend([99, 130, 83, 99]);
    packet.extend([53, 1, 7]);
    packet.extend([54, 4]);
    packet.extend(server.octets());
    if let (Ok(length), false) = (u8::try_from(client_id.len()), client_id.is_empty()) {
        packet.extend([61, length]);
        packet.extend(client_id);
    }
    packet.push(255);
    packet
}

/// The bytes of `01:00:16:3e…`; empty for `*`.
fn client_id(text: &str) -> Vec<u8> {
    text.split(':').map(|part| u8::from_str_radix(part, 16)).collect::<Result<_, _>>().unwrap_or_default()
}

/// Gives back what `hwaddrs` hold.
pub(crate) async fn forget(bridge: &Bridge, hwaddrs: &[MacAddress]) -> Result<(), DnsmasqError> {
    let file = bridge.dir.join("dnsmasq.leases");
    let text = match tokio::fs::read_to_string(&file).await {
        Ok(text) => text,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(file_error("read", &file)(e)),
    };
    let theirs: Vec<Lease> = leases::parse(&text)
        .into_iter()
        .filter(|l| l.hwaddr.is_some_and(|mac| hwaddrs.contains(&mac)))
        .collect();
    if theirs.is_empty() {
        return Ok(());
    }
    let server = bridge.config.ipv4.as_ref().and_then(|v4| v4.address.fixed()).map(|net| net.addr());
    let dir = bridge.dir.clone();
    let alive = blocking(move || running(&dir).map(|r| r.is_some())).await?;
    match server {
        Some(server) if alive => {
            let failed =
                |source| DnsmasqError::File { what: "give back leases of", path: file.clone(), source };
            release(bridge, &theirs, server).await.map_err(failed)
        }
        _ => {
            let gone: Vec<IpAddr> = theirs.iter().map(|l| l.address).collect();
            blocking(move || rewrite(&file, &gone)).await
        }
    }
}

async fn release(bridge: &Bridge, leases: &[Lease], server: Ipv4Addr) -> io::Result<()> {
    let socket = UdpSocket::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0)).await?;
    socket.bind_device(Some(bridge.name.as_str().as_bytes()))?;
    for lease in leases {
        if let (IpAddr::V4(address), Some(hwaddr)) = (lease.address, lease.hwaddr) {
            let packet = packet(address, hwaddr, server, &client_id(&lease.client_id));
            socket.send_to(&packet, SocketAddrV4::new(server, SERVER_PORT)).await?;
        }
    }
    Ok(())
}

fn rewrite(file: &std::path::Path, gone: &[IpAddr]) -> Result<(), DnsmasqError> {
    let text = fs::read_to_string(file).map_err(file_error("read", file))?;
    let held = |line: &&str| !leases::parse(line).iter().any(|l| gone.contains(&l.address));
    let kept: String = text.lines().filter(held).flat_map(|line| [line, "\n"]).collect();
    write_if_changed(file, &kept, None).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_laid_out_as_the_rfc_says() {
        let mac = MacAddress::generate([1, 2, 3]);
        let id = client_id("01:00:16:3e:01:02:03");
        assert_eq!(id, [1, 0, 0x16, 0x3e, 1, 2, 3]);
        let packet = packet(Ipv4Addr::new(10, 0, 0, 5), mac, Ipv4Addr::new(10, 0, 0, 1), &id);
        assert_eq!(&packet[12..16], [10, 0, 0, 5]);
        assert_eq!(&packet[28..34], mac.0);
        assert_eq!(
            &packet[236..],
            [99, 130, 83, 99, 53, 1, 7, 54, 4, 10, 0, 0, 1, 61, 7, 1, 0, 0x16, 0x3e, 1, 2, 3, 255]
        );
        assert_eq!(client_id("*"), [0; 0]);
    }

    #[test]
    fn a_file_nobody_serves_loses_the_lines() {
        let dir = tempfile::tempdir().expect("temporary directory");
        let file = dir.path().join("dnsmasq.leases");
        let text = "1 00:16:3e:00:00:01 10.0.0.5 a *\nduid 00:01\n1 00:16:3e:00:00:02 10.0.0.6 b *\n";
        fs::write(&file, text).expect("write");
        rewrite(&file, &[IpAddr::from([10, 0, 0, 5])]).expect("rewrite");
        let left = fs::read_to_string(&file).expect("read");
        assert_eq!(left, "duid 00:01\n1 00:16:3e:00:00:02 10.0.0.6 b *\n");
    }
}
