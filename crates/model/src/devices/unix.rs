//! `unix-char` and `unix-block`: device nodes of the host.

use super::{DeviceError, Reader};

/// A device node of the host that appears inside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnixDevice {
    /// The node on the host.
    pub source: String,
    /// Where it appears inside.
    pub path: String,
    /// Major number; none: the host node's.
    pub major: Option<u32>,
    /// Minor number; none: the host node's.
    pub minor: Option<u32>,
    /// Owner and mode inside.
    pub access: NodeAccess,
    /// It must be there at start; otherwise it is added when it appears.
    pub required: bool,
}

/// Owner and mode of a device node inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NodeAccess {
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Permission bits; none: the host node's, else 0660.
    pub mode: Option<u32>,
}

impl NodeAccess {
    /// The mode of a node that the host does not have.
    pub const DEFAULT_MODE: u32 = 0o660;

    pub(super) fn read(read: &Reader<'_>) -> Result<Self, DeviceError> {
        Ok(Self {
            uid: read.number("uid")?.unwrap_or(0),
            gid: read.number("gid")?.unwrap_or(0),
            mode: read.parsed("mode", |v| {
                u32::from_str_radix(v, 8).ok().filter(|m| *m <= 0o7777 && !v.starts_with('+'))
            })?,
        })
    }
}

pub(super) fn parse(read: &Reader<'_>) -> Result<UnixDevice, DeviceError> {
    let (source, path) = (read.path("source")?, read.path("path")?);
    let either = || source.clone().or_else(|| path.clone()).ok_or_else(|| read.missing("source\" or \"path"));
    Ok(UnixDevice {
        source: either()?,
        path: path.clone().map_or_else(either, Ok)?,
        major: read.number("major")?,
        minor: read.number("minor")?,
        access: NodeAccess::read(read)?,
        required: read.bool("required")?.unwrap_or(true),
    })
}
