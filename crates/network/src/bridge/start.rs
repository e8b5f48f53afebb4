//! Bringing a bridge up and down.
//!
//! Starting looks at what is there and repairs the differences only, so that a daemon that comes
//! back disturbs nobody: the interface is never taken down, addresses that are right stay, the
//! rules are replaced in one transaction, and a server with the right command line keeps running.

use super::{Bridge, BridgeConfig};
use crate::dnsmasq::{self, DnsmasqError};
use crate::firewall::{self, Applied};
use crate::names::{InterfaceName, MacAddress};
use crate::netlink::{Changes, Link, LinkKind, Netlink, NetlinkError, Socket};
use crate::sysctl::{self, SysctlError};
use ipnet::IpNet;
use model::names::NetworkName;
use netlink_packet_route::link::LinkFlags;
use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use tools::RunError;

/// What a started bridge can not do.
#[derive(Debug, thiserror::Error)]
pub enum Warning {
    /// Containers reach nobody beyond the host.
    #[error("The network {network} has no address translation: {reason}")]
    NoNat {
        /// The network.
        network: String,
        /// What `nft` said.
        reason: RunError,
    },
    /// No rule is in force.
    #[error("The network {network} has no firewall rules and no address translation: {reason}")]
    NoFirewall {
        /// The network.
        network: String,
        /// What `nft` said.
        reason: RunError,
    },
    /// A setting of the kernel could not be made.
    #[error("The network {network} works in part: {reason} ({})", .reason.source)]
    Sysctl {
        /// The network.
        network: String,
        /// Which and why.
        reason: SysctlError,
    },
}

/// What starting did.
#[derive(Debug, Default)]
pub struct Started {
    /// The interface was not there before.
    pub created: bool,
    /// What does not work all the same.
    pub warnings: Vec<Warning>,
}

