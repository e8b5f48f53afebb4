//! The handle through which everything is done.

use crate::bridge::{self, Bridge, StartError, Started, StopError};
use crate::dnsmasq::{self, DnsmasqError, Host, Lease, LeaseError};
use crate::interfaces::{self, HostEnd, HostInterface, Interface, Seen};
use crate::limits::{self, LimitError, Limits};
use crate::names::{InterfaceName, MacAddress};
use crate::netlink::{LinkKind, Netlink, NetlinkError, Socket};
use crate::physical::{self, Inside, LendError, Lent};
use crate::subnet::NoFreeSubnet;
use crate::sysctl;
use crate::veth::{self, Plug, PlugError};
use ipnet::IpNet;
use model::names::{InstanceName, NetworkName};
use netlink_packet_route::link::LinkFlags;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;

/// Anything that this crate can fail with.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An interface inside a container has no addresses.
    #[error(transparent)]
    Configure(#[from] crate::interfaces::ConfigureError),
    /// A configuration is wrong.
    #[error(transparent)]
    Config(#[from] bridge::ConfigError),
    /// All subnets are in use.
    #[error(transparent)]
    Subnet(#[from] NoFreeSubnet),
    /// A bridge did not come up.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A bridge did not go away.
    #[error(transparent)]
    Stop(#[from] StopError),
    /// An interface could not be made.
    #[error(transparent)]
    Plug(#[from] PlugError),
    /// A container did not get an interface of the host.
    #[error(transparent)]
    Lend(#[from] LendError),
    /// A bound does not hold.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// No leases.
    #[error(transparent)]
    Leases(#[from] LeaseError),
    /// The DHCP and DNS server.
    #[error(transparent)]
    Dnsmasq(#[from] DnsmasqError),
    /// The kernel.
    #[error(transparent)]
    Netlink(#[from] NetlinkError),
}

/// The network of one namespace, normally the host's. Cheap to clone.
///
/// Calls about the same bridge or interface must not overlap; others may.
#[derive(Clone)]
pub struct Networks {
    netlink: Netlink,
}

impl Networks {
    /// Connects to the kernel, for the network namespace of the calling thread.
    ///
    /// # Errors
    /// There are no netlink sockets, or no threads.
    pub fn open() -> Result<Self, NetlinkError> {
        Ok(Self { netlink: Netlink::open()? })
    }

    /// A configuration as it is stored: `auto` becomes a subnet that nothing on this host uses. A
    /// network that is being created (`creating`) gets both families unless it says otherwise,
    /// and address translation for subnets chosen here. `random` gives random numbers.
    ///
    /// # Errors
    /// [`NoFreeSubnet`]; the kernel does not answer.
    pub async fn choose_subnets(
        &self,
        config: BTreeMap<String, String>,
        creating: bool,
        random: impl FnMut() -> u64 + Send,
    ) -> Result<BTreeMap<String, String>, Error> {
        let host = self
            .netlink
            .reader
            .call(move |socket| {
                let mut used: Vec<IpNet> = socket.routes()?.into_iter().map(|r| r.destination).collect();
                used.extend(socket.addresses(None)?.into_iter().map(|a| a.net));
                Ok::<_, NetlinkError>(bridge::Host { used, ipv6: sysctl::has_ipv6() })
            })
            .await?;
        Ok(bridge::fill(config, creating, &host, random)?)
    }

    /// Brings a bridge up: interface, addresses, firewall, DHCP and DNS. One that is up keeps
    /// running; only what differs from the configuration is changed.
    ///
    /// # Errors
    /// See [`StartError`]; what this call has made is gone again.
    pub async fn start(&self, bridge: &Bridge) -> Result<Started, StartError> {
        bridge::start(&self.netlink, bridge).await
    }

    /// Takes a bridge down. Its directory with the leases stays.
    ///
    /// # Errors
    /// See [`StopError`]; calling again continues.
    pub async fn stop(&self, name: &NetworkName, dir: &Path) -> Result<(), StopError> {
        bridge::stop(&self.netlink, name, dir).await
    }

    /// True when the bridge exists and is switched on.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn is_up(&self, name: &NetworkName) -> Result<bool, NetlinkError> {
        let name = InterfaceName::from(name);
        let link = self.netlink.reader.call(move |socket| socket.link_named(name.as_str())).await?;
        Ok(link.is_some_and(|l| l.kind == LinkKind::Bridge && l.flags.contains(LinkFlags::Up)))
    }

    /// Makes a pair of interfaces with one end in a container. Once begun it is finished, also
    /// when the caller stops waiting; [`Networks::unplug`] undoes it.
    ///
    /// # Errors
    /// See [`PlugError`]; nothing was made then.
    pub async fn plug(&self, plug: Plug<'_>) -> Result<(), PlugError> {
        let request = veth::Request::try_from(plug)?;
        self.netlink.writer.call(move |socket| veth::plug(socket, &request)).await
    }

    /// Deletes the host's end of a pair and with it the other. False when it was gone already, as
    /// it is once the container's namespace is. Deleting an interface takes the kernel tens of
    /// milliseconds, so a container that stops had better not wait for this.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn unplug(&self, host_name: &InterfaceName) -> Result<bool, NetlinkError> {
        let name = host_name.clone();
        self.netlink.writer.call(move |socket| socket.delete_link(&name)).await
    }

    /// Makes the bounds of the host's end of a pair exactly these.
    ///
    /// # Errors
    /// See [`LimitError`].
    pub async fn limit(&self, host_name: &InterfaceName, limits: Limits) -> Result<(), LimitError> {
        let name = host_name.clone();
        self.netlink.writer.call(move |socket| limits::set(socket, &name, limits)).await
    }

    /// Removes what the bounds of a host's end that is gone have left.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn forget_limits(&self, host_name: &InterfaceName) -> Result<(), NetlinkError> {
        let name = host_name.clone();
        self.netlink.writer.call(move |socket| limits::forget(socket, &name)).await
    }

    /// What an interface of the host is like.
    ///
    /// # Errors
    /// There is none.
    pub async fn look(&self, name: &InterfaceName) -> Result<Lent, LendError> {
        let name = name.clone();
        self.netlink.reader.call(move |socket| physical::look(socket, &name)).await
    }

    /// The interface `name` of a VLAN on top of another. True: it was made just now.
    ///
    /// # Errors
    /// There is no parent, or the kernel knows no VLANs.
    pub async fn vlan(
        &self,
        parent: &InterfaceName,
        id: u16,
        name: &InterfaceName,
    ) -> Result<bool, LendError> {
        let (parent, name) = (parent.clone(), name.clone());
        self.netlink.writer.call(move |socket| physical::vlan(socket, &parent, id, &name)).await
    }

    /// Makes a container an interface of its own on top of one of the host's.
    ///
    /// # Errors
    /// See [`LendError`]; nothing was made then.
    pub async fn macvlan(&self, parent: &InterfaceName, inside: Inside<'_>) -> Result<(), LendError> {
        let (parent, request) = (parent.clone(), physical::Request::try_from(inside)?);
        self.netlink.writer.call(move |socket| physical::macvlan(socket, &parent, &request)).await
    }

    /// Moves an interface of the host into a container.
    ///
    /// # Errors
    /// See [`LendError`]; it is where it was then.
    pub async fn lend(&self, parent: &InterfaceName, inside: Inside<'_>) -> Result<(), LendError> {
        let (parent, request) = (parent.clone(), physical::Request::try_from(inside)?);
        self.netlink.writer.call(move |socket| physical::lend(socket, &parent, &request)).await
    }

    /// Moves an interface that was lent back to this host, to be what it was. False: it is not there.
    ///
    /// # Errors
    /// The namespace cannot be entered, or the name is taken on the host.
    pub async fn take_back(
        &self,
        netns: BorrowedFd<'_>,
        name: &InterfaceName,
        before: Lent,
    ) -> Result<bool, LendError> {
        let netns = netns.try_clone_to_owned().map_err(|source| LendError::Namespace { source })?;
        let name = name.clone();
        self.netlink
            .writer
            .call(move |_| physical::take_back(&mut Socket::open_in(netns.as_fd())?, &name, &before))
            .await
    }

    /// Makes an interface that came back by itself what it was before it was lent. False: it is not
    /// there. `inside_hwaddr` is the address that it had inside.
    ///
    /// # Errors
    /// The kernel refuses.
    pub async fn restore(&self, before: Lent, inside_hwaddr: Option<MacAddress>) -> Result<bool, LendError> {
        self.netlink.writer.call(move |socket| physical::restore(socket, &before, inside_hwaddr)).await
    }

    /// Switches an interface inside a container on.
    ///
    /// # Errors
    /// The namespace cannot be entered, or there is none.
    pub async fn switch_on(&self, netns: BorrowedFd<'_>, name: &InterfaceName) -> Result<(), LendError> {
        let netns = netns.try_clone_to_owned().map_err(|source| LendError::Namespace { source })?;
        let name = name.clone();
        self.netlink
            .writer
            .call(move |_| {
                let mut inside = Socket::open_in(netns.as_fd())?;
                let link = inside
                    .link_named(name.as_str())?
                    .ok_or_else(|| LendError::Missing { name: name.clone() })?;
                Ok(inside.switch(link.index, true)?)
            })
            .await
    }

    /// Deletes the interface of that name and address inside a container. False when there is none
    /// (any more).
    ///
    /// # Errors
    /// The namespace cannot be entered, or the kernel refuses.
    pub async fn delete_inside(
        &self,
        netns: BorrowedFd<'_>,
        name: &InterfaceName,
        hwaddr: MacAddress,
    ) -> Result<bool, LendError> {
        let netns = netns.try_clone_to_owned().map_err(|source| LendError::Namespace { source })?;
        let name = name.clone();
        self.netlink
            .writer
            .call(move |_| physical::delete(&mut Socket::open_in(netns.as_fd())?, &name, hwaddr))
            .await
    }

    /// The interfaces of this host, by name.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn host_interfaces(&self) -> Result<Vec<HostInterface>, NetlinkError> {
        self.netlink.reader.call(interfaces::list).await
    }

    /// What an interface of this host has and does; `None`: there is none of this name.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn host_interface(&self, name: &str) -> Result<Option<Interface>, NetlinkError> {
        let name = name.to_owned();
        self.netlink.reader.call(move |socket| interfaces::here(socket, &name)).await
    }

    /// The interfaces in another network namespace, which is not entered for that.
    ///
    /// # Errors
    /// The kernel does not answer, or the descriptor is no network namespace.
    pub async fn inside(&self, netns: BorrowedFd<'_>) -> Result<Vec<Interface>, NetlinkError> {
        let netns = netns
            .try_clone_to_owned()
            .map_err(|source| NetlinkError::Lost { request: "hold a network namespace", source })?;
        self.netlink.reader.call(move |socket| interfaces::inside(socket, netns.as_fd())).await
    }

    /// The same, to be kept; see [`Networks::current`].
    ///
    /// # Errors
    /// As for [`Networks::inside`].
    pub async fn look_inside(&self, netns: BorrowedFd<'_>) -> Result<Seen, NetlinkError> {
        let netns = netns
            .try_clone_to_owned()
            .map_err(|source| NetlinkError::Lost { request: "hold a network namespace", source })?;
        let watch = self.netlink.watch.clone();
        self.netlink
            .reader
            .call(move |socket| interfaces::look(socket, watch.as_deref(), netns.as_fd()))
            .await
    }

    /// Which of what was seen is still so, but for counters and the names of other ends. Asks the
    /// kernel for nothing.
    pub fn current<'a>(&self, seen: impl Iterator<Item = Option<&'a Seen>>) -> Vec<bool> {
        interfaces::current(self.netlink.watch.as_deref(), seen)
    }

    /// Every interface of this host by its number, as the other end of a pair.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn host_ends(&self) -> Result<HashMap<u32, HostEnd>, NetlinkError> {
        self.netlink.reader.call(interfaces::host_ends).await
    }

    /// The addresses that a bridge gave out.
    ///
    /// # Errors
    /// See [`LeaseError`].
    pub async fn leases(&self, bridge: &Bridge) -> Result<Vec<Lease>, LeaseError> {
        dnsmasq::list(bridge).await
    }

    /// Gives back the leases of interfaces that are gone for good.
    ///
    /// # Errors
    /// The lease file cannot be read or the server not be reached.
    pub async fn forget_leases(&self, bridge: &Bridge, hwaddrs: &[MacAddress]) -> Result<(), DnsmasqError> {
        dnsmasq::forget(bridge, hwaddrs).await
    }

    /// Sets the reservations of one container. Where several containers share fixed addresses,
    /// use [`Networks::sync_hosts`].
    ///
    /// # Errors
    /// A file cannot be written or the server not be signalled.
    pub async fn set_host(&self, bridge: &Bridge, host: Host) -> Result<(), DnsmasqError> {
        dnsmasq::set_host(bridge, host).await
    }

    /// Removes the reservations of one container; having none is fine.
    ///
    /// # Errors
    /// A file cannot be removed or the server not be signalled.
    pub async fn remove_host(&self, bridge: &Bridge, name: &InstanceName) -> Result<(), DnsmasqError> {
        dnsmasq::remove_host(bridge, name).await
    }

    /// Makes the reservations exactly those of `hosts`.
    ///
    /// # Errors
    /// A file cannot be written or the server not be signalled.
    pub async fn sync_hosts(&self, bridge: &Bridge, hosts: Vec<Host>) -> Result<(), DnsmasqError> {
        dnsmasq::sync_hosts(bridge, hosts).await
    }
}
