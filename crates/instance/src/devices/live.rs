//! Devices of a running container: what they come to now is compared with what it was given, and
//! the difference is mounted, unmounted, allowed and denied.

use super::given::{Given, GivenPart};
use super::host::{self, Owner};
use super::part::{Part, has_parts, is_dynamic, parts};
use super::volumes::{self, Here};
use super::{Running, blocking};
use crate::steps::crash_at;
use crate::{Error, compose};
use model::DeviceName;
use model::devices::{Device, Devices, Properties, changes};
use model::runtime::mounting::Unmounted;

impl Running<'_> {
    async fn given(&self) -> Result<Given, Error> {
        let directory = self.context.var.devices(self.name);
        let found = blocking(move || Ok(Given::load(&directory))).await?;
        Ok(found.unwrap_or_else(|| {
            // Started by a daemon that kept no such file: this is what it allowed.
            let restricted = self.live.idmap.is_none() && self.context.platform.is_initial();
            Given { rules: restricted.then(compose::usual_devices), ..Given::default() }
        }))
    }

    async fn save(&self, given: &Given) -> Result<(), Error> {
        let (directory, given) = (self.context.var.devices(self.name), given.clone());
        blocking(move || given.save(&directory)).await
    }
}

/// Gives a device, or what is missing of it.
pub(super) async fn plug(
    running: &Running<'_>,
    name: &DeviceName,
    device: &Device,
    properties: &Properties,
) -> Result<(), Error> {
    let (owned, kind, trees) = (name.clone(), device.clone(), running.context.trees.clone());
    let known = running.live.volumes().get(name.as_str()).map(Here::from);
    let new = match known {
        Some(_) => None,
        None => volumes::attach(running.context, running.name, device, running.live.idmap.as_ref()).await?,
    };
    let here = known.or_else(|| new.as_ref().map(Here::from));
    let wanted = blocking(move || parts(&owned, &kind, &trees, here.as_ref())).await?;
    let mut given = running.given().await?;
    let known = given.devices.entry(name.to_string()).or_default();
    known.properties.clone_from(properties);
    // What somebody left half-done is begun again.
    let sound = std::mem::replace(&mut known.whole, false);
    let (kept, gone): (Vec<_>, Vec<_>) =
        known.parts.clone().into_iter().partition(|given| sound && wanted.contains(&given.part));
    let missing: Vec<Part> =
        wanted.into_iter().filter(|part| kept.iter().all(|given| given.part != *part)).collect();
    for part in gone.into_iter().rev() {
        take(running, &mut given, name.as_str(), &part).await?;
    }
    let mut done: Vec<Part> = Vec::new();
    for part in missing {
        if let Err(error) = give(running, &mut given, name.as_str(), &part).await {
            for part in done.iter().chain([&part]).rev() {
                take_back(running, &mut given, name.as_str(), part).await;
            }
            if kept.is_empty() {
                given.devices.remove(name.as_str());
            }
            settle(running, &mut given, name.as_str()).await?;
            return Err(error);
        }
        done.push(part);
    }
    running.live.volumes().extend(new.map(|new| (name.to_string(), new)));
    settle(running, &mut given, name.as_str()).await
}

/// Nobody is at the device any more.
async fn settle(running: &Running<'_>, given: &mut Given, device: &str) -> Result<(), Error> {
    if let Some(known) = given.devices.get_mut(device) {
        known.whole = true;
    }
    running.save(given).await
}

/// Takes a device away; one that was never given is fine.
pub(super) async fn unplug(running: &Running<'_>, name: &str) -> Result<(), Error> {
    let mut given = running.given().await?;
    let Some(device) = given.devices.get(name).cloned() else { return Ok(()) };
    for part in device.parts.iter().rev() {
        take(running, &mut given, name, part).await?;
    }
    given.devices.remove(name);
    running.save(&given).await?;
    running.live.volumes().remove(name);
    Ok(())
}

/// Remembers properties that changed without the device having to go.
pub(super) async fn update(
    running: &Running<'_>,
    name: &DeviceName,
    properties: &Properties,
) -> Result<(), Error> {
    let mut given = running.given().await?;
    if let Some(device) = given.devices.get_mut(name.as_str()) {
        device.properties.clone_from(properties);
        running.save(&given).await?;
    }
    Ok(())
}

