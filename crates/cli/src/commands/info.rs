//! `lxc info`.

use crate::args::InfoArgs;
use crate::output::{self, dates, object, sizes};
use crate::session::Session;
use api::instances::InstanceFull;
use api::state::State;
use std::fmt::{self, Write as _};

pub(crate) async fn run(session: &Session, args: &InfoArgs) -> anyhow::Result<()> {
    let target = session.target(args.name.as_deref().unwrap_or_default())?;
    let client = session.client(&target.remote)?;
    if target.name.is_empty() {
        return super::server_info::run(&client, args.format.format).await;
    }
    let container = client.container_full(&target.name).await?;
    if let Some(format) = args.format.format {
        return object::show(format, &container);
    }
    let mut text = String::new();
    describe(&mut text, &container, client.address())?;
    if args.show_log {
        let log = client.log(&target.name, "lxc.log").await?.bytes().await?;
        write!(text, "\nLog:\n\n{}\n", String::from_utf8_lossy(&log))?;
    }
    Ok(output::print(&text)?)
}

fn describe(out: &mut String, full: &InstanceFull, address: &client::Address) -> fmt::Result {
    let container = &full.instance;
    writeln!(out, "Name: {}", container.name)?;
    if !matches!(container.location.as_str(), "" | "none") {
        writeln!(out, "Location: {}", container.location)?;
    }
    if address.socket().is_none() {
        writeln!(out, "Remote: {address}")?;
    }
    writeln!(out, "Architecture: {}", container.architecture)?;
    if container.created_at.is_set() {
        writeln!(out, "Created: {}", dates::short(container.created_at))?;
    }
    writeln!(out, "Status: {}", container.status)?;
    writeln!(out, "Type: {}", if container.ephemeral { "ephemeral" } else { "persistent" })?;
    writeln!(out, "Profiles: {}", container.profiles.join(", "))?;
    if let Some(state) = full.state.as_ref().filter(|state| state.pid != 0) {
        writeln!(out, "Pid: {}", state.pid)?;
        addresses(out, state)?;
        resources(out, state)?;
    }
    let snapshots = full.snapshots.as_deref().unwrap_or_default();
    if !snapshots.is_empty() {
        writeln!(out, "Snapshots:")?;
    }
    for snapshot in snapshots {
        write!(out, "  {}", snapshot.name.rsplit('/').next().unwrap_or_default())?;
        if snapshot.created_at.is_set() {
            write!(out, " (taken at {})", dates::short(snapshot.created_at))?;
        }
        if snapshot.expires_at.is_set() {
            write!(out, " (expires at {})", dates::short(snapshot.expires_at))?;
        }
        writeln!(out, " ({})", if snapshot.stateful { "stateful" } else { "stateless" })?;
    }
    Ok(())
}

fn addresses(out: &mut String, state: &State) -> fmt::Result {
    let networks = state.network.iter().flatten().filter(|(_, network)| !network.addresses.is_empty());
    for (index, (name, network)) in networks.enumerate() {
        if index == 0 {
            writeln!(out, "Ips:")?;
        }
        for address in &network.addresses {
            writeln!(out, "  {name}:\t{}\t{}\t{}", address.family, address.address, network.host_name)?;
        }
    }
    Ok(())
}

fn resources(out: &mut String, state: &State) -> fmt::Result {
    writeln!(out, "Resources:")?;
    writeln!(out, "  Processes: {}", state.processes)?;
    let disks = state.disk.iter().flatten().filter(|(_, disk)| disk.usage > 0);
    for (index, (name, disk)) in disks.enumerate() {
        if index == 0 {
            writeln!(out, "  Disk usage:")?;
        }
        writeln!(out, "    {name}: {}", sizes::bytes(disk.usage))?;
    }
    if state.cpu.usage > 0 {
        writeln!(out, "  CPU usage:")?;
        writeln!(out, "    CPU usage (in seconds): {}", state.cpu.usage / 1_000_000_000)?;
    }
    let memory = &state.memory;
    let lines = [
        ("Memory (current)", memory.usage),
        ("Memory (peak)", memory.usage_peak),
        ("Swap (current)", memory.swap_usage),
        ("Swap (peak)", memory.swap_usage_peak),
    ];
    let known = lines.iter().filter(|(_, bytes)| *bytes > 0);
    for (index, (name, bytes)) in known.enumerate() {
        if index == 0 {
            writeln!(out, "  Memory usage:")?;
        }
        writeln!(out, "    {name}: {}", sizes::bytes(*bytes))?;
    }
    for (index, (name, network)) in state.network.iter().flatten().enumerate() {
        if index == 0 {
            writeln!(out, "  Network usage:")?;
        }
        let counters = &network.counters;
        writeln!(out, "    {name}:")?;
        writeln!(out, "      Bytes received: {}", sizes::bytes(counters.bytes_received))?;
        writeln!(out, "      Bytes sent: {}", sizes::bytes(counters.bytes_sent))?;
        writeln!(out, "      Packets received: {}", counters.packets_received)?;
        writeln!(out, "      Packets sent: {}", counters.packets_sent)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_running_container() {
        let full: InstanceFull = serde_json::from_value(serde_json::json!({
            "name": "zerotier", "status": "Running", "status_code": 103, "architecture": "x86_64",
            "created_at": "2016-02-20T20:01:00Z", "profiles": ["default", "web"], "backups": null,
            "snapshots": [{"name": "zerotier/blah", "created_at": "2016-03-08T23:55:00Z"},
                {"name": "daily", "expires_at": "2016-03-09T23:55:00Z", "stateful": true}],
            "state": {"status": "Running", "status_code": 103, "pid": 29258, "processes": 33,
                "disk": {"root": {"usage": 847327232_i64}}, "cpu": {"usage": 5_300_000_000_i64},
                "memory": {"usage": 111977431, "swap_usage_peak": 126976},
                "network": {"eth0": {"host_name": "veth1", "type": "broadcast",
                    "addresses": [{"family": "inet", "address": "172.17.0.101", "scope": "global"}],
                    "counters": {"bytes_received": 570, "packets_received": 3}}}}
        }))
        .unwrap();
        let mut text = String::new();
        describe(&mut text, &full, &client::Address::Unix("/x".into())).unwrap();
        let expected = "\
Name: zerotier
Architecture: x86_64
Created: 2016/02/20 20:01 UTC
Status: Running
Type: persistent
Profiles: default, web
Pid: 29258
Ips:
  eth0:\tinet\t172.17.0.101\tveth1
Resources:
  Processes: 33
  Disk usage:
    root: 808.07MB
  CPU usage:
    CPU usage (in seconds): 5
  Memory usage:
    Memory (current): 106.79MB
    Swap (peak): 124.00kB
  Network usage:
    eth0:
      Bytes received: 570 bytes
      Bytes sent: 0 bytes
      Packets received: 3
      Packets sent: 0
Snapshots:
  blah (taken at 2016/03/08 23:55 UTC) (stateless)
  daily (expires at 2016/03/09 23:55 UTC) (stateful)
";
        assert_eq!(text, expected);
    }
}
