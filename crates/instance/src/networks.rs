//! Networks: managed bridges and the host's interfaces.

use crate::Error;
use crate::catalog::{Stamp, Table};
use crate::devices::nic;
use crate::instances::{Live, Registry, shown_interface};
use crate::var::Var;
use api::networks::{Lease, Network, NetworksPost};
use api::{Config, instances::Instance};
use model::names::{InstanceName, NetworkName};
use network::interfaces::{HostKind, Interface, Seen};
use network::{
    Bridge, BridgeConfig, Host, Inside, InterfaceName, Lent, Limits, MacAddress, Plug, Reservation,
};
use std::collections::HashMap;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::sync::Arc;
use store::Store;
use store::networks::Network as Record;

/// All networks. Cheap to clone.
#[derive(Clone)]
pub struct Networks {
    var: Var,
    store: Store,
    registry: Registry,
    kernel: network::Networks,
    table: Table<Record>,
}

impl Networks {
    /// Knows the managed networks; brings none up.
    pub(crate) async fn open(var: Var, store: Store, registry: Registry) -> Result<Self, Error> {
        let kernel = network::Networks::open().map_err(network::Error::from)?;
        let table = Table::default();
        for record in store.read(store::networks::list).await? {
            let name = record.name.to_string();
            table.insert(Stamp::take(), &name, record);
        }
        Ok(Self { var, store, registry, kernel, table })
    }

    /// Brings up what is down; a network that fails does not stop the others.
    pub(crate) async fn bring_up(&self) {
        for record in self.table.all() {
            if let Err(error) = self.start(&record).await {
                tracing::error!(network = %record.name, error = %error.story(), "the network does not come up");
            }
        }
    }

    /// Takes all managed networks down.
    pub(crate) async fn bring_down(&self) {
        for record in self.table.all() {
            let dir = self.var.network(record.name.as_str());
            if let Err(error) = self.kernel.stop(&record.name, &dir).await {
                tracing::error!(network = %record.name, error = &error as &dyn std::error::Error, "the network does not go down");
            }
        }
    }

    fn bridge(&self, record: &Record) -> Result<Bridge, Error> {
        let config = BridgeConfig::parse(&record.config).map_err(network::Error::from)?;
        Ok(Bridge { name: record.name.clone(), config, dir: self.var.network(record.name.as_str()) })
    }

    async fn start(&self, record: &Record) -> Result<(), Error> {
        let bridge = self.bridge(record)?;
        crate::var::directory(&bridge.dir, 0o711)?;
        let started = self.kernel.start(&bridge).await.map_err(network::Error::from)?;
        for warning in started.warnings {
            tracing::warn!(network = %record.name, warning = &warning as &dyn std::error::Error, "the network is up, but");
        }
        let hosts = self.hosts_of(&record.name);
        self.kernel.sync_hosts(&bridge, hosts).await.map_err(network::Error::from)?;
        Ok(())
    }

