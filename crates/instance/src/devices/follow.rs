//! Devices that come, go and change while the container runs.
//!
//! Each type answers for itself: `plug` gives the container a device, `unplug` takes it away,
//! `update` changes what can be changed in place. All three do nothing where what they are asked for
//! is so already, because a change that fails half-way is taken back by asking for the opposite.

use super::part::has_parts;
use super::{live, nic, proxy};
use crate::Error;
use crate::instances::Live;
use crate::instances::context::Context;
use api::Config;
use model::DeviceName;
use model::devices::{Device, Devices, changes};
use std::sync::Arc;

/// A running container, as its devices see it.
pub(crate) struct Running<'a> {
    pub(crate) context: &'a Context,
    pub(crate) name: &'a str,
    pub(crate) live: Arc<Live>,
    /// Its own configuration, where generated names and addresses are kept.
    pub(crate) config: &'a Config,
    /// Keys of its own configuration to be set (empty values unset): the owner stores them, also
    /// when a device failed.
    pub(crate) keys: Config,
}

/// Makes the devices of a running container what they are `after`. Devices go before others come,
/// so that one can take the place of another.
///
/// # Errors
/// The first device that could not follow; those before it have.
pub(crate) async fn follow(
    running: &mut Running<'_>,
    before: &Devices,
    after: &Devices,
) -> Result<(), Error> {
    let changes = changes(before, after);
    for (name, device) in ordered(before, &changes.removed).iter().rev() {
        unplug(running, name, device).await.map_err(failed("take away", name, running.name))?;
    }
    for (name, device) in &ordered(after, &changes.added) {
        plug(running, name, device, after).await.map_err(failed("add", name, running.name))?;
    }
    let old = ordered(before, &changes.updated);
    for (name, device) in &ordered(after, &changes.updated) {
        if let Some((_, before)) = old.iter().find(|(other, _)| other == name) {
            let updated = update(running, name, (before, device), after).await;
            updated.map_err(failed("change", name, running.name))?;
        }
    }
    Ok(())
}

/// These devices in the order in which they are plugged: by type, disks by path, then by name. Old
/// ones that cannot be read (any more) were never given to the container.
fn ordered(devices: &Devices, names: &[String]) -> Vec<(DeviceName, Device)> {
    let mut ordered: Vec<(DeviceName, Device)> = names
        .iter()
        .filter_map(|name| {
            let device = Device::parse(name, devices.get(name)?).ok()?;
            Some((DeviceName::parse(name).ok()?, device))
        })
        .collect();
    ordered.sort_by(|a, b| order(a).cmp(&order(b)));
    ordered
}

fn order((name, device): &(DeviceName, Device)) -> (&'static str, Vec<&str>, &str) {
    let path = match device {
        Device::Disk(disk) => disk.path.split('/').filter(|part| !part.is_empty()).collect(),
        _ => Vec::new(),
    };
    (device.kind(), path, name.as_str())
}

/// Says which device it was.
fn failed(doing: &'static str, device: &DeviceName, container: &str) -> impl FnOnce(Error) -> Error {
    let (device, container) = (device.to_string(), container.to_owned());
    move |source| Error::LiveDevice { doing, device, container, source: Box::new(source) }
}

async fn plug(
    running: &mut Running<'_>,
    name: &DeviceName,
    device: &Device,
    all: &Devices,
) -> Result<(), Error> {
    match device {
        Device::Nic(nic) => nic::plug(running, name, nic).await,
        Device::Proxy(proxy) => proxy::plug(running, name, proxy).await,
        device if has_parts(device) => {
            let properties = all.get(name.as_str()).cloned().unwrap_or_default();
            live::plug(running, name, device, &properties).await
        }
        _ => Ok(()),
    }
}

async fn unplug(running: &mut Running<'_>, name: &DeviceName, device: &Device) -> Result<(), Error> {
    match device {
        Device::Nic(nic) => nic::unplug(running, name, nic).await,
        Device::Proxy(proxy) => proxy::unplug(running, name, proxy).await,
        device if has_parts(device) => live::unplug(running, name.as_str()).await,
        _ => Ok(()),
    }
}

async fn update(
    running: &mut Running<'_>,
    name: &DeviceName,
    change: (&Device, &Device),
    all: &Devices,
) -> Result<(), Error> {
    match change {
        (Device::Nic(before), Device::Nic(after)) => nic::update(running, name, before, after).await,
        (_, device) if has_parts(device) => {
            let properties = all.get(name.as_str()).cloned().unwrap_or_default();
            live::update(running, name, &properties).await
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn disks_come_by_path_so_that_one_can_lie_inside_another() {
        let disk = |path: &str| {
            [("type", "disk"), ("source", "/srv"), ("path", path)]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into()
        };
        let devices = Devices::from([
            ("a".to_owned(), disk("/mnt/x/y")),
            ("b".to_owned(), disk("mnt")),
            ("c".to_owned(), disk("/mnt/x")),
            ("d".to_owned(), [("type".to_owned(), "teapot".to_owned())].into()),
        ]);
        let names: Vec<String> = devices.keys().cloned().collect();
        let order: Vec<String> = ordered(&devices, &names).iter().map(|(n, _)| n.to_string()).collect();
        assert_eq!(order, ["b", "c", "a"]);
    }
}
