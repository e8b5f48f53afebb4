//! The devices of a container that is about to start.

use super::given::{Given, GivenDevice, GivenPart, forget};
use super::host::{self, Owner};
use super::part::{has_parts, parts};
use super::volumes::{self, Here};
use crate::Error;
use crate::instances::context::Context;
use crate::volumes::Attached;
use model::devices::{Device, Devices};
use model::runtime::devices::DeviceRule;
use model::runtime::spec::Mount;
use model::{DeviceName, IdMap};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;

/// What devices add to a specification.
pub(crate) struct AtStart {
    /// What is mounted, outer places first.
    pub(crate) mounts: Vec<Mount>,
    /// The mounts among these that are given, in the same order.
    pub(crate) fds: Vec<OwnedFd>,
    /// The devices that may be used; `None`: no restriction.
    pub(crate) rules: Option<Vec<DeviceRule>>,
    /// The volumes among the devices, by the devices' names.
    pub(crate) volumes: BTreeMap<String, Attached>,
}

/// Makes what the devices need on the host. `usual` are the devices that everybody may use, if the
/// container is restricted.
///
/// # Errors
/// A device that cannot be had; what was made before stays, for [`clear`].
pub(crate) async fn prepare(
    context: &Context,
    name: &str,
    (devices, expanded): (&BTreeMap<DeviceName, Device>, &Devices),
    idmap: Option<&IdMap>,
    usual: Option<Vec<DeviceRule>>,
) -> Result<AtStart, Error> {
    clear(context, name).await?;
    let directory = context.var.devices(name);
    let owner = Owner { directory: directory.clone(), idmap: idmap.cloned() };
    let mut held = BTreeMap::new();
    for (device, properties) in devices {
        let attached = volumes::attach(context, name, properties, idmap).await?;
        held.extend(attached.map(|attached| (device.to_string(), attached)));
    }
    let here: BTreeMap<String, Here> = held.iter().map(|(name, held)| (name.clone(), held.into())).collect();
    let (wanted, trees) = (devices.clone(), context.trees.clone());
    let found = tokio::task::spawn_blocking(move || {
        let with_parts = wanted.iter().filter(|(_, device)| has_parts(device));
        with_parts
            .map(|(name, device)| Ok((name.clone(), parts(name, device, &trees, here.get(name.as_str()))?)))
            .collect::<Result<Vec<_>, Error>>()
    });
    let mut given = Given { rules: usual, devices: BTreeMap::new() };
    let mut all = Vec::new();
    for (device, parts) in found.await.map_err(|_| Error::Shutdown)?? {
        let properties = expanded.get(device.as_str()).cloned().unwrap_or_default();
        given.devices.insert(device.to_string(), GivenDevice { properties, parts: Vec::new(), whole: true });
        all.extend(parts.into_iter().map(|part| (device.to_string(), part)));
    }
    all.sort_by(|(_, a), (_, b)| a.order().cmp(&b.order()));
    let (mut mounts, mut fds) = (Vec::new(), Vec::new());
    for (device, part) in all {
        let made = host::make(&owner, &device, &part).await?;
        mounts.push(made.mount);
        fds.extend(made.fd);
        if let Some(given) = given.devices.get_mut(&device) {
            // Mount points are made with the rest of the container; those in its own files stay.
            let made_in_dev = part.target.starts_with("dev/");
            given.parts.push(GivenPart { part, identity: made.identity, made: made_in_dev, file: made.file });
        }
    }
    let rules = given.all_rules();
    super::blocking(move || given.save(&directory)).await?;
    Ok(AtStart { mounts, fds, rules, volumes: held })
}

/// Removes what devices have left of a container that does not run.
pub(crate) async fn clear(context: &Context, name: &str) -> Result<(), Error> {
    let directory = context.var.devices(name);
    super::blocking(move || {
        forget(&directory);
        Ok(())
    })
    .await
}
