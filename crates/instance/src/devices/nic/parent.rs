//! The host's interface that one of a container hangs on: what it was before is written down before
//! it is touched, so that whoever comes after a crash can give it back.

use super::plan::{Parent, Plan, Wiring, volatile};
use super::sriov;
use crate::Error;
use crate::instances::context::Context;
use api::Config;
use model::config::is_true;
use network::{InterfaceName, Lent, MacAddress};
use std::path::Path;

/// Finds what an interface hangs on. Gives the keys that have to be stored before it is attached.
pub(crate) async fn reserve(context: &Context, name: &str, plan: &mut Plan) -> Result<Config, Error> {
    if let Wiring::Sriov { parent } = &plan.wiring {
        let parent = parent.as_str().to_owned();
        let function =
            tokio::task::spawn_blocking(move || sriov::free_function(Path::new(sriov::INTERFACES), &parent))
                .await
                .map_err(|_| Error::Shutdown)??;
        let base = InterfaceName::parse(&function).map_err(Error::InterfaceName)?;
        plan.wiring = Wiring::Physical(Parent { base, vlan: None });
    }
    let key = |what: &str| volatile(&plan.device, what);
    let (parent, lent) = match &plan.wiring {
        Wiring::Pair { host_name, bridge } => {
            if let Some(bridge) = bridge {
                look(context, &plan.device, bridge).await?;
            }
            return Ok(Config::from([(key("host_name"), host_name.to_string())]));
        }
        Wiring::Macvlan(parent) => (parent, false),
        Wiring::Physical(parent) => (parent, true),
        Wiring::Sriov { .. } => return Ok(Config::new()),
    };
    let base = look(context, &plan.device, &parent.base).await?;
    let mut keys = Config::new();
    let mut before = base.clone();
    if parent.vlan.is_some() {
        let there = context.networks.look(parent.interface()).await.ok();
        if there.is_none() || others(context, name, &plan.device, parent).any(|other| other.created) {
            keys.insert(key("last_state.created"), "true".to_owned());
        }
        before = there.unwrap_or(Lent { name: parent.interface().clone(), ..base });
    }
    if lent {
        keys.insert(key("host_name"), before.name.to_string());
        keys.insert(key("last_state.mtu"), before.mtu.to_string());
        if let Some(hwaddr) = before.hwaddr {
            keys.insert(key("last_state.hwaddr"), hwaddr.to_string());
        }
    }
    Ok(keys)
}

async fn look(context: &Context, device: &str, parent: &InterfaceName) -> Result<Lent, Error> {
    context.networks.look(parent).await.map_err(|error| match error {
        Error::Network(network::Error::Lend(network::LendError::Missing { .. })) => {
            Error::MissingParent { device: device.to_owned(), parent: parent.to_string() }
        }
        other => other,
    })
}

/// What an interface was before it was lent, as [`reserve`] wrote it down.
pub(super) fn before(config: &Config, device: &str) -> Option<Lent> {
    let kept = |what: &str| config.get(&volatile(device, what));
    Some(Lent {
        name: InterfaceName::parse(kept("host_name")?).ok()?,
        hwaddr: kept("last_state.hwaddr").and_then(|text| text.parse::<MacAddress>().ok()),
        mtu: kept("last_state.mtu")?.parse().ok()?,
    })
}

/// Another interface on the same VLAN.
struct Other {
    /// The VLAN's interface was made for it.
    created: bool,
}

/// Other interfaces of running containers on the same VLAN.
fn others(
    context: &Context,
    name: &str,
    device: &str,
    parent: &Parent,
) -> impl Iterator<Item = Other> + use<> {
    let (base, id) = (parent.base.to_string(), parent.vlan.as_ref().map(|(id, _)| id.to_string()));
    let mut found = Vec::new();
    for entry in context.registry.all().into_iter().filter(|entry| entry.live().is_some()) {
        let view = entry.view();
        for (other, properties) in &view.expanded_devices {
            let same = properties.get("type").is_some_and(|kind| kind == "nic")
                && properties.get("parent") == Some(&base)
                && properties.get("vlan") == id.as_ref();
            if same && !(view.name == name && other == device) {
                let created = view.config.get(&volatile(other, "last_state.created"));
                found.push(Other { created: created.is_some_and(|value| is_true(value)) });
            }
        }
    }
    found.into_iter()
}

/// Removes the VLAN's interface if it was made for this one and no other hangs on it.
pub(super) async fn drop_vlan(context: &Context, name: &str, device: &str, config: &Config, parent: &Parent) {
    let created = config.get(&volatile(device, "last_state.created")).is_some_and(|value| is_true(value));
    if !created || parent.vlan.is_none() || others(context, name, device, parent).next().is_some() {
        return;
    }
    if let Err(error) = context.networks.unplug(parent.interface()).await {
        tracing::warn!(instance = name, device, error = %error.story(), "cannot remove the VLAN's interface");
    }
}
