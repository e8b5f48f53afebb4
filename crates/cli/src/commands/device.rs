//! `lxc config device` and `lxc profile device`.

use super::holder::{Holder, HolderKind};
use crate::args::DeviceCommand;
use crate::output::{self, listing, object};
use crate::pairs;
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use api::{Config, Devices};

/// A device has to be the container's or profile's own to be changed.
const MISSING: &str = "The device doesn't exist";

pub(crate) async fn run(session: &Session, kind: HolderKind, command: DeviceCommand) -> anyhow::Result<()> {
    match command {
        DeviceCommand::Add { name, device, kind: device_kind, properties } => {
            let mut properties = pairs::parse(&properties)?;
            properties.insert("type".to_owned(), device_kind);
            let mut holder = Holder::load(session, kind, &name).await?;
            ensure!(!holder.devices().contains_key(&device), "The device already exists");
            let message = format!("Device {device} added to {}", holder.name);
            holder.devices().insert(device, properties);
            holder.save(session).await?;
            Ok(output::line(message)?)
        }
        DeviceCommand::Get { name, device, key } => {
            let mut holder = Holder::load(session, kind, &name).await?;
            let properties = own(&mut holder, kind, &device)?;
            Ok(output::line(properties.get(&key).map_or("", String::as_str))?)
        }
        DeviceCommand::List { name, format } => {
            let mut holder = Holder::load(session, kind, &name).await?;
            if let Some(format) = format {
                let kind = |device: &Config| device.get("type").cloned().unwrap_or_default();
                let devices = holder.devices();
                let rows = devices.iter().map(|(name, device)| vec![name.clone(), kind(device)]).collect();
                return listing::show(format, &["NAME", "TYPE"], rows, devices);
            }
            let names: String = holder.devices().keys().map(|name| format!("{name}\n")).collect();
            Ok(output::print(&names)?)
        }
        DeviceCommand::Override { name, device, properties } => {
            ensure!(kind == HolderKind::Container, "Only containers have devices from elsewhere to override");
            override_device(session, &name, device, &properties).await
        }
        DeviceCommand::Remove { name, devices } => {
            let mut holder = Holder::load(session, kind, &name).await?;
            for device in &devices {
                own(&mut holder, kind, device)?;
                holder.devices().remove(device);
            }
            let (plural, names) = (if devices.len() == 1 { "" } else { "s" }, devices.join(", "));
            let message = format!("Device{plural} {names} removed from {}", holder.name);
            holder.save(session).await?;
            Ok(output::line(message)?)
        }
        DeviceCommand::Set { name, device, pairs } => {
            let mut holder = Holder::load(session, kind, &name).await?;
            let (device, pairs) = dotted(holder.devices(), device, pairs);
            let pairs = pairs::parse_set(&pairs)?;
            super::holder::set(own(&mut holder, kind, &device)?, pairs);
            holder.save(session).await
        }
        DeviceCommand::Show { name, format } => {
            let mut holder = Holder::load(session, kind, &name).await?;
            object::show(format.format, holder.devices())
        }
        DeviceCommand::Unset { name, device, key } => {
            let mut holder = Holder::load(session, kind, &name).await?;
            super::holder::unset(own(&mut holder, kind, &device)?, &key)?;
            holder.save(session).await
        }
    }
}

async fn override_device(
    session: &Session,
    name: &str,
    device: String,
    properties: &[String],
) -> anyhow::Result<()> {
    let changes = pairs::parse(properties)?;
    let mut holder = Holder::load(session, HolderKind::Container, name).await?;
    ensure!(!holder.devices().contains_key(&device), "The device already exists");
    let mut inherited =
        holder.expanded_devices().get(&device).cloned().context("The profile device doesn't exist")?;
    inherited.extend(changes);
    let message = format!("Device {device} overridden for {}", holder.name);
    holder.devices().insert(device, inherited);
    holder.save(session).await?;
    Ok(output::line(message)?)
}

/// `root.limits.write 10MB` for `root limits.write 10MB`, as it is often written.
fn dotted(devices: &Devices, device: String, pairs: Vec<String>) -> (String, Vec<String>) {
    let (None, [value]) = (devices.get(&device), pairs.as_slice()) else { return (device, pairs) };
    match device.split_once('.') {
        Some((name, key)) if devices.contains_key(name) && !value.contains('=') => {
            (name.to_owned(), vec![key.to_owned(), value.clone()])
        }
        _ => (device, pairs),
    }
}

fn own<'a>(holder: &'a mut Holder, kind: HolderKind, device: &str) -> anyhow::Result<&'a mut Config> {
    let inherited = kind == HolderKind::Container && holder.expanded_devices().contains_key(device);
    match holder.devices().get_mut(device) {
        Some(properties) => Ok(properties),
        None if inherited => {
            bail!(
                "{MISSING} in the container itself: \"{device}\" comes from a profile; change it there, or override it here"
            )
        }
        None => bail!(MISSING),
    }
}
