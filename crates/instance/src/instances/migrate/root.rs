//! Where the root of a container that comes from another server is to lie.

use crate::Error;
use crate::instances::context::Context;
use api::Devices;
use std::sync::Arc;
use store::profiles::Profile;

/// The name of the root device, if there is one.
fn root_of(devices: &Devices) -> Option<&String> {
    let is = |device: &std::collections::BTreeMap<String, String>, key: &str, value: &str| {
        device.get(key).is_some_and(|found| found == value)
    };
    let mut roots =
        devices.iter().filter(|(_, device)| is(device, "type", "disk") && is(device, "path", "/"));
    roots.next().map(|(name, _)| name)
}

/// Gives the container's own devices a root in a pool that is here: its own if there is one of that name,
/// else that of its last profile that has one, else the only pool.
pub(in crate::instances) fn fit_root(
    context: &Context,
    devices: &mut Devices,
    layers: &[Arc<Profile>],
) -> Result<(), Error> {
    let pools: Vec<String> = context.pools.list().into_iter().map(|pool| pool.name).collect();
    choose(devices, layers.iter().map(|profile| &profile.devices), &pools)
}

fn choose<'a>(
    devices: &mut Devices,
    layers: impl DoubleEndedIterator<Item = &'a Devices>,
    pools: &[String],
) -> Result<(), Error> {
    let here = |devices: &Devices| {
        let pool = devices.get(root_of(devices)?)?.get("pool")?;
        pools.contains(pool).then(|| pool.clone())
    };
    if here(devices).is_some() {
        return Ok(());
    }
    let of_profile = layers.rev().find_map(here);
    match (root_of(devices).cloned(), of_profile) {
        // The profile decides alone.
        (None, Some(_)) => Ok(()),
        (own, of_profile) => {
            let only = if let [only] = pools { Some(only.clone()) } else { None };
            let pool = of_profile.or(only).ok_or(Error::NoPoolHere)?;
            let device = devices.entry(own.unwrap_or_else(|| "root".to_owned())).or_default();
            for (key, value) in [("type", "disk"), ("path", "/"), ("pool", &pool)] {
                device.insert(key.to_owned(), value.to_owned());
            }
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(pool: &str) -> Devices {
        let pairs = [("type", "disk"), ("path", "/"), ("pool", pool), ("size", "1GB")];
        let device = pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        [("root".to_owned(), device)].into()
    }

    fn chosen(own: Devices, profiles: &[Devices], pools: &[&str]) -> Option<Devices> {
        let mut devices = own;
        let pools: Vec<String> = pools.iter().map(|pool| (*pool).to_owned()).collect();
        choose(&mut devices, profiles.iter(), &pools).ok().map(|()| devices)
    }

    #[test]
    fn the_pool_is_one_that_is_here() {
        let none = Devices::new();
        assert_eq!(chosen(root("a"), &[], &["a", "b"]), Some(root("a")));
        assert_eq!(chosen(root("x"), &[root("a"), root("b")], &["a", "b"]), Some(root("b")));
        assert_eq!(chosen(root("x"), &[], &["a"]), Some(root("a")), "its other keys stay");
        assert_eq!(chosen(none.clone(), &[root("a")], &["a", "b"]), Some(none.clone()));
        assert_eq!(chosen(Devices::new(), &[Devices::new()], &["a"]).unwrap()["root"]["pool"], "a");
        assert_eq!(chosen(none.clone(), &[], &["a", "b"]), None);
        assert_eq!(chosen(root("x"), &[], &[]), None);
    }
}
