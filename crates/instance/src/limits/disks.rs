//! What the disks of a container come to: a look at what is behind each that has limits.

use super::blocks::{Unresolved, behind};
use super::rates::{Averages, Wish, averages};
use crate::Error;
use model::DeviceName;
use model::devices::Device;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The limits of block devices. `root` is where the root file system lies. Reads files.
/// Volumes lie where `volumes` says.
pub(crate) fn limits_of(
    devices: &BTreeMap<DeviceName, Device>,
    root: &Path,
    volumes: &BTreeMap<DeviceName, PathBuf>,
) -> Result<Averages, Error> {
    let mut wishes = Vec::new();
    for (name, device) in devices {
        let Device::Disk(disk) = device else { continue };
        if disk.limits.read.is_none() && disk.limits.write.is_none() {
            continue;
        }
        let path = match (&disk.source, &disk.volume) {
            (Some(source), _) if !disk.is_root() => PathBuf::from(source),
            (_, Some(_)) => match volumes.get(name) {
                Some(path) => path.clone(),
                // Optional, and not there.
                None => continue,
            },
            _ => root.to_owned(),
        };
        match behind(&path) {
            Ok(blocks) => wishes.push(Wish { limits: disk.limits, blocks }),
            Err(Unresolved::Path { source, .. }) if disk.optional && source.kind() == ErrorKind::NotFound => {
            }
            Err(reason) => {
                return Err(Error::DiskLimits { device: name.to_string(), reason: reason.to_string() });
            }
        }
    }
    Ok(averages(&wishes))
}
