//! Volumes: what a pool holds, what they are made of, and what is known about one.

use model::{Fingerprint, InstanceName, SnapshotName, VolumeName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;

/// A volume of a pool, by name. It says nothing about whether it is there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Volume {
    /// An image that was unpacked.
    Image(Fingerprint),
    /// A container's.
    Container(InstanceName),
    /// One that users made, for their data.
    Custom(VolumeName),
    /// A snapshot of a container's.
    ContainerSnapshot(InstanceName, SnapshotName),
    /// A snapshot of a custom one.
    CustomSnapshot(VolumeName, SnapshotName),
}

/// Kinds of volumes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Kind {
    Image,
    Container,
    Custom,
    ContainerSnapshot,
    CustomSnapshot,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 5] =
        [Self::Image, Self::Container, Self::Custom, Self::ContainerSnapshot, Self::CustomSnapshot];

    /// The directory of a pool that volumes of this kind are in.
    #[must_use]
    pub const fn part(self) -> &'static str {
        match self {
            Self::Image => "images",
            Self::Container => "containers",
            Self::Custom => "custom",
            Self::ContainerSnapshot => "snapshots",
            Self::CustomSnapshot => "custom-snapshots",
        }
    }

    /// True for snapshots.
    #[must_use]
    pub const fn is_snapshot(self) -> bool {
        matches!(self, Self::ContainerSnapshot | Self::CustomSnapshot)
    }
}

impl Volume {
    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Image(_) => Kind::Image,
            Self::Container(_) => Kind::Container,
            Self::Custom(_) => Kind::Custom,
            Self::ContainerSnapshot(..) => Kind::ContainerSnapshot,
            Self::CustomSnapshot(..) => Kind::CustomSnapshot,
        }
    }

    /// Its name; a snapshot's own.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Image(name) => name.as_str(),
            Self::Container(name) => name.as_str(),
            Self::Custom(name) => name.as_str(),
            Self::ContainerSnapshot(_, name) | Self::CustomSnapshot(_, name) => name.as_str(),
        }
    }

    /// What a snapshot is a snapshot of; `None`: it is none.
    #[must_use]
    pub fn parent(&self) -> Option<Self> {
        match self {
            Self::ContainerSnapshot(of, _) => Some(Self::Container(of.clone())),
            Self::CustomSnapshot(of, _) => Some(Self::Custom(of.clone())),
            Self::Image(_) | Self::Container(_) | Self::Custom(_) => None,
        }
    }

    /// The kind of its snapshots; `None`: there are none of its kind.
    #[must_use]
    pub const fn snapshot_kind(&self) -> Option<Kind> {
        match self {
            Self::Container(_) => Some(Kind::ContainerSnapshot),
            Self::Custom(_) => Some(Kind::CustomSnapshot),
            Self::Image(_) | Self::ContainerSnapshot(..) | Self::CustomSnapshot(..) => None,
        }
    }

    /// A snapshot of it; `None`: there are none of its kind.
    #[must_use]
    pub fn snapshot(&self, name: &SnapshotName) -> Option<Self> {
        match self {
            Self::Container(of) => Some(Self::ContainerSnapshot(of.clone(), name.clone())),
            Self::Custom(of) => Some(Self::CustomSnapshot(of.clone(), name.clone())),
            Self::Image(_) | Self::ContainerSnapshot(..) | Self::CustomSnapshot(..) => None,
        }
    }

    /// The volume of this kind that a directory entry stands for; `None`: it stands for none. A
    /// snapshot's `of` is the name of what it is a snapshot of.
    #[must_use]
    pub(crate) fn parse(kind: Kind, of: &str, name: &str) -> Option<Self> {
        match kind {
            Kind::Image => Fingerprint::parse(name).ok().map(Self::Image),
            Kind::Container => InstanceName::parse(name).ok().map(Self::Container),
            Kind::Custom => VolumeName::parse(name).ok().map(Self::Custom),
            Kind::ContainerSnapshot => {
                let of = InstanceName::parse(of).ok()?;
                SnapshotName::parse(name).ok().map(|name| Self::ContainerSnapshot(of, name))
            }
            Kind::CustomSnapshot => {
                let of = VolumeName::parse(of).ok()?;
                SnapshotName::parse(name).ok().map(|name| Self::CustomSnapshot(of, name))
            }
        }
    }
}

/// As users know it: `container c1`, `snapshot c1/snap0`, `image 0123456789ab`.
impl fmt::Display for Volume {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(name) => write!(f, "image {}", name.short()),
            Self::Container(name) => write!(f, "container {name}"),
            Self::Custom(name) => write!(f, "custom volume {name}"),
            Self::ContainerSnapshot(of, name) => write!(f, "snapshot {of}/{name}"),
            Self::CustomSnapshot(of, name) => write!(f, "snapshot {of}/{name} of a custom volume"),
        }
    }
}

/// What a new volume is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// Nothing: an empty root directory for a container, an empty directory for a custom volume.
    Empty,
    /// Another volume of the same pool, which must be there.
    Volume {
        /// Which.
        volume: Volume,
        /// Its snapshots that come along, in the order in which they were taken.
        snapshots: Vec<SnapshotName>,
        /// Files may come and go while it is copied.
        running: bool,
    },
    /// What was put into a draft, which stays as it is.
    Draft(Draft),
}

impl VolumeSource {
    /// A volume without its snapshots that nobody changes meanwhile.
    #[must_use]
    pub const fn still(volume: Volume) -> Self {
        Self::Volume { volume, snapshots: Vec::new(), running: false }
    }
}

/// A volume in the making: nobody sees it until it is finished, and a crash of the daemon removes it.
/// It is mounted at its path, which only root reaches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Its name in the pool: [`TEMPORARY`](crate::paths::TEMPORARY) and something that no other has.
    pub(crate) name: String,
    /// Its directory, which is empty unless it was made of something.
    pub(crate) path: PathBuf,
}

impl Draft {
    /// Where its files go.
    #[must_use]
    pub fn path(&self) -> &std::path::Path {
        &self.path
    }
}

/// A volume's future content: what tells it from the present one, also after a crash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Staged(pub(crate) u64);

/// How a new size took effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resized {
    /// At once.
    Now,
    /// It cannot while the volume is mounted: ask again when it is not.
    Later,
}
