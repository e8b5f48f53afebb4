//! Custom storage volumes among a container's devices.

use super::blocking;
use super::given::Given;
use crate::Error;
use crate::instances::context::Context;
use crate::volumes::{Attached, Place};
use model::IdMap;
use model::devices::Device;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Mutex;
use storage::Mounted;

/// A volume that is mounted in its pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Here {
    pub(super) path: PathBuf,
    /// The container's mount has to map ids.
    pub(super) shift: bool,
}

impl From<&Attached> for Here {
    fn from(attached: &Attached) -> Self {
        Self { path: attached.path().to_owned(), shift: attached.shift() }
    }
}

/// Where the volume is that a device is, and whether it must be there.
fn place(device: &Device) -> Option<(Place, bool)> {
    let Device::Disk(disk) = device else { return None };
    let (pool, name) = disk.custom_volume()?;
    Some((Place { pool: pool.clone(), name: name.clone() }, !disk.optional))
}

/// Nothing for what is no volume, or one that need not be there and is not.
fn there<T>(found: Result<T, Error>, required: bool) -> Result<Option<T>, Error> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Error::NotFound { .. }) if !required => Ok(None),
        Err(error) => Err(error),
    }
}

/// Gives a container the volume that a device is, with files that belong to its users.
pub(super) async fn attach(
    context: &Context,
    container: &str,
    device: &Device,
    idmap: Option<&IdMap>,
) -> Result<Option<Attached>, Error> {
    let Some((place, required)) = place(device) else { return Ok(None) };
    there(context.volumes.attach(&place, container, idmap).await, required)
}

/// Mounts the volume that a device is, for whoever wants to know where it lies.
pub(crate) async fn mount_volume(context: &Context, device: &Device) -> Result<Option<Mounted>, Error> {
    let Some((place, required)) = place(device) else { return Ok(None) };
    there(context.volumes.mount(&place).await, required)
}

/// The volumes that a running container was given by an earlier daemon, which stay mounted.
pub(crate) async fn hold_volumes(context: &Context, container: &str) -> Mutex<BTreeMap<String, Attached>> {
    let directory = context.var.devices(container);
    let given = blocking(move || Ok(Given::load(&directory))).await.ok().flatten().unwrap_or_default();
    let mut held = BTreeMap::new();
    for (name, device) in given.devices {
        let Ok(parsed) = Device::parse(&name, &device.properties) else { continue };
        let Some((place, _)) = place(&parsed) else { continue };
        match context.volumes.attach_again(&place, container).await {
            Ok(attached) => drop(held.insert(name, attached)),
            Err(error) => {
                tracing::error!(instance = container, device = name, error = %error.story(), "cannot keep a volume mounted");
            }
        }
    }
    Mutex::new(held)
}