    /// Managed networks and interfaces of the host, by name.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn list(&self) -> Result<Vec<Network>, Error> {
        let mut networks: Vec<Network> = self.table.all().iter().map(|record| self.show(record)).collect();
        for interface in self.kernel.host_interfaces().await.map_err(network::Error::from)? {
            // The host's ends of the containers' interfaces are not networks.
            let plugged = interface.kind == HostKind::Unknown && interface.name.starts_with("veth");
            if self.table.get(&interface.name).is_none() && !plugged {
                networks.push(self.unmanaged(interface.name, interface.kind));
            }
        }
        networks.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(networks)
    }

    /// One of them.
    ///
    /// # Errors
    /// Not found.
    pub async fn get(&self, name: &str) -> Result<Network, Error> {
        if let Some(record) = self.table.get(name) {
            return Ok(self.show(&record));
        }
        let interfaces = self.kernel.host_interfaces().await.map_err(network::Error::from)?;
        interfaces
            .into_iter()
            .find(|interface| interface.name == name)
            .map(|interface| self.unmanaged(interface.name, interface.kind))
            .ok_or_else(|| Error::not_found("Network", name))
    }

    /// Addresses and traffic of one of them. A network that is not up has none.
    ///
    /// # Errors
    /// Not found.
    pub async fn state(&self, name: &str) -> Result<api::state::Network, Error> {
        let _known = self.get(name).await?;
        let found = self.kernel.host_interface(name).await.map_err(network::Error::from)?;
        let down = || api::state::Network { state: "down".to_owned(), ..Default::default() };
        Ok(found.map_or_else(down, |interface| shown_interface(interface).1))
    }

    fn show(&self, record: &Record) -> Network {
        Network {
            config: record.config.clone(),
            description: record.description.clone(),
            name: record.name.to_string(),
            kind: "bridge".to_owned(),
            used_by: self.users(record.name.as_str()),
            managed: true,
            status: "Created".to_owned(),
            locations: vec!["none".to_owned()],
        }
    }

    fn unmanaged(&self, name: String, kind: HostKind) -> Network {
        Network { used_by: self.users(&name), name, kind: kind.as_str().to_owned(), ..Network::default() }
    }

    fn users(&self, network: &str) -> Vec<String> {
        let all = self.registry.all();
        let views = all.iter().map(|entry| entry.view());
        views
            .filter(|view| {
                view.expanded_devices.values().any(|device| {
                    device.get("type").is_some_and(|kind| kind == "nic")
                        && device.get("parent").is_some_and(|parent| parent == network)
                })
            })
            .map(|view| format!("/1.0/containers/{}", view.name))
            .collect()
    }

    /// Makes a bridge and brings it up.
    ///
    /// # Errors
    /// The name is bad or taken; anything wrong with its configuration; it does not come up.
    pub async fn create(&self, post: NetworksPost) -> Result<(), Error> {
        if !matches!(post.kind.as_str(), "" | "bridge") {
            return Err(Error::Unknown { field: "network type", value: post.kind, allowed: "bridge" });
        }
        let name = NetworkName::parse(&post.name)?;
        let interfaces = self.kernel.host_interfaces().await.map_err(network::Error::from)?;
        if self.table.get(name.as_str()).is_some()
            || interfaces.iter().any(|interface| interface.name == name.as_str())
        {
            return Err(Error::NetworkNameTaken { name: name.to_string() });
        }
        let config = self.kernel.choose_subnets(post.config, true, random).await?;
        let record =
            Record { name: name.clone(), kind: "bridge".to_owned(), description: post.description, config };
        self.start(&record).await?;
        let stored = record.clone();
        let write = self.store.write(move |tx| store::networks::insert(tx, &stored).map(|()| Stamp::take()));
        match write.await {
            Ok(stamp) => self.table.insert(stamp, name.as_str(), record),
            Err(error) => {
                self.stop(&name).await;
                return Err(error.into());
            }
        }
        Ok(())
    }

    /// Changes a bridge's configuration: `replace` takes the keys as all there is.
    ///
    /// # Errors
    /// Not found or not managed; anything wrong with the configuration.
    pub async fn update(&self, name: &str, post: NetworksPost, replace: bool) -> Result<(), Error> {
        let old = self.table.get(name).ok_or_else(|| Error::not_found("Network", name))?;
        let mut config = if replace { Config::new() } else { old.config.clone() };
        config.extend(post.config);
        config.retain(|_, value| !value.is_empty());
        let config = self.kernel.choose_subnets(config, false, random).await?;
        let description =
            if replace || !post.description.is_empty() { post.description } else { old.description.clone() };
        let new = Record { name: old.name.clone(), kind: old.kind.clone(), description, config };
        if let Err(error) = self.start(&new).await {
            if let Err(error) = self.start(&old).await {
                tracing::error!(network = name, error = %error.story(), "cannot go back to the old configuration");
            }
            return Err(error);
        }
        let stored = new.clone();
        let write = self.store.write(move |tx| store::networks::update(tx, &stored).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.table.insert(stamp, name, new);
        Ok(())
    }

    /// Takes a bridge down and forgets it.
    ///
    /// # Errors
    /// Not found or not managed; in use.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let record = self.table.get(name).ok_or_else(|| Error::not_found("Network", name))?;
        if let Some(user) = self.users(name).first() {
            return Err(Error::InUse { what: "Network", name: name.to_owned(), by: user.clone() });
        }
        let deleted = record.name.clone();
        let write = self.store.write(move |tx| store::networks::delete(tx, &deleted).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.table.remove(stamp, name);
        self.stop(&record.name).await;
        Ok(())
    }

    async fn stop(&self, name: &NetworkName) {
        let dir = self.var.network(name.as_str());
        if let Err(error) = self.kernel.stop(name, &dir).await {
            tracing::error!(network = %name, error = &error as &dyn std::error::Error, "cannot take the network down");
        }
        // What is left of it are files of its own.
        let _ = tokio::fs::remove_dir_all(&dir).await;
    }

    /// Addresses that a bridge gave out.
    ///
    /// # Errors
    /// Not found or not managed.
    pub async fn leases(&self, name: &str) -> Result<Vec<Lease>, Error> {
        let record = self.table.get(name).ok_or_else(|| Error::not_found("Network", name))?;
        let fixed = self.hosts_of(&record.name).into_iter().flat_map(|host| {
            let hostname = host.name.to_string();
            host.nics.into_iter().flat_map(move |nic| {
                let hostname = hostname.clone();
                let v4 = nic.ipv4.map(|address| address.to_string());
                let v6 = nic.ipv6.map(|address| address.to_string());
                [v4, v6].into_iter().flatten().map(move |address| Lease {
                    hostname: hostname.clone(),
                    hwaddr: nic.hwaddr.to_string(),
                    address,
                    kind: "static".to_owned(),
                })
            })
        });
        let mut leases: Vec<Lease> = fixed.collect();
        let given = self.kernel.leases(&self.bridge(&record)?).await.map_err(network::Error::from)?;
        for lease in given {
            let hwaddr = lease.hwaddr.map(|hwaddr| hwaddr.to_string()).unwrap_or_default();
            let address = lease.address.to_string();
            if !leases.iter().any(|known| known.hwaddr == hwaddr && known.address == address) {
                leases.push(Lease { hostname: lease.hostname, hwaddr, address, kind: "dynamic".to_owned() });
            }
        }
        Ok(leases)
    }

    /// The containers on a network, as its DHCP and DNS server is to know them.
    fn hosts_of(&self, network: &NetworkName) -> Vec<Host> {
        let all = self.registry.all();
        all.iter().filter_map(|entry| host(&entry.view(), network)).collect()
    }

    /// Tells the servers of a container's networks its name and addresses.
    pub(crate) async fn announce(&self, view: &Instance) {
        for record in self.table.all() {
            let Some(host) = host(view, &record.name) else { continue };
            let told = match self.bridge(&record) {
                Ok(bridge) => self.kernel.set_host(&bridge, host).await.map_err(|e| Error::Network(e.into())),
                Err(error) => Err(error),
            };
            if let Err(error) = told {
                tracing::warn!(network = %record.name, instance = view.name, error = %error.story(), "cannot announce the container");
            }
        }
    }

    /// Takes a container that is gone out of the servers of its networks.
    pub(crate) async fn forget(&self, view: &Instance) {
        let Ok(name) = InstanceName::parse(&view.name) else { return };
        for record in self.table.all() {
            let (Some(host), Ok(bridge)) = (host(view, &record.name), self.bridge(&record)) else { continue };
            let hwaddrs: Vec<_> = host.nics.iter().map(|nic| nic.hwaddr).collect();
            let result = match self.kernel.remove_host(&bridge, &name).await {
                Ok(()) => self.kernel.forget_leases(&bridge, &hwaddrs).await,
                Err(error) => Err(error),
            };
            if let Err(error) = result {
                tracing::warn!(network = %record.name, instance = view.name, error = &error as &dyn std::error::Error, "cannot take the container out");
            }
        }
    }

    /// Gives a container one end of a pair; the other end joins the bridge, if there is one.
    pub(crate) async fn plug(
        &self,
        plan: &nic::Plan,
        host_name: &InterfaceName,
        bridge: Option<&InterfaceName>,
        netns: BorrowedFd<'_>,
    ) -> Result<(), Error> {
        let plug = Plug {
            host_name: host_name.clone(),
            bridge: bridge.cloned(),
            inside_name: plan.inside.clone(),
            hwaddr: plan.hwaddr.unwrap_or_else(|| MacAddress::generate(crate::random::bytes())),
            mtu: plan.mtu,
            netns,
        };
        self.kernel.plug(plug).await.map_err(|error| Error::Network(error.into()))
    }

    /// Deletes an interface of the host. False when it was gone already.
    pub(crate) async fn unplug(&self, host_name: &InterfaceName) -> Result<bool, Error> {
        self.kernel.unplug(host_name).await.map_err(|error| Error::Network(error.into()))
    }

    /// Makes the bounds of the host's end of a pair exactly these.
    pub(crate) async fn limit(&self, host_name: &InterfaceName, limits: Limits) -> Result<(), Error> {
        self.kernel.limit(host_name, limits).await.map_err(|error| Error::Network(error.into()))
    }

    /// Removes what the bounds of a host's end that is gone have left.
    pub(crate) async fn forget_limits(&self, host_name: &InterfaceName) -> Result<(), Error> {
        self.kernel.forget_limits(host_name).await.map_err(|error| Error::Network(error.into()))
    }

    /// What an interface of the host is like.
    pub(crate) async fn look(&self, name: &InterfaceName) -> Result<Lent, Error> {
        self.kernel.look(name).await.map_err(|error| Error::Network(error.into()))
    }

    /// The interface of a VLAN on top of another; true: it was made just now.
    pub(crate) async fn vlan(
        &self,
        parent: &InterfaceName,
        id: u16,
        name: &InterfaceName,
    ) -> Result<bool, Error> {
        self.kernel.vlan(parent, id, name).await.map_err(|error| Error::Network(error.into()))
    }

    /// Makes a container an interface of its own on top of one of the host's.
    pub(crate) async fn macvlan(&self, parent: &InterfaceName, inside: Inside<'_>) -> Result<(), Error> {
        self.kernel.macvlan(parent, inside).await.map_err(|error| Error::Network(error.into()))
    }

    /// Moves an interface of the host into a container.
    pub(crate) async fn lend(&self, parent: &InterfaceName, inside: Inside<'_>) -> Result<(), Error> {
        self.kernel.lend(parent, inside).await.map_err(|error| Error::Network(error.into()))
    }

    /// Moves an interface that was lent back to the host; false: it is not there.
    pub(crate) async fn take_back(
        &self,
        netns: BorrowedFd<'_>,
        name: &InterfaceName,
        before: Lent,
    ) -> Result<bool, Error> {
        self.kernel.take_back(netns, name, before).await.map_err(|error| Error::Network(error.into()))
    }

    /// Puts an interface that came back by itself in its place; false: it is not there.
    pub(crate) async fn restore(
        &self,
        before: Lent,
        inside_hwaddr: Option<MacAddress>,
    ) -> Result<bool, Error> {
        self.kernel.restore(before, inside_hwaddr).await.map_err(|error| Error::Network(error.into()))
    }

    /// Switches an interface inside a container on.
    pub(crate) async fn switch_on(&self, netns: BorrowedFd<'_>, name: &InterfaceName) -> Result<(), Error> {
        self.kernel.switch_on(netns, name).await.map_err(|error| Error::Network(error.into()))
    }

    /// Deletes an interface inside a container; false when it was gone already.
    pub(crate) async fn delete_inside(
        &self,
        netns: BorrowedFd<'_>,
        name: &InterfaceName,
        hwaddr: MacAddress,
    ) -> Result<bool, Error> {
        self.kernel.delete_inside(netns, name, hwaddr).await.map_err(|error| Error::Network(error.into()))
    }

    /// The interfaces of many containers: only those that changed since they were last listed are
    /// asked for. Counters are true for interfaces with an end on this host, and for others as they
    /// were when the container's interfaces last changed. What cannot be read is empty.
    pub(crate) async fn inside_all(&self, containers: &[Arc<Live>]) -> Vec<Vec<Interface>> {
        let known: Vec<Option<Arc<Seen>>> = containers.iter().map(|live| live.seen()).collect();
        let current = self.kernel.current(known.iter().map(Option::as_deref));
        let ends = match self.kernel.host_ends().await {
            Ok(ends) => ends,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "cannot list interfaces");
                HashMap::new()
            }
        };
        let mut all = Vec::with_capacity(containers.len());
        for ((live, known), current) in containers.iter().zip(known).zip(current) {
            let seen = match known {
                Some(seen) if current => seen,
                _ => match self.kernel.look_inside(live.netns.as_fd()).await {
                    Ok(seen) => live.saw(seen),
                    Err(error) => {
                        tracing::debug!(pid = live.pid, %error, "cannot read interfaces");
                        all.push(Vec::new());
                        continue;
                    }
                },
            };
            let mut interfaces = seen.interfaces.clone();
            for interface in &mut interfaces {
                if let Some(end) = interface.host_index.and_then(|index| ends.get(&index)) {
                    end.refresh(interface);
                }
            }
            all.push(interfaces);
        }
        all
    }

    /// The interfaces in a container's namespace.
    pub(crate) async fn inside(&self, netns: BorrowedFd<'_>) -> Result<Vec<Interface>, Error> {
        self.kernel.inside(netns).await.map_err(|error| Error::Network(error.into()))
    }
}

fn random() -> u64 {
    u64::from_le_bytes(crate::random::bytes())
}

/// A container's interfaces on a network; `None` when it has none there.
fn host(view: &Instance, network: &NetworkName) -> Option<Host> {
    let nics: Vec<Reservation> = view
        .expanded_devices
        .iter()
        .filter(|(_, device)| {
            device.get("type").is_some_and(|kind| kind == "nic")
                && device.get("parent").is_some_and(|parent| parent == network.as_str())
        })
        .filter_map(|(name, device)| {
            let kept = || view.config.get(&nic::volatile(name, "hwaddr"));
            Some(Reservation {
                hwaddr: device.get("hwaddr").or_else(kept)?.parse().ok()?,
                ipv4: device.get("ipv4.address").and_then(|address| address.parse().ok()),
                ipv6: device.get("ipv6.address").and_then(|address| address.parse().ok()),
            })
        })
        .collect();
    let name = InstanceName::parse(&view.name).ok()?;
    (!nics.is_empty()).then_some(Host { name, nics })
}