/// Why a bridge is not up. What this start made is gone again.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `auto` is still in the configuration.
    #[error("The network {network} has no {family} subnet yet")]
    NoSubnet {
        /// The network.
        network: String,
        /// `IPv4` or `IPv6`.
        family: &'static str,
    },
    /// The name belongs to something else.
    #[error("There is an interface {name} already, and it is no bridge; choose another name")]
    NotABridge {
        /// Its name.
        name: InterfaceName,
    },
    /// The network's directory cannot be made.
    #[error("Cannot create {}", .path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No DHCP and DNS.
    #[error(transparent)]
    Dnsmasq(#[from] DnsmasqError),
    /// The kernel did not do it.
    #[error("Cannot configure the bridge {name}")]
    Kernel {
        /// The bridge.
        name: InterfaceName,
        /// What the kernel said.
        source: NetlinkError,
    },
    /// The connection to the kernel is gone.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// Why a bridge is still there.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// Its server does not end.
    #[error(transparent)]
    Dnsmasq(#[from] DnsmasqError),
    /// Its rules cannot be removed.
    #[error("Cannot remove the firewall rules of the network {network}")]
    Firewall {
        /// The network.
        network: String,
        /// What `nft` said.
        source: RunError,
    },
    /// The interface cannot be deleted.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// Brings a bridge up, or repairs one that is.
pub(crate) async fn start(netlink: &Netlink, bridge: &Bridge) -> Result<Started, StartError> {
    check(bridge)?;
    let (name, config, dir) = (InterfaceName::from(&bridge.name), bridge.config.clone(), bridge.dir.clone());
    let network = bridge.name.to_string();
    let (created, sysctls) = netlink
        .writer
        .call(move |socket| {
            make_directory(&dir)?;
            configure(socket, &name, &config)
        })
        .await?;
    let sysctl = |reason| Warning::Sysctl { network: network.clone(), reason };
    let mut started = Started { created, warnings: sysctls.into_iter().map(sysctl).collect() };
    match firewall::apply(&bridge.name, &bridge.config).await {
        Applied::All => {}
        Applied::WithoutNat(reason) => {
            started.warnings.push(Warning::NoNat { network: network.clone(), reason });
        }
        Applied::Nothing(reason) => {
            started.warnings.push(Warning::NoFirewall { network: network.clone(), reason });
        }
    }
    if let Err(error) = dnsmasq::ensure(bridge).await {
        if created && let Err(leftover) = stop(netlink, &bridge.name, &bridge.dir).await {
            tracing::warn!(%network, error = %leftover, "cannot undo the start of a network");
        }
        return Err(error.into());
    }
    Ok(started)
}

/// Takes a bridge down: server, rules, interface. What is gone already is fine.
pub(crate) async fn stop(netlink: &Netlink, name: &NetworkName, dir: &Path) -> Result<(), StopError> {
    dnsmasq::stop(dir).await?;
    match firewall::remove(name).await {
        Ok(()) | Err(RunError::NotFound { .. }) => {}
        Err(source) => return Err(StopError::Firewall { network: name.to_string(), source }),
    }
    let interface = InterfaceName::from(name);
    netlink
        .writer
        .call(move |socket| match socket.link_named(interface.as_str())? {
            Some(link) if link.kind == LinkKind::Bridge => socket.delete_link(&interface).map(drop),
            _ => Ok(()),
        })
        .await
        .map_err(StopError::Netlink)
}

fn check(bridge: &Bridge) -> Result<(), StartError> {
    let missing = |family| StartError::NoSubnet { network: bridge.name.to_string(), family };
    if bridge.config.ipv4.as_ref().is_some_and(|v4| v4.address.fixed().is_none()) {
        return Err(missing("IPv4"));
    }
    if bridge.config.ipv6.as_ref().is_some_and(|v6| v6.address.fixed().is_none()) {
        return Err(missing("IPv6"));
    }
    Ok(())
}

fn make_directory(dir: &Path) -> Result<(), StartError> {
    let failed = |source| StartError::Directory { path: dir.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o711).create(dir).map_err(failed)?;
    fs::set_permissions(dir, fs::Permissions::from_mode(0o711)).map_err(failed)
}

/// Makes the interface what `config` says. True when it was not there before.
fn configure(
    socket: &mut Socket,
    name: &InterfaceName,
    config: &BridgeConfig,
) -> Result<(bool, Vec<SysctlError>), StartError> {
    let failed = |source| StartError::Kernel { name: name.clone(), source };
    let before = socket.link_named(name.as_str()).map_err(failed)?;
    if before.as_ref().is_some_and(|link| link.kind != LinkKind::Bridge) {
        return Err(StartError::NotABridge { name: name.clone() });
    }
    let created = before.is_none();
    if created {
        socket.create_bridge(name, config.hwaddr).map_err(failed)?;
    }
    match repair(socket, name, config) {
        Ok(warnings) => Ok((created, warnings)),
        Err(error) => {
            if created && let Err(leftover) = socket.delete_link(name) {
                tracing::warn!(%name, error = %leftover, "cannot delete a half-made bridge");
            }
            Err(failed(error))
        }
    }
}

fn repair(
    socket: &mut Socket,
    name: &InterfaceName,
    config: &BridgeConfig,
) -> Result<Vec<SysctlError>, NetlinkError> {
    let mut sysctls = Vec::new();
    if config.ipv6.is_some() {
        sysctls.push(sysctl::quiet_ipv6(name));
    }
    let link = socket.link_named(name.as_str())?.ok_or(NetlinkError::Closed)?;
    let changes = differences(&link, config);
    if changes != Changes::default() {
        socket.set_link(name, changes)?;
    }
    repair_addresses(socket, link.index, config)?;
    repair_routes(socket, link.index, config)?;
    if config.ipv4.as_ref().is_some_and(|v4| v4.routing) {
        sysctls.push(sysctl::forward_ipv4());
    }
    if config.ipv6.as_ref().is_some_and(|v6| v6.routing) {
        sysctls.push(sysctl::forward_ipv6());
    }
    Ok(sysctls.into_iter().filter_map(Result::err).collect())
}

/// What to change on the interface.
fn differences(link: &Link, config: &BridgeConfig) -> Changes {
    let up = link.flags.contains(LinkFlags::Up);
    let now = <[u8; 6]>::try_from(link.hwaddr.as_slice()).ok().map(MacAddress);
    let hwaddr = match config.hwaddr {
        Some(wanted) => Some(wanted).filter(|_| now != Some(wanted)),
        // Setting the address it has makes it stay: a bridge takes that of a port otherwise, and
        // changes it whenever containers come and go.
        None => now.filter(|_| !up),
    };
    Changes { up: !up, mtu: config.mtu.filter(|mtu| *mtu != link.mtu), hwaddr, no_link_local: false }
}

fn repair_addresses(socket: &mut Socket, index: u32, config: &BridgeConfig) -> Result<(), NetlinkError> {
    let v4 = config.ipv4.as_ref().and_then(|v4| v4.address.fixed()).map(IpNet::V4);
    let v6 = config.ipv6.as_ref().and_then(|v6| v6.address.fixed()).map(IpNet::V6);
    let wanted: Vec<IpNet> = v4.into_iter().chain(v6).collect();
    let present: Vec<IpNet> = socket
        .addresses(None)?
        .into_iter()
        .filter(|a| a.index == index && a.global && !a.temporary)
        .map(|a| a.net)
        .collect();
    for net in present.iter().filter(|net| !wanted.contains(net)) {
        socket.delete_address(index, *net)?;
    }
    for net in wanted.iter().filter(|net| !present.contains(net)) {
        socket.add_address(index, *net)?;
    }
    Ok(())
}

fn repair_routes(socket: &mut Socket, index: u32, config: &BridgeConfig) -> Result<(), NetlinkError> {
    let v4 = config.ipv4.iter().flat_map(|v4| v4.routes.iter().map(|net| IpNet::V4(net.trunc())));
    let v6 = config.ipv6.iter().flat_map(|v6| v6.routes.iter().map(|net| IpNet::V6(net.trunc())));
    let wanted: Vec<IpNet> = v4.chain(v6).collect();
    let present: Vec<IpNet> = socket
        .routes()?
        .into_iter()
        .filter(|r| r.fixed && r.device == Some(index))
        .map(|r| r.destination)
        .collect();
    for net in present.iter().filter(|net| !wanted.contains(net)) {
        socket.delete_route(index, *net)?;
    }
    for net in wanted.iter().filter(|net| !present.contains(net)) {
        socket.add_route(index, *net)?;
    }
    Ok(())
}
