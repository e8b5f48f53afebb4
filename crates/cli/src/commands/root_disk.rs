//! The device that says in which pool a container lives.

use api::Devices;
use std::collections::BTreeMap;

/// The root among devices, with its name.
pub(crate) fn find(devices: &Devices) -> Option<(&String, &BTreeMap<String, String>)> {
    let is = |device: &BTreeMap<String, String>, key, value: &str| {
        device.get(key).is_some_and(|found| found == value)
    };
    devices.iter().find(|(_, device)| is(device, "type", "disk") && is(device, "path", "/"))
}

/// Puts the root into a pool, in the container's own devices. What a profile says about it otherwise,
/// its size above all, holds on: a device of one's own takes the place of a whole device of a profile.
pub(crate) fn put_into(pool: &str, own: &mut Devices, inherited: &Devices) {
    let (name, mut root) = match find(own).or_else(|| find(inherited)) {
        Some((name, root)) => (name.clone(), root.clone()),
        None => ("root".to_owned(), BTreeMap::new()),
    };
    for (key, value) in [("type", "disk"), ("path", "/"), ("pool", pool)] {
        root.insert(key.to_owned(), value.to_owned());
    }
    own.insert(name, root);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(json: serde_json::Value) -> Devices {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_profiles_root_is_overridden_as_it_is() {
        let inherited = devices(serde_json::json!({
            "disk0": {"type": "disk", "path": "/", "pool": "default", "size": "10GB"},
            "eth0": {"type": "nic"}, "share": {"type": "disk", "path": "/srv", "source": "/srv"}}));
        let mut own = Devices::new();
        put_into("fast", &mut own, &inherited);
        let expected =
            serde_json::json!({"disk0": {"type": "disk", "path": "/", "pool": "fast", "size": "10GB"}});
        assert_eq!(own, devices(expected));
        put_into("slow", &mut own, &inherited);
        assert_eq!(own["disk0"]["pool"], "slow");
        let mut own = Devices::new();
        put_into("fast", &mut own, &Devices::new());
        assert_eq!(own, devices(serde_json::json!({"root": {"type": "disk", "path": "/", "pool": "fast"}})));
    }
}
