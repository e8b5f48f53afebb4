//! Interfaces of a running container.

use super::attach::{attach, host_name, release, warn_of_limits};
use super::parent::{before, reserve};
use super::plan::{Plan, Wiring, limits, missing_keys, plan};
use crate::Error;
use crate::devices::Running;
use model::DeviceName;
use model::devices::{Device, Nic};
use network::InterfaceName;
use network::interfaces::Interface;
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::AsFd as _;

/// The configuration with what this change has added to it so far.
fn config(running: &Running<'_>) -> api::Config {
    let mut config = running.config.clone();
    config.extend(running.keys.clone());
    config.retain(|_, value| !value.is_empty());
    config
}

fn single(name: &DeviceName, nic: &Nic) -> BTreeMap<DeviceName, Device> {
    BTreeMap::from([(name.clone(), Device::Nic(nic.clone()))])
}

fn planned(devices: &BTreeMap<DeviceName, Device>, config: &api::Config) -> Result<Plan, Error> {
    let plans = plan(devices, config, || u32::from_le_bytes(crate::random::bytes()))?;
    plans.into_iter().next().ok_or(Error::Shutdown)
}

async fn interfaces(running: &Running<'_>) -> Result<Vec<Interface>, Error> {
    running.context.networks.inside(running.live.netns.as_fd()).await
}

/// Gives a running container an interface, switched on.
pub(crate) async fn plug(running: &mut Running<'_>, name: &DeviceName, nic: &Nic) -> Result<(), Error> {
    let devices = single(name, nic);
    let there = interfaces(running).await?;
    let taken: BTreeSet<String> = there.iter().map(|interface| interface.name.clone()).collect();
    let missing = missing_keys(&devices, &config(running), taken, || running.context.random());
    running.keys.extend(missing);
    let mut plan = planned(&devices, &config(running))?;
    if there.iter().any(|interface| is_it(&plan, running.config, interface)) {
        return Ok(());
    }
    let keys = reserve(running.context, running.name, &mut plan).await?;
    running.keys.extend(keys);
    let netns = running.live.netns.as_fd();
    attach(running.context, &plan, netns).await?;
    if let Err(error) = running.context.networks.switch_on(netns, &plan.inside).await {
        let _ = release(running.context, running.name, &plan, &config(running), Some(netns)).await;
        return Err(error);
    }
    Ok(())
}

/// Whether an interface inside is the one that is planned.
fn is_it(plan: &Plan, config: &api::Config, interface: &Interface) -> bool {
    let is_there = match plan.wiring {
        Wiring::Physical(_) | Wiring::Sriov { .. } => before(config, &plan.device).is_some(),
        _ => plan.hwaddr.is_some() && interface.hwaddr == plan.hwaddr,
    };
    is_there && interface.name == plan.inside.as_str()
}

/// Takes an interface away from a running container.
pub(crate) async fn unplug(running: &mut Running<'_>, name: &DeviceName, nic: &Nic) -> Result<(), Error> {
    let config = config(running);
    let mut plan = planned(&single(name, nic), &config)?;
    if matches!(plan.wiring, Wiring::Pair { .. }) {
        let Some(host_name) = host_end(running, nic, &plan, &config).await? else { return Ok(()) };
        plan.wiring = Wiring::Pair { host_name, bridge: None };
    }
    let netns = running.live.netns.as_fd();
    let unset = release(running.context, running.name, &plan, &config, Some(netns)).await?;
    running.keys.extend(unset);
    Ok(())
}

/// Changes an interface in place: its limits. What DHCP gives it is told to the network elsewhere.
pub(crate) async fn update(
    running: &mut Running<'_>,
    name: &DeviceName,
    before: &Nic,
    after: &Nic,
) -> Result<(), Error> {
    if before.limits == after.limits {
        return Ok(());
    }
    let config = config(running);
    let plan = planned(&single(name, after), &config)?;
    if !matches!(plan.wiring, Wiring::Pair { .. }) {
        warn_of_limits(name.as_str(), limits(after));
        return Ok(());
    }
    match host_end(running, after, &plan, &config).await? {
        Some(host_name) => running.context.networks.limit(&host_name, limits(after)).await,
        None => Ok(()),
    }
}

/// The host's end of a pair as the kernel shows it. Where the container has hidden its own end, the
/// name that was made up for the host's is trusted; one that a user chose may be somebody else's.
async fn host_end(
    running: &Running<'_>,
    nic: &Nic,
    plan: &Plan,
    config: &api::Config,
) -> Result<Option<InterfaceName>, Error> {
    let there = interfaces(running).await?;
    let ours = |interface: &&Interface| {
        plan.hwaddr.is_some() && interface.hwaddr == plan.hwaddr && interface.host_name.is_some()
    };
    let seen = there.iter().find(ours).and_then(|interface| interface.host_name.as_deref());
    let made_up = || host_name(config, plan).filter(|_| nic.host_name.is_none());
    Ok(seen.and_then(|name| InterfaceName::parse(name).ok()).or_else(made_up))
}
