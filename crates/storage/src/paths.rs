//! Where pools and their volumes lie below the daemon's directory, and with which modes.
//!
//! Nothing in a pool is for users of the host: a root file system holds set-uid programs of its
//! own root, which for an unprivileged container whose ids are mapped by the mount is uid 0 on
//! disk. So every container's directory has mode 0700, whatever its root file system has. A custom
//! volume's root is seen inside containers and can be entered there by everybody; so it is the
//! directory of all custom volumes that is for root alone.

use crate::volume::{Kind, Volume};
use model::{InstanceName, PoolName};
use rustix::fs::Mode;
use std::path::{Path, PathBuf};

/// Mode of a pool and of the directory that holds containers, and of a custom volume itself.
pub(crate) const PASSABLE: Mode = Mode::from_raw_mode(0o711);
/// Mode of directories that only root enters.
pub(crate) const PRIVATE: Mode = Mode::from_raw_mode(0o700);
/// Where images, snapshots, containers and custom volumes are, with the modes of these places.
pub(crate) const PARTS: [(&str, Mode); 5] = [
    ("containers", PASSABLE),
    ("snapshots", PRIVATE),
    ("images", PRIVATE),
    ("custom", PRIVATE),
    ("custom-snapshots", PRIVATE),
];

/// Mode of a volume's own directory.
pub(crate) const fn mode(kind: Kind) -> Mode {
    match kind {
        Kind::Custom => PASSABLE,
        Kind::Image | Kind::Container | Kind::ContainerSnapshot | Kind::CustomSnapshot => PRIVATE,
    }
}

/// Names in these places that are not volumes: half-made ones, and deleted ones on their way out.
/// No volume's name starts with a dot.
pub(crate) const TEMPORARY: &str = ".tmp-";
/// See [`TEMPORARY`].
pub(crate) const TRASH: &str = ".trash-";
/// What a container is about to become; whoever staged it finishes or discards it after a crash.
pub(crate) const STAGED: &str = ".staged-";

/// The paths of one pool.
#[derive(Clone, Debug)]
pub(crate) struct PoolPaths {
    /// `<var>`
    pub(crate) var: PathBuf,
    /// `<var>/storage-pools/<pool>`
    pub(crate) mount: PathBuf,
}

impl PoolPaths {
    pub(crate) fn new(var: &Path, pool: &PoolName) -> Self {
        Self { var: var.to_owned(), mount: var.join("storage-pools").join(pool) }
    }

    pub(crate) fn part(&self, part: &str) -> PathBuf {
        self.mount.join(part)
    }

    /// Where volumes of a kind are; those of snapshots are one directory deeper.
    pub(crate) fn kind(&self, kind: Kind) -> PathBuf {
        self.part(kind.part())
    }

    /// Where a volume's files are while it is mounted.
    pub(crate) fn volume(&self, volume: &Volume) -> PathBuf {
        let part = self.kind(volume.kind());
        match volume {
            Volume::Image(name) => part.join(name),
            Volume::Container(name) => part.join(name),
            Volume::Custom(name) => part.join(name),
            Volume::ContainerSnapshot(of, name) => part.join(of).join(name),
            Volume::CustomSnapshot(of, name) => part.join(of).join(name),
        }
    }

    /// Where a volume's snapshots are; for those that have none, a path that never exists.
    pub(crate) fn snapshots(&self, of: &Volume) -> PathBuf {
        match of {
            Volume::Container(name) => self.kind(Kind::ContainerSnapshot).join(name),
            Volume::Custom(name) => self.kind(Kind::CustomSnapshot).join(name),
            Volume::Image(_) | Volume::ContainerSnapshot(..) | Volume::CustomSnapshot(..) => {
                self.mount.join(".none")
            }
        }
    }

    /// Where drafts are: nobody but root comes there, whatever modes their files have.
    pub(crate) fn drafts(&self) -> PathBuf {
        self.kind(Kind::ContainerSnapshot)
    }

    /// The link that leads to what a container has in a part of a pool, whichever pool that is.
    pub(crate) fn link(&self, part: &str, name: &InstanceName) -> PathBuf {
        self.links(part).join(name)
    }

    /// Where all such links are.
    pub(crate) fn links(&self, part: &str) -> PathBuf {
        self.var.join(part)
    }
}
