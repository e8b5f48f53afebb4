//! What a storage driver can do. Each has its own folder with the same files.
//!
//! Drivers that run programs do so asynchronously; drivers that make system calls put them on the
//! blocking pool. The pool above them checks names, keeps links and orders concurrent requests.

pub(crate) mod dir;

use crate::config::{DriverKind, PoolConfig};
use crate::error::Error;
use crate::paths::PoolPaths;
use model::{Fingerprint, InstanceName, PoolName, SnapshotName};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::pin::Pin;

/// What a driver's function returns: work that borrows the driver.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What a driver can do by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// Images have volumes of their own in a pool.
    pub image_volumes: bool,
    /// Containers and snapshots share unchanged data with what they were made of.
    pub copy_on_write: bool,
    /// A container's root can have a size.
    pub quotas: bool,
    /// The space a container uses is known without looking at every file.
    pub usage: bool,
}

/// What a new volume of a container or snapshot is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VolumeSource {
    /// The volume of an image, which must be there.
    Image(Fingerprint),
    /// Nothing: an empty root directory.
    Empty,
    /// Another container of the same pool.
    Container {
        /// Its name.
        name: InstanceName,
        /// Files may come and go while it is copied.
        running: bool,
    },
    /// A snapshot in the same pool.
    Snapshot {
        /// Whose.
        container: InstanceName,
        /// Its name.
        name: SnapshotName,
    },
    /// What another daemon sent into a directory of [`Pool::receive`](crate::Pool::receive).
    Received {
        /// The directory.
        from: PathBuf,
        /// More will be received into it: what is there is copied. Otherwise it is taken out.
        stays: bool,
    },
}

/// A container's future content: what tells it from the present one, also after a crash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Staged(pub(crate) u64);

/// Space and inodes of the file system a pool is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resources {
    /// Bytes in use.
    pub space_used: u64,
    /// Bytes in all.
    pub space_total: u64,
    /// Inodes in use; 0 where the file system does not count them.
    pub inodes_used: u64,
    /// Inodes in all; 0 where the file system does not count them.
    pub inodes_total: u64,
}

/// What was found and done when a pool was repaired.
#[derive(Debug, Default)]
pub struct Repaired {
    /// Half-made and half-deleted volumes that were removed.
    pub removed: Vec<PathBuf>,
    /// Links to containers that were made or removed.
    pub links: Vec<PathBuf>,
    /// What could not be repaired, and why.
    pub failed: Vec<(PathBuf, Error)>,
}

/// A storage driver for one pool.
///
/// Changes are atomic for users: a volume is there as a whole or not at all, also after a crash;
/// what a crash leaves behind is removed by [`repair`](Self::repair).
pub(crate) trait Driver: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Prepares the place for a new pool; undoes everything on failure. Returns the `source` that
    /// is to be recorded.
    fn create(&self) -> Work<'_, PathBuf>;
    /// Makes the pool usable. False: it was.
    fn mount(&self) -> Work<'_, bool>;
    /// Reverses [`mount`](Self::mount). False: it was not mounted.
    fn unmount(&self) -> Work<'_, bool>;
    /// Removes the pool and all that is in it.
    fn delete(&self) -> Work<'_, ()>;
    /// How full it is.
    fn resources(&self) -> Work<'_, Resources>;
    /// Removes what a crash left behind.
    fn repair(&self) -> Work<'_, Repaired>;
    /// Waits for removals that go on in the background.
    fn settle(&self) -> Work<'_, ()>;

    /// True if an image has its volume.
    fn has_image(&self, fingerprint: &Fingerprint) -> Work<'_, bool>;
    /// Images with volumes.
    fn images(&self) -> Work<'_, Vec<Fingerprint>>;
    /// A path that does not exist, for filling an image's volume.
    fn stage_image(&self, fingerprint: &Fingerprint) -> Work<'_, PathBuf>;
    /// Makes what was filled the image's volume, for good.
    fn commit_image(&self, staged: PathBuf, fingerprint: &Fingerprint) -> Work<'_, ()>;
    /// Removes what was filled of an image's volume that is not to be.
    fn discard_image(&self, staged: PathBuf) -> Work<'_, ()>;
    /// Removes an image's volume. False: it has none.
    fn delete_image(&self, fingerprint: &Fingerprint) -> Work<'_, bool>;

    /// Containers with volumes.
    fn containers(&self) -> Work<'_, Vec<InstanceName>>;
    /// Makes a container's volume.
    fn create_container(&self, name: &InstanceName, source: VolumeSource) -> Work<'_, ()>;
    /// Removes a container's volume. False: it has none.
    fn delete_container(&self, name: &InstanceName) -> Work<'_, bool>;
    /// Gives a container's volume another name.
    fn rename_container(&self, old: &InstanceName, new: &InstanceName) -> Work<'_, ()>;
    /// Makes another content for a container, beside the one that it has.
    fn stage(&self, name: &InstanceName, source: VolumeSource) -> Work<'_, Staged>;
    /// Puts what was staged in the place of the content, unless that was done already.
    fn commit_staged(&self, name: &InstanceName, staged: Staged) -> Work<'_, ()>;
    /// Removes what was staged, if anything.
    fn discard_staged(&self, name: &InstanceName) -> Work<'_, ()>;

    /// A new directory that only root can reach, filled like a volume, for what another daemon sends.
    fn receive(&self, source: VolumeSource) -> Work<'_, PathBuf>;
    /// Removes such a directory.
    fn discard_received(&self, path: PathBuf) -> Work<'_, ()>;

    /// Containers with snapshots.
    fn snapshotted(&self) -> Work<'_, Vec<InstanceName>>;
    /// A container's snapshots.
    fn snapshots(&self, container: &InstanceName) -> Work<'_, Vec<SnapshotName>>;
    /// Makes a snapshot's volume.
    fn create_snapshot(
        &self,
        container: &InstanceName,
        name: &SnapshotName,
        source: VolumeSource,
    ) -> Work<'_, ()>;
    /// Removes a snapshot's volume. False: it has none.
    fn delete_snapshot(&self, container: &InstanceName, name: &SnapshotName) -> Work<'_, bool>;
    /// Removes all snapshots of a container. False: it has none.
    fn delete_snapshots(&self, container: &InstanceName) -> Work<'_, bool>;
    /// Gives a snapshot's volume another name.
    fn rename_snapshot(
        &self,
        container: &InstanceName,
        old: &SnapshotName,
        new: &SnapshotName,
    ) -> Work<'_, ()>;
    /// Gives all snapshots of a container to another name of it. False: it has none.
    fn rename_snapshots(&self, old: &InstanceName, new: &InstanceName) -> Work<'_, bool>;

    /// Bytes on disk.
    fn container_usage(&self, name: &InstanceName) -> Work<'_, u64>;
}

/// The driver for a pool.
pub(crate) fn driver(
    kind: DriverKind,
    pool: &PoolName,
    config: &PoolConfig,
    paths: PoolPaths,
) -> Box<dyn Driver> {
    match kind {
        DriverKind::Dir => Box::new(dir::Dir::new(pool.clone(), config.source.clone(), paths)),
    }
}
