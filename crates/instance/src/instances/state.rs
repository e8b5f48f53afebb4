//! What a container is doing now: control groups and interfaces, without entering it.

use super::live::Live;
use super::registry::Entry;
use crate::Error;
use crate::networks::Networks;
use api::state::{Address, Counters, Cpu, Memory, Network, State};
use container::cgroup::Stats;
use network::interfaces::Interface;
use std::collections::BTreeMap;
use std::os::fd::AsFd as _;
use std::sync::Arc;

/// The state of one container. What cannot be read (it is just ending) is zero or missing.
pub(super) async fn state(entry: &Arc<Entry>, networks: &Networks) -> Result<State, Error> {
    let Some(live) = entry.live() else { return Ok(stopped(entry)) };
    let stats = {
        let live = live.clone();
        tokio::task::spawn_blocking(move || live.cgroup.stats()).await.map_err(|_| Error::Shutdown)?
    };
    let interfaces = match networks.inside(live.netns.as_fd()).await {
        Ok(interfaces) => interfaces,
        Err(error) => {
            tracing::debug!(instance = entry.view().name, error = %error.story(), "cannot read interfaces");
            Vec::new()
        }
    };
    Ok(running(entry, &live, &stats, interfaces))
}

/// The states of many containers, in their order: control groups are read in one go, interfaces only
/// where they changed.
pub(super) async fn states(entries: &[Arc<Entry>], networks: &Networks) -> Result<Vec<State>, Error> {
    let lives: Vec<Option<Arc<Live>>> = entries.iter().map(|entry| entry.live()).collect();
    let up: Vec<Arc<Live>> = lives.iter().flatten().cloned().collect();
    let reading = {
        let up = up.clone();
        tokio::task::spawn_blocking(move || up.iter().map(|live| live.cgroup.stats()).collect::<Vec<_>>())
    };
    let interfaces = if up.is_empty() { Vec::new() } else { networks.inside_all(&up).await };
    let stats = reading.await.map_err(|_| Error::Shutdown)?;
    let mut read = stats.into_iter().zip(interfaces);
    let states = entries.iter().zip(lives).map(|(entry, live)| match live {
        None => stopped(entry),
        Some(live) => {
            let (stats, interfaces) = read.next().unwrap_or_default();
            running(entry, &live, &stats, interfaces)
        }
    });
    Ok(states.collect())
}

fn stopped(entry: &Entry) -> State {
    let status = entry.state.borrow().status();
    State {
        status: status.text().to_owned(),
        status_code: status,
        disk: None,
        memory: Memory::default(),
        network: None,
        pid: 0,
        processes: 0,
        cpu: Cpu::default(),
    }
}

fn running(entry: &Entry, live: &Live, stats: &Stats, interfaces: Vec<Interface>) -> State {
    State {
        memory: memory(stats),
        network: Some(interfaces.into_iter().map(network).collect::<BTreeMap<_, _>>()),
        disk: Some(BTreeMap::new()),
        pid: i64::from(live.pid),
        processes: number(stats.processes),
        cpu: Cpu { usage: number(stats.cpu_ns) },
        ..stopped(entry)
    }
}

fn number(value: Option<u64>) -> i64 {
    value.map_or(0, |value| i64::try_from(value).unwrap_or(i64::MAX))
}

fn memory(stats: &Stats) -> Memory {
    Memory {
        usage: number(stats.memory),
        usage_peak: number(stats.memory_peak),
        swap_usage: number(stats.swap),
        swap_usage_peak: number(stats.swap_peak),
    }
}

/// An interface in the words of the API, by its name.
pub(crate) fn network(interface: Interface) -> (String, Network) {
    let counters = interface.counters;
    let signed = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
    let shown = Network {
        addresses: interface
            .addresses
            .iter()
            .map(|address| Address {
                family: if address.address.is_ipv4() { "inet" } else { "inet6" }.to_owned(),
                address: address.address.to_string(),
                netmask: address.prefix.to_string(),
                scope: address.scope.as_str().to_owned(),
            })
            .collect(),
        counters: Counters {
            bytes_received: signed(counters.bytes_received),
            bytes_sent: signed(counters.bytes_sent),
            packets_received: signed(counters.packets_received),
            packets_sent: signed(counters.packets_sent),
            errors_received: signed(counters.errors_received),
            errors_sent: signed(counters.errors_sent),
            packets_dropped_inbound: signed(counters.dropped_received),
            packets_dropped_outbound: signed(counters.dropped_sent),
        },
        hwaddr: interface.hwaddr.map_or_else(String::new, |hwaddr| hwaddr.to_string()),
        host_name: interface.host_name.unwrap_or_default(),
        mtu: i64::from(interface.mtu),
        state: if interface.up { "up" } else { "down" }.to_owned(),
        kind: interface.flavour.as_str().to_owned(),
    };
    (interface.name, shown)
}
