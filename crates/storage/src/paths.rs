//! Where pools and their volumes lie below the daemon's directory, and with which modes.
//!
//! Nothing in a pool is for users of the host: a root file system holds set-uid programs of its
//! own root, which for an unprivileged container whose ids are mapped by the mount is uid 0 on
//! disk. So every container's directory has mode 0700, whatever its root file system has.

use model::{Fingerprint, InstanceName, PoolName, SnapshotName};
use rustix::fs::Mode;
use std::path::{Path, PathBuf};

/// Mode of a pool and of the directories that hold containers and custom volumes.
pub(crate) const PASSABLE: Mode = Mode::from_raw_mode(0o711);
/// Mode of directories that only root enters.
pub(crate) const PRIVATE: Mode = Mode::from_raw_mode(0o700);
/// Where images, snapshots, containers and custom volumes are, with the modes of these places.
pub(crate) const PARTS: [(&str, Mode); 4] =
    [("containers", PASSABLE), ("snapshots", PRIVATE), ("images", PRIVATE), ("custom", PASSABLE)];

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

    pub(crate) fn container(&self, name: &InstanceName) -> PathBuf {
        self.mount.join("containers").join(name)
    }

    /// Where a container's snapshots are.
    pub(crate) fn snapshots(&self, container: &InstanceName) -> PathBuf {
        self.mount.join("snapshots").join(container)
    }

    pub(crate) fn snapshot(&self, container: &InstanceName, name: &SnapshotName) -> PathBuf {
        self.snapshots(container).join(name)
    }

    pub(crate) fn image(&self, fingerprint: &Fingerprint) -> PathBuf {
        self.mount.join("images").join(fingerprint)
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
