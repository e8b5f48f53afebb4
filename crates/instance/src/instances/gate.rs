//! The one gate that every configuration passes before it is stored or used (create, update, copy,
//! profile changes): what an update would refuse cannot come in by another way.

use super::context::Context;
use crate::Error;
use crate::devices;
use crate::pools::Pools;
use crate::volumes::Place;
use model::devices::{Device, Properties};
use model::expand::{Checked, Expanded};
use model::names::{PoolName, ProfileName};

/// Checks an expanded configuration against the table of keys, the devices that this version has,
/// this host and what exists on it.
pub(super) fn check(context: &Context, expanded: &Expanded) -> Result<Checked, Error> {
    let checked = expanded.check(&context.platform.host()).map_err(Error::Expanded)?;
    devices::supported(&checked.devices)?;
    if let Some(pool) = &checked.root.1.pool {
        context.pools.check_root(pool, &Pools::root_config(&checked.root.1))?;
    }
    for device in checked.devices.values() {
        if let Device::Disk(disk) = device
            && let Some((pool, name)) = disk.custom_volume()
            && !disk.optional
        {
            context.volumes.check(&Place { pool: pool.clone(), name: name.clone() })?;
        }
    }
    Ok(checked)
}

/// [`check`] of what a container is changed to. What is wrong in it and was so before may stay: a
/// value that an older or newer version has stored must not keep people from changing the others.
/// It counts for nothing here, and a start says what is wrong with it.
pub(super) fn check_change(context: &Context, before: &Expanded, after: &Expanded) -> Result<Checked, Error> {
    let mut after = after.without_old_faults(before);
    // A volume that is gone is such a fault.
    after
        .devices
        .retain(|name, device| before.devices.get(name) != Some(device) || !is_gone(context, device));
    check(context, &after)
}

/// Whether a device is a volume that is not there.
fn is_gone(context: &Context, device: &Properties) -> bool {
    matches!(Device::parse("disk", device), Ok(Device::Disk(disk)) if disk
    .custom_volume()
    .is_some_and(|(pool, name)| {
        context.volumes.check(&Place { pool: pool.clone(), name: name.clone() }).is_err()
    }))
}

/// Types for what was checked when it was stored.
pub(super) fn read(expanded: &Expanded) -> Result<Checked, Error> {
    let checked = expanded.read().map_err(Error::Expanded)?;
    devices::supported(&checked.devices)?;
    Ok(checked)
}

/// The profiles of a request: each exists, none is named twice.
pub(super) fn profiles(context: &Context, names: &[String]) -> Result<Vec<ProfileName>, Error> {
    let names = names.iter().map(|name| ProfileName::parse(name)).collect::<Result<Vec<_>, _>>()?;
    model::expand::check_profiles(&names).map_err(|e| Error::DuplicateProfile(e.profile.to_string()))?;
    for name in &names {
        context.profiles.get(name.as_str())?;
    }
    Ok(names)
}

/// Where the root lies.
pub(super) fn pool(checked: &Checked) -> Result<PoolName, Error> {
    checked.root.1.pool.clone().ok_or(Error::NoPool)
}
