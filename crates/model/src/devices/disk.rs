//! `disk`: something mounted inside, or the root.

use super::{DeviceError, Reader};
use crate::units::{Bytes, DiskRate};
use crate::{PoolName, VolumeName};

/// Something mounted inside, or the root file system (`path=/`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disk {
    /// Where it appears inside; `/` for the root.
    pub path: String,
    /// A path of the host. The root and volumes have none.
    pub source: Option<String>,
    /// The pool of the volume or root.
    pub pool: Option<PoolName>,
    /// The custom volume of the pool.
    pub volume: Option<VolumeName>,
    /// How large the root may grow; 0 is unset.
    pub size: Option<Bytes>,
    /// It cannot be written to.
    pub readonly: bool,
    /// A missing source is not an error.
    pub optional: bool,
    /// With everything that is mounted below the source.
    pub recursive: bool,
    /// Ids of the source are the container's own: mapped by the mount.
    pub shift: bool,
    /// Bounds.
    pub limits: DiskLimits,
}

/// How much a disk may do in a second; none: unbounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DiskLimits {
    /// Reading.
    pub read: Option<DiskRate>,
    /// Writing.
    pub write: Option<DiskRate>,
}

impl Disk {
    /// True for the root file system.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.path == "/"
    }

    /// The custom volume that it is, with its pool.
    #[must_use]
    pub fn custom_volume(&self) -> Option<(&PoolName, &VolumeName)> {
        self.pool.as_ref().zip(self.volume.as_ref())
    }
}

pub(super) fn parse(read: &Reader<'_>) -> Result<Disk, DeviceError> {
    let path = read.path("path")?.ok_or_else(|| read.missing("path"))?;
    let is_root = path == "/";
    if !is_root && path.split('/').all(|c| c.is_empty() || c == ".") {
        return Err(read.invalid("path", &path, "/ for the root, or a path below it"));
    }
    let pool = read.text("pool").map(PoolName::parse).transpose()?;
    let (source, volume) = source(read, is_root, pool.is_some())?;
    let size = read.parsed("size", |v| Bytes::parse(v).ok())?.filter(|s| s.0 > 0);
    if size.is_some() && !is_root {
        return Err(DeviceError::SizeOfNonRoot);
    }
    let flag = |property| Ok::<_, DeviceError>(read.bool(property)?.unwrap_or(false));
    let (recursive, shift) = (flag("recursive")?, flag("shift")?);
    for (property, set, instead) in
        [("recursive", recursive, "leave it out"), ("shift", shift, "set security.shifted on the volume")]
    {
        if set && volume.is_some() {
            return Err(DeviceError::NotForVolumes { device: read.name().to_owned(), property, instead });
        }
    }
    let rate = |property| read.parsed(property, |v| DiskRate::parse(v).ok());
    let max = rate("limits.max")?;
    let (reading, writing) = (rate("limits.read")?, rate("limits.write")?);
    Ok(Disk {
        path,
        source,
        pool,
        volume,
        size,
        readonly: flag("readonly")?,
        optional: flag("optional")?,
        recursive,
        shift,
        limits: DiskLimits { read: max.or(reading), write: max.or(writing) },
    })
}

/// The path of the host or the custom volume that appears inside; the root has neither. A volume may
/// have its type in front of its name.
fn source(
    read: &Reader<'_>,
    is_root: bool,
    in_pool: bool,
) -> Result<(Option<String>, Option<VolumeName>), DeviceError> {
    let Some(source) = read.path("source")? else {
        return if is_root { Ok((None, None)) } else { Err(read.missing("source")) };
    };
    if is_root {
        return Err(DeviceError::RootWithSource { device: read.name().to_owned() });
    }
    match (in_pool, source.starts_with('/')) {
        (true, true) => Err(DeviceError::AbsoluteVolume { device: read.name().to_owned() }),
        (false, false) => Err(read.not_allowed("source", &source)),
        (false, true) => Ok((Some(source), None)),
        (true, false) => {
            let name = source.strip_prefix("custom/").unwrap_or(&source);
            Ok((None, Some(VolumeName::parse(name)?)))
        }
    }
}
