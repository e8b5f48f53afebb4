//! Devices: what kinds there are, which properties each takes, and what they mean.
//!
//! On the wire and in the database a device is a map of text ([`Properties`]). [`Device::parse`]
//! makes a type of it and is the one place that knows which texts are good. One file per kind.

mod changes;
mod disk;
mod error;
mod gpu;
mod infiniband;
mod nic;
mod proxy;
mod reader;
mod table;
#[cfg(test)]
mod tests;
mod unix;
mod usb;

pub use api::Devices;
pub use changes::{Changes, changes};
pub use disk::{Disk, DiskLimits};
pub use error::DeviceError;
pub use gpu::Gpu;
pub use infiniband::{Infiniband, InfinibandKind};
pub use nic::{Nic, NicLimits, NicType};
pub use proxy::{Proxy, ProxyAddress, ProxySide};
pub use table::{KINDS, Kind, Property, kind};
pub use unix::{NodeAccess, UnixDevice};
pub use usb::Usb;

use crate::DeviceName;
use reader::Reader;
use std::collections::{BTreeMap, BTreeSet};

/// The properties of a device, as text.
pub type Properties = BTreeMap<String, String>;

/// A device.
#[derive(Clone, Debug, PartialEq)]
pub enum Device {
    /// Nothing: hides a device of a profile.
    None,
    /// A network interface.
    Nic(Nic),
    /// A directory, file or block device mounted inside, or the root.
    Disk(Disk),
    /// A character device.
    UnixChar(UnixDevice),
    /// A block device.
    UnixBlock(UnixDevice),
    /// USB devices of a vendor.
    Usb(Usb),
    /// Graphics cards.
    Gpu(Gpu),
    /// An InfiniBand interface.
    Infiniband(Infiniband),
    /// A forwarded port.
    Proxy(Proxy),
}

impl Device {
    /// Makes a device of its properties.
    ///
    /// # Errors
    /// For an unknown type, a property that the type does not have, a missing one, or a value
    /// that is not good.
    pub fn parse(name: &str, properties: &Properties) -> Result<Self, DeviceError> {
        let read = Reader::new(name, properties)?;
        let device = match read.kind() {
            "none" => Self::None,
            "nic" => Self::Nic(nic::parse(&read)?),
            "disk" => Self::Disk(disk::parse(&read)?),
            "unix-char" => Self::UnixChar(unix::parse(&read)?),
            "unix-block" => Self::UnixBlock(unix::parse(&read)?),
            "usb" => Self::Usb(usb::parse(&read)?),
            "gpu" => Self::Gpu(gpu::parse(&read)?),
            "infiniband" => Self::Infiniband(infiniband::parse(&read)?),
            "proxy" => Self::Proxy(proxy::parse(&read)?),
            other => {
                return Err(DeviceError::InvalidType { device: name.to_owned(), value: other.to_owned() });
            }
        };
        Ok(device)
    }

    /// The value of `type`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Nic(_) => "nic",
            Self::Disk(_) => "disk",
            Self::UnixChar(_) => "unix-char",
            Self::UnixBlock(_) => "unix-block",
            Self::Usb(_) => "usb",
            Self::Gpu(_) => "gpu",
            Self::Infiniband(_) => "infiniband",
            Self::Proxy(_) => "proxy",
        }
    }
}

/// Makes devices of a whole set.
///
/// # Errors
/// For the first that is not good, in the order of names.
pub fn parse_all(devices: &Devices) -> Result<BTreeMap<DeviceName, Device>, DeviceError> {
    let parse = |(name, properties): (&String, &Properties)| {
        let checked = DeviceName::parse(name)?;
        Ok((checked, Device::parse(name, properties)?))
    };
    devices.iter().map(parse).collect()
}

/// Checks the devices that are a container's or profile's own, before expansion.
///
/// # Errors
/// As [`parse_all`], and when two disks have the same path.
pub fn validate_local(devices: &Devices) -> Result<(), DeviceError> {
    let mut paths = BTreeSet::new();
    for device in parse_all(devices)?.values() {
        if let Device::Disk(disk) = device
            && !paths.insert(inside(&disk.path))
        {
            return Err(DeviceError::SamePath { path: disk.path.clone() });
        }
    }
    Ok(())
}

/// A path inside a container as the components that name it: `/mnt/`, `./mnt` and `mnt` are one.
#[must_use]
pub fn inside(path: &str) -> String {
    let names: Vec<&str> = path.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    names.join("/")
}

/// The one root of an expanded set of devices.
///
/// # Errors
/// When there is none, or more than one.
pub fn root_device(devices: &BTreeMap<DeviceName, Device>) -> Result<(&DeviceName, &Disk), DeviceError> {
    let mut roots = devices.iter().filter_map(|(name, device)| match device {
        Device::Disk(disk) if disk.is_root() => Some((name, disk)),
        _ => None,
    });
    let root = roots.next().ok_or(DeviceError::NoRoot)?;
    match roots.next() {
        None => Ok(root),
        Some((second, _)) => {
            Err(DeviceError::TwoRoots { first: root.0.to_string(), second: second.to_string() })
        }
    }
}
