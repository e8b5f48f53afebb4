//! Reservations: which container gets which address and name.

use super::process::{DnsmasqError, account, blocking, file_error, make_hosts_dir, reload, write_if_changed};
use crate::bridge::{Bridge, DnsMode};
use crate::names::MacAddress;
use model::names::InstanceName;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

/// What one interface on the bridge is promised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reservation {
    /// The interface inside.
    pub hwaddr: MacAddress,
    /// Its address, when that is fixed.
    pub ipv4: Option<Ipv4Addr>,
    /// Its address, when that is fixed.
    pub ipv6: Option<Ipv6Addr>,
}

/// A container with interfaces on the bridge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// The container.
    pub name: InstanceName,
    /// Its interfaces on this bridge.
    pub nics: Vec<Reservation>,
}

/// The files of all hosts, by name. The first of several containers that are promised the same
/// addresses (copies of each other) gets the line, with the hardware addresses of all of them:
/// the server refuses to promise an address twice.
fn render(hosts: &[Host], mode: DnsMode) -> BTreeMap<String, String> {
    let promises = || hosts.iter().flat_map(|h| h.nics.iter().map(move |nic| (h, nic)));
    let same = |a: &Reservation, b: &Reservation| {
        (a.ipv4.is_some() || a.ipv6.is_some()) && a.ipv4 == b.ipv4 && a.ipv6 == b.ipv6
    };
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    for (position, (host, nic)) in promises().enumerate() {
        let file = files.entry(host.name.to_string()).or_default();
        if promises().take(position).any(|(_, earlier)| same(earlier, nic)) {
            continue;
        }
        let others = promises().skip(position + 1).filter(|(_, later)| same(nic, later));
        let macs = std::iter::once(nic.hwaddr).chain(others.map(|(_, later)| later.hwaddr));
        let mut line: Vec<String> = macs.map(|m| m.to_string()).collect();
        let promised = nic.ipv4.is_some() || nic.ipv6.is_some() || mode == DnsMode::Managed;
        if !promised {
            continue;
        }
        line.extend(nic.ipv4.map(|ip| ip.to_string()));
        line.extend(nic.ipv6.map(|ip| format!("[{ip}]")));
        if mode == DnsMode::Managed {
            line.push(host.name.to_string());
        }
        file.push_str(&line.join(","));
        file.push('\n');
    }
    files
}

/// Makes the reservations of one container what `host` says.
pub(crate) async fn set(bridge: &Bridge, host: Host) -> Result<(), DnsmasqError> {
    let bridge = bridge.clone();
    blocking(move || {
        let account = account();
        let dir = make_hosts_dir(&bridge.dir, account.as_ref())?;
        let mut changed = false;
        for (name, content) in render(std::slice::from_ref(&host), bridge.config.dns_mode) {
            changed |= write_if_changed(&dir.join(name), &content, account.as_ref())?;
        }
        if changed { reload(&bridge.dir) } else { Ok(()) }
    })
    .await
}

/// Forgets the reservations of one container; having none is fine.
pub(crate) async fn remove(bridge: &Bridge, name: &InstanceName) -> Result<(), DnsmasqError> {
    let (dir, file) = (bridge.dir.clone(), bridge.dir.join("dnsmasq.hosts").join(name));
    blocking(move || match fs::remove_file(&file) {
        Ok(()) => reload(&dir),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(file_error("remove", &file)(e)),
    })
    .await
}

/// Makes the reservations exactly those of `hosts`.
pub(crate) async fn sync(bridge: &Bridge, hosts: Vec<Host>) -> Result<(), DnsmasqError> {
    let bridge = bridge.clone();
    blocking(move || {
        let account = account();
        let dir = make_hosts_dir(&bridge.dir, account.as_ref())?;
        let wanted = render(&hosts, bridge.config.dns_mode);
        let mut changed = false;
        for entry in fs::read_dir(&dir).map_err(file_error("read", &dir))? {
            let path = entry.map_err(file_error("read", &dir))?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if !wanted.contains_key(name.as_ref()) {
                fs::remove_file(&path).map_err(file_error("remove", &path))?;
                changed = true;
            }
        }
        for (name, content) in &wanted {
            changed |= write_if_changed(&dir.join(name), content, account.as_ref())?;
        }
        if changed { reload(&bridge.dir) } else { Ok(()) }
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, last: u8, ipv4: Option<&str>, ipv6: Option<&str>) -> Host {
        let nic = Reservation {
            hwaddr: MacAddress::generate([0, 0, last]),
            ipv4: ipv4.map(|a| a.parse().expect("address")),
            ipv6: ipv6.map(|a| a.parse().expect("address")),
        };
        Host { name: InstanceName::parse(name).expect("name"), nics: vec![nic] }
    }

    #[test]
    fn lines_say_what_is_promised() {
        let hosts = [host("a", 1, None, None), host("b", 2, Some("10.0.0.2"), Some("fd42::2"))];
        let files = render(&hosts, DnsMode::Managed);
        assert_eq!(files["a"], "00:16:3e:00:00:01,a\n");
        assert_eq!(files["b"], "00:16:3e:00:00:02,10.0.0.2,[fd42::2],b\n");
        let files = render(&hosts, DnsMode::Dynamic);
        assert_eq!(files["a"], "");
        assert_eq!(files["b"], "00:16:3e:00:00:02,10.0.0.2,[fd42::2]\n");
    }

    #[test]
    fn copies_share_one_line() {
        let hosts = [
            host("a", 1, Some("10.0.0.2"), None),
            host("b", 2, Some("10.0.0.2"), None),
            host("c", 3, None, None),
            host("d", 4, Some("10.0.0.2"), None),
        ];
        let files = render(&hosts, DnsMode::Managed);
        assert_eq!(files["a"], "00:16:3e:00:00:01,00:16:3e:00:00:02,00:16:3e:00:00:04,10.0.0.2,a\n");
        assert_eq!((files["b"].as_str(), files["d"].as_str()), ("", ""));
        assert_eq!(files["c"], "00:16:3e:00:00:03,c\n");
    }
}
