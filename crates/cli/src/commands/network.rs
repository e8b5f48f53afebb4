//! `lxc network`.

use crate::args::{Format, FormatArg, NetworkCommand};
use crate::output::{self, listing, object, sizes};
use crate::session::{Session, Target};
use std::fmt::Write as _;

pub(crate) async fn run(session: &Session, command: NetworkCommand) -> anyhow::Result<()> {
    match command {
        NetworkCommand::Get { network, key } => {
            let (client, Target { name, .. }) = session.named(&network, "network")?;
            let mut network = client.network(&name).await?;
            Ok(output::line(network.config.remove(&key).unwrap_or_default())?)
        }
        NetworkCommand::Info { network, format } => info(session, &network, format.format).await,
        NetworkCommand::List { remote, format } => list(session, remote.as_deref(), format).await,
        NetworkCommand::ListLeases { network, format } => leases(session, &network, format).await,
        NetworkCommand::Show { network, format } => {
            let (client, Target { name, .. }) = session.named(&network, "network")?;
            let mut network = client.network(&name).await?;
            network.used_by.sort_unstable();
            object::show(format.format, &network)
        }
    }
}

async fn list(
    session: &Session,
    remote: Option<&str>,
    FormatArg { format }: FormatArg,
) -> anyhow::Result<()> {
    let mut networks = session.server(remote)?.networks().await?;
    networks.retain(|network| !matches!(network.kind.as_str(), "loopback" | "unknown"));
    let rows = networks.iter().map(|network| {
        vec![
            network.name.clone(),
            network.kind.clone(),
            listing::yes_no(network.managed),
            network.description.clone(),
            network.used_by.len().to_string(),
        ]
    });
    listing::show(format, &["NAME", "TYPE", "MANAGED", "DESCRIPTION", "USED BY"], rows.collect(), &networks)
}

async fn leases(session: &Session, network: &str, FormatArg { format }: FormatArg) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(network, "network")?;
    let leases = client.leases(&name).await?;
    let rows = leases.iter().map(|lease| {
        vec![lease.hostname.clone(), lease.hwaddr.clone(), lease.address.clone(), lease.kind.to_uppercase()]
    });
    listing::show(format, &["HOSTNAME", "MAC ADDRESS", "IP ADDRESS", "TYPE"], rows.collect(), &leases)
}

async fn info(session: &Session, network: &str, format: Option<Format>) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(network, "network")?;
    let state = client.network_state(&name).await?;
    if let Some(format) = format {
        return object::show(format, &state);
    }
    let mut out = String::new();
    writeln!(out, "Name: {name}\nMAC address: {}\nMTU: {}\nState: {}", state.hwaddr, state.mtu, state.state)?;
    if !state.addresses.is_empty() {
        writeln!(out, "\nIps:")?;
    }
    for address in &state.addresses {
        writeln!(out, "  {}\t{}", address.family, address.address)?;
    }
    let counters = &state.counters;
    writeln!(out, "\nNetwork usage:")?;
    writeln!(out, "  Bytes received: {}", sizes::bytes(counters.bytes_received))?;
    writeln!(out, "  Bytes sent: {}", sizes::bytes(counters.bytes_sent))?;
    writeln!(out, "  Packets received: {}", counters.packets_received)?;
    writeln!(out, "  Packets sent: {}", counters.packets_sent)?;
    Ok(output::print(&out)?)
}
