//! Devices of containers: what they need on the host, and what the container gets.
//!
//! One folder or file per type, each with the same questions: may this version do it
//! ([`supported`]), what does it add to the specification, and, while the container runs: plug,
//! unplug, update in place ([`follow`]).

pub(crate) mod disk;
mod follow;
pub(crate) mod nic;
pub(crate) mod proxy;

pub(crate) use follow::{Running, follow};

use crate::Error;
use model::DeviceName;
use model::devices::Device;
use std::collections::BTreeMap;

/// Refuses devices that this version cannot give to a container, before anything is stored.
pub(crate) fn supported(devices: &BTreeMap<DeviceName, Device>) -> Result<(), Error> {
    for (name, device) in devices {
        let feature = match device {
            Device::None => continue,
            Device::Disk(disk) => match disk::unsupported(disk) {
                Some(feature) => feature,
                None => continue,
            },
            Device::Nic(nic) => match nic::unsupported(nic) {
                Some(feature) => feature,
                None => continue,
            },
            Device::UnixChar(_) | Device::UnixBlock(_) => "device nodes of the host",
            Device::Usb(_) => "USB devices",
            Device::Gpu(_) => "graphics cards",
            Device::Infiniband(_) => "InfiniBand",
            Device::Proxy(proxy) => match proxy::unsupported(proxy) {
                Some(feature) => feature,
                None => continue,
            },
        };
        return Err(Error::Unsupported {
            subject: format!("The device {name:?}"),
            feature,
            hint: "bridged and p2p interfaces, and disks from host directories, work",
        });
    }
    Ok(())
}
