//! An interface comes to be in a container's network namespace, and goes.

use super::parent::{before, drop_vlan};
use super::plan::{Plan, Wiring, plan, volatile};
use crate::Error;
use crate::instances::context::Context;
use api::Config;
use model::DeviceName;
use model::devices::Device;
use network::{Inside, Limits, MacAddress};
use std::collections::BTreeMap;
use std::os::fd::BorrowedFd;

/// Keys that only mean something while the interface is in the container.
const WHILE_THERE: [&str; 4] = ["host_name", "last_state.hwaddr", "last_state.mtu", "last_state.created"];

/// Gives a container an interface that was reserved for it, or leaves nothing of it.
pub(crate) async fn attach(context: &Context, plan: &Plan, netns: BorrowedFd<'_>) -> Result<(), Error> {
    let networks = &context.networks;
    let inside = Inside { name: plan.inside.clone(), hwaddr: plan.hwaddr, mtu: plan.mtu, netns };
    match &plan.wiring {
        Wiring::Pair { host_name, bridge } => {
            networks.plug(plan, host_name, bridge.as_ref(), netns).await?;
            if plan.limits != Limits::default()
                && let Err(error) = networks.limit(host_name, plan.limits).await
            {
                let _ = networks.unplug(host_name).await;
                return Err(error);
            }
        }
        Wiring::Macvlan(parent) | Wiring::Physical(parent) => {
            if let Some((id, name)) = &parent.vlan {
                networks.vlan(&parent.base, *id, name).await?;
            }
            if matches!(plan.wiring, Wiring::Macvlan(_)) {
                networks.macvlan(parent.interface(), inside).await?;
            } else {
                networks.lend(parent.interface(), inside).await?;
            }
            warn_of_limits(&plan.device, plan.limits);
        }
        // It has become a physical one when it was reserved.
        Wiring::Sriov { .. } => {}
    }
    Ok(())
}

/// The host has no end of such an interface at which it could limit anything.
pub(super) fn warn_of_limits(device: &str, limits: Limits) {
    if limits != Limits::default() {
        tracing::warn!(device, "network limits only take effect on bridged and p2p interfaces");
    }
}

/// Takes an interface out of a container and puts back what was there before. `netns` is the
/// container's; without it, what comes back by itself is put in its place. Gives the keys to unset.
pub(crate) async fn release(
    context: &Context,
    name: &str,
    plan: &Plan,
    config: &Config,
    netns: Option<BorrowedFd<'_>>,
) -> Result<Config, Error> {
    let networks = &context.networks;
    match (&plan.wiring, netns) {
        (Wiring::Pair { host_name, .. }, _) => {
            networks.unplug(host_name).await?;
            networks.forget_limits(host_name).await?;
        }
        (Wiring::Macvlan(parent), netns) => {
            if let (Some(netns), Some(hwaddr)) = (netns, plan.hwaddr) {
                networks.delete_inside(netns, &plan.inside, hwaddr).await?;
            }
            drop_vlan(context, name, &plan.device, config, parent).await;
        }
        (Wiring::Physical(_) | Wiring::Sriov { .. }, netns) => {
            give_back(context, plan, config, netns).await?;
            if let Wiring::Physical(parent) = &plan.wiring {
                drop_vlan(context, name, &plan.device, config, parent).await;
            }
        }
    }
    let unset = WHILE_THERE.iter().map(|what| volatile(&plan.device, what));
    Ok(unset.filter(|key| config.contains_key(key)).map(|key| (key, String::new())).collect())
}

async fn give_back(
    context: &Context,
    plan: &Plan,
    config: &Config,
    netns: Option<BorrowedFd<'_>>,
) -> Result<(), Error> {
    let Some(before) = before(config, &plan.device) else { return Ok(()) };
    // As long as there is one of that name on the host, it was not lent.
    if context.networks.look(&before.name).await.is_ok() {
        return Ok(());
    }
    if let Some(netns) = netns
        && context.networks.take_back(netns, &plan.inside, before.clone()).await?
    {
        return Ok(());
    }
    let hwaddr: Option<MacAddress> = plan.hwaddr.or(before.hwaddr);
    if !context.networks.restore(before.clone(), hwaddr).await? {
        tracing::warn!(interface = %before.name, device = plan.device, "an interface that was lent to a container has not come back");
    }
    Ok(())
}

/// Puts back what a container that has ended had of the host's, and gives the keys to unset. Pairs
/// and macvlan interfaces go with the namespace; that takes the kernel a while, and nobody waits.
pub(crate) async fn release_all(
    context: &Context,
    name: &str,
    devices: &BTreeMap<DeviceName, Device>,
    config: &Config,
    netns: Option<BorrowedFd<'_>>,
) -> Config {
    let mut unset = Config::new();
    // The names of the host's ends are those that were kept.
    let Ok(plans) = plan(devices, config, || 0) else { return unset };
    for plan in plans {
        let left = match &plan.wiring {
            Wiring::Pair { .. } => {
                if plan.limits.egress.is_some()
                    && let Some(host_name) = host_name(config, &plan)
                    && let Err(error) = context.networks.forget_limits(&host_name).await
                {
                    tracing::warn!(instance = name, error = %error.story(), "cannot take a limit away");
                }
                continue;
            }
            Wiring::Macvlan(_) => release(context, name, &plan, config, None).await,
            _ => release(context, name, &plan, config, netns).await,
        };
        match left {
            Ok(keys) => unset.extend(keys),
            Err(error) => {
                tracing::error!(instance = name, device = plan.device, error = %error.story(), "cannot give an interface back to the host");
            }
        }
    }
    unset
}

/// The host's end of a pair, as it was kept when it was made.
pub(super) fn host_name(config: &Config, plan: &Plan) -> Option<network::InterfaceName> {
    network::InterfaceName::parse(config.get(&volatile(&plan.device, "host_name"))?).ok()
}
