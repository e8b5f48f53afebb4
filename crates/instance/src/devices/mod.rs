//! Devices of containers: what they need on the host, and what the container gets.
//!
//! One file per type. A disk, a device node, a USB device and a graphics card come to [`part`]s,
//! which are all mounted and allowed in the same way; so each of these types answers one question:
//! which parts is it on this host now. Interfaces are made otherwise.
//!
//! | file | what |
//! |---|---|
//! | [`disk`], [`unix`], [`usb`], [`gpu`], [`nic`], [`proxy`] | one type each |
//! | [`volumes`] | disks that are storage volumes |
//! | [`part`] | what devices come to |
//! | [`host`] | what a part needs on the host |
//! | [`given`] | what a container was given, on disk |
//! | [`start`] | parts in the specification of a container that starts |
//! | [`follow`] | changes while it runs: plug, unplug, update in place |
//! | [`live`] | the same for parts |
//! | [`watch`] | devices of the host that come and go |

pub(crate) mod disk;
mod follow;
mod given;
mod gpu;
mod host;
mod live;
pub(crate) mod nic;
mod part;
pub(crate) mod proxy;
mod start;
mod trees;
mod unix;
mod usb;
mod volumes;
mod watch;

pub(crate) use follow::{Running, follow};
pub(crate) use live::catch_up;
pub(crate) use start::{clear, prepare};
pub(crate) use trees::Trees;
pub(crate) use volumes::{hold_volumes, mount_volume};
pub(crate) use watch::{Paths, Watch, any_dynamic, awaited};

use crate::Error;
use model::DeviceName;
use model::devices::Device;
use std::collections::BTreeMap;

/// Runs what waits for file systems on a thread that may wait.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Shutdown)?
}

/// Refuses devices that this version cannot give to a container, before anything is stored.
pub(crate) fn supported(devices: &BTreeMap<DeviceName, Device>) -> Result<(), Error> {
    for (name, device) in devices {
        let feature = match device {
            Device::None
            | Device::Disk(_)
            | Device::UnixChar(_)
            | Device::UnixBlock(_)
            | Device::Usb(_)
            | Device::Gpu(_) => continue,
            Device::Nic(nic) => match nic::unsupported(nic) {
                Some(feature) => feature,
                None => continue,
            },
            Device::Infiniband(_) => "InfiniBand",
            Device::Proxy(proxy) => match proxy::unsupported(proxy) {
                Some(feature) => feature,
                None => continue,
            },
        };
        return Err(Error::Unsupported {
            subject: format!("The device {name:?}"),
            feature,
            hint: "see the documentation of devices for those that work",
        });
    }
    Ok(())
}
