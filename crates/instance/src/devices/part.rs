//! What devices come to: things that appear at places inside.
//!
//! A disk is one part, a graphics card a handful of nodes. What a part needs on the host is made in
//! [`super::host`]; the same parts are mounted at start and while the container runs.

use super::trees::Trees;
use super::volumes::Here;
use super::{disk, gpu, unix, usb};
use crate::Error;
use model::DeviceName;
use model::devices::Device;
use model::runtime::devices::{DeviceRule, NodeKind};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One thing that appears inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// Where, relative to the container's root, with plain names only.
    pub(crate) target: String,
    /// What.
    pub(crate) source: Source,
}

/// What appears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Source {
    /// A directory or file of the host.
    Path { path: PathBuf, directory: bool, recursive: bool, read_only: bool, shift: bool },
    /// The file system on a block device.
    Filesystem { device: PathBuf, read_only: bool, shift: bool },
    /// A device node.
    Node(Node),
}

/// A device node; owner as inside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Node {
    pub(crate) kind: NodeKind,
    pub(crate) major: u32,
    pub(crate) minor: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    /// Permission bits.
    pub(crate) mode: u32,
    /// The host's node, where there is one: all that a daemon can give that may make none.
    pub(crate) host: Option<PathBuf>,
}

impl Part {
    /// What the container's processes must be allowed to use for it.
    pub(crate) fn rule(&self) -> Option<DeviceRule> {
        match &self.source {
            Source::Node(node) => Some(DeviceRule::node(node.kind, node.major, node.minor)),
            _ => None,
        }
    }

    /// Outer places come before those inside them.
    pub(crate) fn order(&self) -> Vec<&str> {
        self.target.split('/').collect()
    }
}

/// What a device comes to on this host now; `volume` is where the volume is that it may be. Blocks: looks
/// at files.
pub(super) fn parts(
    name: &DeviceName,
    device: &Device,
    trees: &Trees,
    volume: Option<&Here>,
) -> Result<Vec<Part>, Error> {
    let mut parts = match device {
        Device::Disk(disk) if !disk.is_root() => disk::parts(name, disk, volume)?,
        Device::UnixChar(unix) => unix::parts(name, NodeKind::Char, unix)?,
        Device::UnixBlock(unix) => unix::parts(name, NodeKind::Block, unix)?,
        Device::Usb(usb) => usb::parts(name, usb, trees)?,
        Device::Gpu(gpu) => gpu::parts(name, gpu, trees)?,
        _ => Vec::new(),
    };
    parts.sort_by(|a, b| a.order().cmp(&b.order()));
    Ok(parts)
}

/// Whether devices of this type come to parts.
pub(crate) fn has_parts(device: &Device) -> bool {
    match device {
        Device::Disk(disk) => !disk.is_root(),
        Device::UnixChar(_) | Device::UnixBlock(_) | Device::Usb(_) | Device::Gpu(_) => true,
        _ => false,
    }
}

/// Whether a device's parts come and go with what the host has.
pub(crate) fn is_dynamic(device: &Device) -> bool {
    match device {
        Device::UnixChar(unix) | Device::UnixBlock(unix) => !unix.required,
        Device::Usb(_) => true,
        _ => false,
    }
}
