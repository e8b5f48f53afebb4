//! Volumes of snapshots: `snapshots/<container>/<snapshot>`, of the same shape as a container's.

use super::{State, Temporary, make_private, rename_new, set_mode, temporary, volumes};
use crate::drivers::VolumeSource;
use crate::error::{Error, io_error};
use crate::paths::PRIVATE;
use model::{InstanceName, SnapshotName};
use rustix::io::Errno;

impl State {
    /// Containers that have a place for snapshots.
    pub(super) fn snapshotted(&self) -> Result<Vec<InstanceName>, Error> {
        volumes(&self.paths.part("snapshots"), |name| InstanceName::parse(name).ok())
    }

    pub(super) fn snapshots(&self, container: &InstanceName) -> Result<Vec<SnapshotName>, Error> {
        let directory = self.paths.snapshots(container);
        if directory.symlink_metadata().is_err() {
            return Ok(Vec::new());
        }
        volumes(&directory, |name| SnapshotName::parse(name).ok())
    }

    /// Half-made ones lie beside the containers' places, where no snapshot can have their name.
    pub(super) fn create_snapshot(
        &self,
        container: &InstanceName,
        name: &SnapshotName,
        source: &VolumeSource,
    ) -> Result<(), Error> {
        let path = self.paths.snapshot(container, name);
        if path.symlink_metadata().is_ok() {
            return Err(self.taken(container, name));
        }
        let volume = Temporary::make(temporary(&self.paths.part("snapshots"), container.as_str()))?;
        self.fill(&volume.path, source)?;
        set_mode(&volume.path, PRIVATE)?;
        make_private(&self.paths.snapshots(container))?;
        match volume.name(&path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(self.taken(container, name)),
            Err(errno) => Err(io_error("make", path)(errno)),
        }
    }

    fn taken(&self, container: &InstanceName, name: &SnapshotName) -> Error {
        Error::SnapshotExists {
            pool: self.pool.clone(),
            container: container.clone(),
            snapshot: name.clone(),
        }
    }

    pub(super) fn expect_snapshot(&self, container: &InstanceName, name: &SnapshotName) -> Result<(), Error> {
        if self.paths.snapshot(container, name).is_dir() {
            return Ok(());
        }
        Err(Error::NoSnapshot {
            pool: self.pool.clone(),
            container: container.clone(),
            snapshot: name.clone(),
        })
    }

    pub(super) fn delete_snapshot(
        &self,
        container: &InstanceName,
        name: &SnapshotName,
    ) -> Result<bool, Error> {
        let (part, path) = (self.paths.part("snapshots"), self.paths.snapshot(container, name));
        let found = self.trash.take(&part, &path, container.as_str())?;
        // Others are in it, or there was none at all.
        let _ = std::fs::remove_dir(self.paths.snapshots(container));
        Ok(found)
    }

    pub(super) fn delete_snapshots(&self, container: &InstanceName) -> Result<bool, Error> {
        let (part, all) = (self.paths.part("snapshots"), self.paths.snapshots(container));
        self.trash.take(&part, &all, container.as_str())
    }

    pub(super) fn rename_snapshot(
        &self,
        container: &InstanceName,
        old: &SnapshotName,
        new: &SnapshotName,
    ) -> Result<(), Error> {
        self.expect_snapshot(container, old)?;
        let path = self.paths.snapshot(container, new);
        match rename_new(&self.paths.snapshot(container, old), &path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(self.taken(container, new)),
            Err(errno) => Err(io_error("rename a snapshot to", path)(errno)),
        }
    }

    pub(super) fn rename_snapshots(&self, old: &InstanceName, new: &InstanceName) -> Result<bool, Error> {
        let path = self.paths.snapshots(new);
        // A place without snapshots in it is in nobody's way.
        let _ = std::fs::remove_dir(&path);
        match rename_new(&self.paths.snapshots(old), &path) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(io_error("rename snapshots to", path)(errno)),
        }
    }
}
