//! Network interfaces: a pair of ends, one in the container's namespace, one on the host.

use super::Running;
use crate::Error;
use api::Config;
use model::DeviceName;
use model::devices::{Device, Nic, NicType};
use network::{InterfaceName, MacAddress};
use std::collections::{BTreeMap, BTreeSet};

/// An interface that a container is about to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The device's name.
    pub(crate) device: String,
    /// Name inside.
    pub(crate) inside: InterfaceName,
    pub(crate) hwaddr: MacAddress,
    pub(crate) mtu: Option<u32>,
    /// The bridge that the host's end joins; none for p2p.
    pub(crate) bridge: Option<InterfaceName>,
    /// Wished name of the host's end.
    pub(crate) host_name: Option<InterfaceName>,
}

/// Keys that keep a generated name or address.
pub(crate) fn volatile(device: &str, what: &str) -> String {
    format!("volatile.{device}.{what}")
}

fn nics(devices: &BTreeMap<DeviceName, Device>) -> impl Iterator<Item = (&DeviceName, &Nic)> {
    devices.iter().filter_map(|(name, device)| match device {
        Device::Nic(nic) => Some((name, nic)),
        _ => None,
    })
}

/// Names and addresses that the interfaces need and nobody has chosen: what is to be kept in the
/// container's configuration. `random` gives random bytes.
pub(crate) fn missing_keys(
    devices: &BTreeMap<DeviceName, Device>,
    config: &Config,
    mut random: impl FnMut() -> [u8; 3],
) -> Config {
    let kept = |device: &DeviceName, what: &str| config.get(&volatile(device.as_str(), what)).cloned();
    let mut taken: BTreeSet<String> =
        nics(devices).filter_map(|(device, nic)| nic.name.clone().or_else(|| kept(device, "name"))).collect();
    let mut missing = Config::new();
    for (device, nic) in nics(devices) {
        if nic.hwaddr.is_none() && kept(device, "hwaddr").is_none() {
            missing.insert(volatile(device.as_str(), "hwaddr"), MacAddress::generate(random()).to_string());
        }
        if nic.name.is_none() && kept(device, "name").is_none() {
            let free = (0..).map(|n: u32| format!("eth{n}")).find(|name| !taken.contains(name));
            if let Some(name) = free {
                taken.insert(name.clone());
                missing.insert(volatile(device.as_str(), "name"), name);
            }
        }
    }
    missing
}

/// What each interface will be. `config` holds what [`missing_keys`] gave.
pub(crate) fn plan(devices: &BTreeMap<DeviceName, Device>, config: &Config) -> Result<Vec<Plan>, Error> {
    nics(devices)
        .map(|(device, nic)| {
            let kept = |what: &str| config.get(&volatile(device.as_str(), what)).cloned();
            let inside = nic.name.clone().or_else(|| kept("name")).unwrap_or_else(|| device.to_string());
            let hwaddr = nic.hwaddr.clone().or_else(|| kept("hwaddr")).unwrap_or_default();
            let name = |text: &str| InterfaceName::parse(text).map_err(Error::InterfaceName);
            Ok(Plan {
                device: device.to_string(),
                inside: name(&inside)?,
                hwaddr: hwaddr.parse::<MacAddress>().map_err(Error::MacAddress)?,
                mtu: nic.mtu,
                bridge: match nic.nictype {
                    NicType::Bridged => nic.parent.as_deref().map(name).transpose()?,
                    _ => None,
                },
                host_name: nic.host_name.as_deref().map(name).transpose()?,
            })
        })
        .collect()
}

/// Gives a running container an interface: takes effect at the next start.
#[allow(clippy::unused_async)]
pub(crate) async fn plug(_: &mut Running<'_>, _: &DeviceName, _: &Nic) -> Result<(), Error> {
    Ok(())
}

/// Takes an interface away from a running container: takes effect at the next start.
#[allow(clippy::unused_async)]
pub(crate) async fn unplug(_: &mut Running<'_>, _: &DeviceName, _: &Nic) -> Result<(), Error> {
    Ok(())
}

/// Changes an interface in place: takes effect at the next start.
#[allow(clippy::unused_async)]
pub(crate) async fn update(_: &mut Running<'_>, _: &DeviceName, _: &Nic, _: &Nic) -> Result<(), Error> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn devices(list: &[(&str, &[(&str, &str)])]) -> BTreeMap<DeviceName, Device> {
        let maps: api::Devices = list
            .iter()
            .map(|(name, keys)| {
                let mut map: BTreeMap<String, String> =
                    keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
                map.insert("type".to_owned(), "nic".to_owned());
                ((*name).to_owned(), map)
            })
            .collect();
        model::devices::parse_all(&maps).unwrap()
    }

    #[test]
    fn names_and_addresses_are_made_once_and_kept() {
        let devices = devices(&[
            ("a", &[("nictype", "p2p"), ("name", "eth0")]),
            ("b", &[("nictype", "bridged"), ("parent", "br0")]),
        ]);
        let kept = missing_keys(&devices, &Config::new(), || [1, 2, 3]);
        assert_eq!(kept["volatile.b.name"], "eth1");
        assert!(kept["volatile.a.hwaddr"].starts_with("00:16:3e:"));
        assert!(missing_keys(&devices, &kept, || [9, 9, 9]).is_empty());
        let plans = plan(&devices, &kept).unwrap();
        assert_eq!(plans[1].bridge.as_ref().unwrap().as_str(), "br0");
        assert_eq!((plans[0].inside.as_str(), plans[0].bridge.is_none()), ("eth0", true));
    }
}
