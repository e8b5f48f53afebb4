//! Disks: the root, and files and directories of the host.

use crate::Error;
use model::DeviceName;
use model::devices::{Device, Disk};
use model::runtime::spec::{Create, Mount, MountSource};
use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};

/// What a disk wants that this version cannot do.
pub(crate) fn unsupported(disk: &Disk) -> Option<&'static str> {
    if disk.size.is_some() {
        return Some("a size limit");
    }
    (!disk.is_root() && disk.pool.is_some()).then_some("custom storage volumes")
}

/// Mounts for all disks but the root, shorter paths first, so that one can lie inside another.
pub(crate) fn mounts(devices: &BTreeMap<DeviceName, Device>) -> Result<Vec<Mount>, Error> {
    let mut disks: Vec<(&DeviceName, &Disk)> = devices
        .iter()
        .filter_map(|(name, device)| match device {
            Device::Disk(disk) if !disk.is_root() => Some((name, disk)),
            _ => None,
        })
        .collect();
    disks.sort_by(|a, b| a.1.path.cmp(&b.1.path));
    disks.into_iter().filter_map(|(name, disk)| mount(name, disk).transpose()).collect()
}

/// `None`: an optional source that is missing.
fn mount(name: &DeviceName, disk: &Disk) -> Result<Option<Mount>, Error> {
    let source = disk.source.clone().unwrap_or_default();
    let kind = match std::fs::metadata(Path::new(&source)) {
        Ok(metadata) => metadata.file_type(),
        Err(_) if disk.optional => return Ok(None),
        Err(_) => return Err(Error::MissingSource { device: name.to_string(), path: source }),
    };
    if kind.is_block_device() {
        return Err(Error::Unsupported {
            subject: format!("The disk {name:?}"),
            feature: "mounting block devices",
            hint: "mount it on the host and give the directory",
        });
    }
    Ok(Some(Mount {
        source: MountSource::Bind { path: PathBuf::from(source), recursive: disk.recursive, idmapped: false },
        target: disk.path.trim_start_matches('/').to_owned(),
        create: Some(if kind.is_dir() { Create::Dir } else { Create::File }),
        optional: disk.optional,
        read_only: disk.readonly,
    }))
}
