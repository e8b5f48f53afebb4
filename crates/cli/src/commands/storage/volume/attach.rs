//! `lxc storage volume attach`, `detach` and the same for profiles: a disk device that names the volume.

use super::place::Place;
use crate::args::{AttachArgs, DetachArgs};
use crate::commands::holder::{Holder, HolderKind};
use crate::session::Session;
use anyhow::{Context as _, bail, ensure};
use api::{Config, Devices};

pub(super) async fn attach(session: &Session, kind: HolderKind, args: AttachArgs) -> anyhow::Result<()> {
    let place = custom(session, &args.pool, &args.volume, "attached")?;
    let volume = place.name.volume.clone();
    let (device, path) = match args.device_and_path.as_slice() {
        [path] => (&volume, path),
        [device, path] => (device, path),
        _ => bail!("Give the path at which the volume is to be seen"),
    };
    // A word about the volume is better than one about the container's configuration.
    place
        .client
        .volume(place.at())
        .await
        .with_context(|| format!("Cannot attach the volume {volume} of the pool {}", place.pool))?;
    let mut holder = load(session, kind, &place, &args.holder).await?;
    ensure!(
        !holder.devices().contains_key(device),
        "The device already exists: {} has one called \"{device}\"; name another one before the path",
        holder.name
    );
    let properties = [("type", "disk"), ("pool", &place.pool), ("source", &volume), ("path", path)];
    let properties = properties.map(|(key, value)| (key.to_owned(), value.to_owned()));
    holder.devices().insert(device.clone(), properties.into());
    holder.save(session).await
}

pub(super) async fn detach(session: &Session, kind: HolderKind, args: DetachArgs) -> anyhow::Result<()> {
    let place = custom(session, &args.pool, &args.volume, "detached")?;
    let mut holder = load(session, kind, &place, &args.holder).await?;
    let name = holder.name.clone();
    let device = find(holder.devices(), &place, args.device.as_deref())
        .with_context(|| format!("Cannot detach the volume {} from {name}", place.name))?;
    holder.devices().remove(&device);
    holder.save(session).await
}

/// The device that is the volume.
fn find(devices: &Devices, place: &Place, wanted: Option<&str>) -> anyhow::Result<String> {
    let is_it = |device: &Config| is_volume(device, &place.pool, &place.name.volume);
    let mut found = devices.iter().filter(|(_, device)| is_it(device)).map(|(name, _)| name);
    match wanted {
        Some(wanted) => {
            let device = devices.get(wanted).context("The specified device doesn't exist")?;
            ensure!(is_it(device), "The device \"{wanted}\" is not this volume");
            Ok(wanted.to_owned())
        }
        None => match (found.next(), found.next()) {
            (Some(only), None) => Ok(only.clone()),
            (None, _) => bail!("No device found for this storage volume"),
            (Some(one), Some(other)) => bail!(
                "More than one device matches, specify the device name (\"{one}\", \"{other}\" or another one)"
            ),
        },
    }
}

fn is_volume(device: &Config, pool: &str, volume: &str) -> bool {
    let is = |key: &str, value: &str| device.get(key).is_some_and(|found| found == value);
    let source = device.get("source").map(|source| source.strip_prefix("custom/").unwrap_or(source));
    is("type", "disk") && is("pool", pool) && source == Some(volume)
}

fn custom(session: &Session, pool: &str, volume: &str, what: &str) -> anyhow::Result<Place> {
    let place = Place::new(session, pool, volume)?;
    place.name.must_be_custom(what)?;
    place.name.must_be_whole(what)?;
    Ok(place)
}

/// The container or profile, which is on the volume's server.
async fn load(session: &Session, kind: HolderKind, place: &Place, name: &str) -> anyhow::Result<Holder> {
    let remote = match name.split_once(':') {
        Some(_) => session.target(name)?.remote,
        None => place.remote.clone(),
    };
    ensure!(
        session.same_server(&remote, &place.remote),
        "{name} and the pool {} are on different servers",
        place.pool
    );
    let name = name.split_once(':').map_or(name, |(_, name)| name);
    Holder::load(session, kind, &format!("{remote}:{name}")).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_found_among_devices() {
        let device = |pairs: &[(&str, &str)]| -> Config {
            pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        let disk = device(&[("type", "disk"), ("pool", "p"), ("source", "v"), ("path", "/v")]);
        assert!(is_volume(&disk, "p", "v"));
        assert!(!is_volume(&disk, "q", "v") && !is_volume(&disk, "p", "w"));
        let long = device(&[("type", "disk"), ("pool", "p"), ("source", "custom/v"), ("path", "/v")]);
        assert!(is_volume(&long, "p", "v"));
        assert!(!is_volume(&device(&[("type", "disk"), ("pool", "p"), ("path", "/")]), "p", "v"));
        assert!(!is_volume(&device(&[("type", "nic"), ("pool", "p"), ("source", "v")]), "p", "v"));
    }
}