/// Makes the devices of a running container what they should be, whatever happened meanwhile: a
/// daemon that was killed half-way, a stick that was pulled. What cannot follow is logged.
pub(crate) async fn catch_up(running: &Running<'_>, devices: &Devices) {
    let directory = running.context.var.devices(running.name);
    let given = match blocking(move || Ok(Given::load(&directory))).await {
        Ok(Some(given)) => given,
        // Nobody knows what it was given: it keeps it until it is restarted.
        _ => return,
    };
    let told = |device: &str, result: Result<(), Error>| {
        if let Err(error) = result {
            tracing::warn!(instance = running.name, device, error = %error.story(), "a device cannot follow");
        }
    };
    let before: Devices = given.devices.iter().map(|(n, d)| (n.clone(), d.properties.clone())).collect();
    let changes = changes(&before, devices);
    for name in &changes.removed {
        told(name, unplug(running, name).await);
    }
    for (name, properties) in devices {
        let Ok(mut device) = Device::parse(name, properties) else { continue };
        if let Device::Usb(usb) = &mut device {
            // It must be there at start; what is pulled later is gone all the same.
            usb.required = false;
        }
        let Ok(parsed) = DeviceName::parse(name) else { continue };
        let whole = given.devices.get(name).is_some_and(|given| given.whole);
        let incomplete = changes.added.contains(name) || is_dynamic(&device) || !whole;
        if has_parts(&device) && incomplete {
            told(name, plug(running, &parsed, &device, properties).await);
        }
    }
}

async fn give(running: &Running<'_>, given: &mut Given, device: &str, part: &Part) -> Result<(), Error> {
    let directory = running.context.var.devices(running.name);
    let owner = Owner { directory, idmap: running.live.idmap.clone() };
    let made = host::make(&owner, device, part).await?;
    let before = given.all_rules();
    let parts = &mut given.devices.entry(device.to_owned()).or_default().parts;
    let entry = GivenPart { part: part.clone(), identity: made.identity, made: false, file: made.file };
    parts.push(entry);
    let at = parts.len() - 1;
    crash_at("device:made");
    running.save(given).await?;
    crash_at("device:noted");
    allow(running, before, given).await?;
    let mounted = running.context.keeper.mount(running.name, made.mount, made.fd).await?;
    crash_at("device:mounted");
    if let Some(entry) = given.devices.get_mut(device).and_then(|device| device.parts.get_mut(at)) {
        (entry.identity, entry.made) = (mounted.identity, mounted.made);
    }
    Ok(())
}

/// Takes a part away.
async fn take(running: &Running<'_>, given: &mut Given, device: &str, part: &GivenPart) -> Result<(), Error> {
    let target = &part.part.target;
    match running.context.keeper.unmount(running.name, target, part.identity, part.made).await? {
        Unmounted::Done | Unmounted::Absent => {}
        Unmounted::Other => {
            return Err(Error::OtherMount { device: device.to_owned(), path: format!("/{target}") });
        }
    }
    crash_at("device:unmounted");
    forget(running, given, device, part).await
}

/// The same after a failure, whatever there is of it.
async fn take_back(running: &Running<'_>, given: &mut Given, device: &str, part: &Part) {
    let found = given.devices.get(device).and_then(|d| d.parts.iter().find(|g| g.part == *part)).cloned();
    if let Some(found) = found
        && let Err(error) = take(running, given, device, &found).await
    {
        tracing::warn!(instance = running.name, device, error = %error.story(), "cannot take back");
    }
}

/// Denies it, and removes its file and what is known of it.
async fn forget(
    running: &Running<'_>,
    given: &mut Given,
    device: &str,
    part: &GivenPart,
) -> Result<(), Error> {
    let before = given.all_rules();
    if let Some(known) = given.devices.get_mut(device) {
        known.parts.retain(|other| other != part);
    }
    allow(running, before, given).await?;
    if let Some(file) = part.file.clone() {
        // It is removed with the container at the latest.
        let _ = tokio::fs::remove_file(file).await;
    }
    running.save(given).await
}

/// Allows what the container was given, where it is restricted.
async fn allow(
    running: &Running<'_>,
    before: Option<Vec<model::runtime::devices::DeviceRule>>,
    given: &Given,
) -> Result<(), Error> {
    let (Some(before), Some(after)) = (before, given.all_rules()) else { return Ok(()) };
    if before == after {
        return Ok(());
    }
    let cgroup = running.live.cgroup.clone();
    blocking(move || cgroup.change_devices(&before, &after).map_err(Error::Cgroup)).await
}
