//! What an interface will be: names, addresses, what it hangs on.

use crate::Error;
use api::Config;
use model::DeviceName;
use model::devices::{Device, Nic, NicType};
use network::{InterfaceName, Limits, MacAddress};
use std::collections::{BTreeMap, BTreeSet};

/// An interface that a container is about to get.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Plan {
    /// The device's name.
    pub(crate) device: String,
    /// Name inside.
    pub(crate) inside: InterfaceName,
    /// `None`: what the host's interface has.
    pub(crate) hwaddr: Option<MacAddress>,
    pub(crate) mtu: Option<u32>,
    pub(crate) wiring: Wiring,
    pub(crate) limits: Limits,
}

/// What an interface hangs on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wiring {
    /// It is the end of a pair; the other end stays on the host, in a bridge or alone.
    Pair { host_name: InterfaceName, bridge: Option<InterfaceName> },
    /// It is made on top of an interface of the host.
    Macvlan(Parent),
    /// It is an interface of the host.
    Physical(Parent),
    /// It is a virtual function of an interface of the host.
    Sriov { parent: InterfaceName },
}

/// An interface of the host, or the VLAN on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    /// The interface.
    pub(crate) base: InterfaceName,
    /// The VLAN and its interface.
    pub(crate) vlan: Option<(u16, InterfaceName)>,
}

impl Parent {
    /// The interface that is used.
    pub(crate) fn interface(&self) -> &InterfaceName {
        self.vlan.as_ref().map_or(&self.base, |(_, name)| name)
    }
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

/// A name, set or kept: an empty text is none.
fn kept<'a>(config: &'a Config, device: &str, what: &str) -> Option<&'a String> {
    config.get(&volatile(device, what)).filter(|value| !value.is_empty())
}

/// Names and addresses that the interfaces need and nobody has chosen: what is to be kept in the
/// container's configuration. `taken` are names that are in use inside already; `random` gives
/// random bytes.
pub(crate) fn missing_keys(
    devices: &BTreeMap<DeviceName, Device>,
    config: &Config,
    mut taken: BTreeSet<String>,
    mut random: impl FnMut() -> [u8; 3],
) -> Config {
    taken.extend(nics(devices).filter_map(|(device, nic)| {
        nic.name.clone().or_else(|| kept(config, device.as_str(), "name").cloned())
    }));
    let mut missing = Config::new();
    for (device, nic) in nics(devices) {
        let device = device.as_str();
        let has_own = matches!(nic.nictype, NicType::Physical | NicType::Sriov);
        if nic.hwaddr.is_none() && kept(config, device, "hwaddr").is_none() && !has_own {
            missing.insert(volatile(device, "hwaddr"), MacAddress::generate(random()).to_string());
        }
        if nic.name.is_none() && kept(config, device, "name").is_none() {
            let free = (0..).map(|n: u32| format!("eth{n}")).find(|name| !taken.contains(name));
            if let Some(name) = free {
                taken.insert(name.clone());
                missing.insert(volatile(device, "name"), name);
            }
        }
    }
    missing
}

/// What each interface will be. `config` holds what [`missing_keys`] gave; `random` gives numbers
/// for the names of the host's ends.
pub(crate) fn plan(
    devices: &BTreeMap<DeviceName, Device>,
    config: &Config,
    mut random: impl FnMut() -> u32,
) -> Result<Vec<Plan>, Error> {
    nics(devices).map(|(device, nic)| one(device.as_str(), nic, config, &mut random)).collect()
}

fn name(text: &str) -> Result<InterfaceName, Error> {
    InterfaceName::parse(text).map_err(Error::InterfaceName)
}

fn one(device: &str, nic: &Nic, config: &Config, random: &mut dyn FnMut() -> u32) -> Result<Plan, Error> {
    let inside = nic.name.as_deref().or(kept(config, device, "name").map(String::as_str)).unwrap_or(device);
    // What the host's interface has is no reason to give another one that address.
    let has_own = matches!(nic.nictype, NicType::Physical | NicType::Sriov);
    let hwaddr = nic.hwaddr.as_ref().or(kept(config, device, "hwaddr").filter(|_| !has_own));
    let base = || name(nic.parent.as_deref().unwrap_or_default());
    let parent = || {
        let base = base()?;
        let vlan = nic.vlan.map(|id| Ok::<_, Error>((id, name(&format!("{base}.{id}"))?))).transpose()?;
        Ok::<_, Error>(Parent { base, vlan })
    };
    let mut pair = |bridge| {
        let host_name = match &nic.host_name {
            Some(text) => name(text)?,
            None => InterfaceName::veth(random()),
        };
        Ok::<_, Error>(Wiring::Pair { host_name, bridge })
    };
    Ok(Plan {
        device: device.to_owned(),
        inside: name(inside)?,
        hwaddr: hwaddr.map(|text| text.parse()).transpose().map_err(Error::MacAddress)?,
        mtu: nic.mtu,
        wiring: match nic.nictype {
            NicType::P2p => pair(None)?,
            NicType::Bridged => pair(Some(base()?))?,
            NicType::Macvlan => Wiring::Macvlan(parent()?),
            NicType::Physical => Wiring::Physical(parent()?),
            NicType::Sriov => Wiring::Sriov { parent: base()? },
        },
        limits: limits(nic),
    })
}

/// Its bounds.
pub(super) fn limits(nic: &Nic) -> Limits {
    Limits { ingress: nic.limits.ingress.map(|r| r.0), egress: nic.limits.egress.map(|r| r.0) }
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
            ("b", &[("nictype", "bridged"), ("parent", "br0"), ("limits.max", "8Mbit")]),
        ]);
        let missing = |config: &Config| missing_keys(&devices, config, BTreeSet::new(), || [1, 2, 3]);
        let kept = missing(&Config::new());
        assert_eq!(kept["volatile.b.name"], "eth1");
        assert!(kept["volatile.a.hwaddr"].starts_with("00:16:3e:"));
        assert!(missing(&kept).is_empty());
        let plans = plan(&devices, &kept, || 0x1a).unwrap();
        let host_name = InterfaceName::veth(0x1a);
        let bridge = Some(name("br0").unwrap());
        assert_eq!(plans[1].wiring, Wiring::Pair { host_name: host_name.clone(), bridge });
        assert_eq!(plans[1].limits, Limits { ingress: Some(8_000_000), egress: Some(8_000_000) });
        assert_eq!(plans[0].wiring, Wiring::Pair { host_name, bridge: None });
        assert_eq!(plans[0].inside.as_str(), "eth0");
    }

    #[test]
    fn names_that_are_in_use_inside_are_left_alone() {
        let devices = devices(&[("a", &[("nictype", "p2p")])]);
        let taken = BTreeSet::from(["eth0".to_owned(), "eth1".to_owned()]);
        assert_eq!(missing_keys(&devices, &Config::new(), taken, || [0; 3])["volatile.a.name"], "eth2");
    }

    #[test]
    fn interfaces_of_the_host_keep_their_address_and_vlans_their_name() {
        let devices = devices(&[
            ("p", &[("nictype", "physical"), ("parent", "up0"), ("vlan", "7")]),
            ("m", &[("nictype", "macvlan"), ("parent", "up0"), ("name", "lan")]),
        ]);
        let kept = missing_keys(&devices, &Config::new(), BTreeSet::new(), || [1, 2, 3]);
        assert!(!kept.contains_key("volatile.p.hwaddr") && kept.contains_key("volatile.m.hwaddr"));
        let plans = plan(&devices, &kept, || 0).unwrap();
        let (Wiring::Macvlan(m), Wiring::Physical(p)) = (&plans[0].wiring, &plans[1].wiring) else {
            panic!("{plans:?}");
        };
        assert_eq!((m.interface().as_str(), p.interface().as_str()), ("up0", "up0.7"));
        assert_eq!(plans[1].hwaddr, None);
        let long = super::tests::devices(&[(
            "p",
            &[("nictype", "physical"), ("parent", "fifteen-letters"), ("vlan", "7")],
        )]);
        assert!(plan(&long, &kept, || 0).is_err());
    }
}
