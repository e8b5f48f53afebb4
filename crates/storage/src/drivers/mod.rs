//! What a storage driver can do. Each has its own folder with the same files.
//!
//! Drivers that run programs do so asynchronously; drivers that make system calls put them on the
//! blocking pool. The pool above them checks names, keeps links, counts who uses a mounted volume,
//! and lets one change of a volume wait for another.

pub(crate) mod btrfs;
mod ceph;
pub(crate) mod dir;
pub(crate) mod lvm;
pub(crate) mod zfs;

use crate::config::{DriverKind, PoolConfig, VolumeConfig};
use crate::error::Error;
use crate::paths::PoolPaths;
use crate::volume::{Draft, Kind, Resized, Staged, Volume, VolumeSource};
use model::{PoolName, SnapshotName};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::pin::Pin;

/// What a driver's function returns: work that borrows the driver.
pub(crate) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// What a driver can do by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// Volumes share unchanged data with what they were made of.
    pub copy_on_write: bool,
    /// A volume can have a size.
    pub quotas: bool,
    /// The space a volume uses is known without looking at every file.
    pub usage: bool,
    /// Volumes are block devices with a file system of their own.
    pub blocks: bool,
    /// Volumes must be mounted to be seen, and unmounted to be changed.
    pub mounts: bool,
    /// It sends and receives volumes as differences.
    pub sends: bool,
}

/// Space and inodes of the file system a pool is on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
/// what a crash leaves behind is removed or finished by [`repair`](Self::repair). The driver may rely
/// on one change of a volume being over before the next begins; other volumes change meanwhile.
///
/// A volume's files are at [`PoolPaths::volume`] while it is mounted, with `rootfs`, `metadata.yaml`
/// and `templates` in it for containers and images; that directory has mode 0700 (0711 for a custom
/// volume). A volume with the space of others (`copy_on_write`) never dies with them: what others were
/// made of is hidden when it is deleted, and goes with the last of them.
pub(crate) trait Driver: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;

    /// Prepares the place for a new pool and mounts it; undoes everything on failure. Returns what is to
    /// be recorded beside the keys that were given (`source` at least).
    fn create(&self) -> Work<'_, BTreeMap<String, String>>;
    /// Makes the pool usable. False: it was.
    fn mount(&self) -> Work<'_, bool>;
    /// Reverses [`mount`](Self::mount). False: it was not mounted.
    fn unmount(&self) -> Work<'_, bool>;
    /// Removes the pool and all that is in it. Volumes that were hidden go too.
    fn delete(&self) -> Work<'_, ()>;
    /// Makes another configuration take effect, which was checked; the driver is made anew with it then.
    fn update<'a>(&'a self, new: &'a PoolConfig) -> Work<'a, ()>;
    /// How full it is.
    fn resources(&self) -> Work<'_, Resources>;
    /// Removes what a crash left behind.
    fn repair(&self) -> Work<'_, Repaired>;
    /// Waits for removals that go on in the background.
    fn settle(&self) -> Work<'_, ()>;

    /// All volumes of a kind, hidden ones left out.
    fn volumes(&self, kind: Kind) -> Work<'_, Vec<Volume>>;
    /// True if a volume is there.
    fn has<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool>;
    /// Makes a container's or custom volume or a snapshot. A snapshot's source is the volume that it is
    /// taken of, or anything else: what a snapshot of another volume holds, for one.
    fn make<'a>(&'a self, volume: &'a Volume, source: VolumeSource, config: &'a VolumeConfig)
    -> Work<'a, ()>;
    /// Removes a volume with its snapshots, mounted or not. False: it has none.
    fn delete_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool>;
    /// Gives a volume another name; its snapshots go with it. To one that was interrupted, the same
    /// call again is the way to its end.
    fn rename<'a>(&'a self, old: &'a Volume, new: &'a Volume) -> Work<'a, ()>;
    /// A volume's snapshots, sorted by name; also those that were left by a volume that is gone.
    fn snapshots<'a>(&'a self, of: &'a Volume) -> Work<'a, Vec<SnapshotName>>;
    /// Makes a volume's files visible at its path. Nothing happens when they are.
    fn mount_volume<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, ()>;
    /// Reverses it. Nothing happens when they are not visible.
    fn unmount_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()>;
    /// Gives a volume the size of its configuration; none: no limit, or the driver's default size.
    fn resize<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, Resized>;
    /// Bytes on disk; `None`: not known without a look at every file.
    fn usage<'a>(&'a self, volume: &'a Volume) -> Work<'a, Option<u64>>;

    /// Makes a draft, mounted.
    fn draft<'a>(&'a self, source: VolumeSource, config: &'a VolumeConfig) -> Work<'a, Draft>;
    /// Takes a snapshot of a draft, which becomes one of the volume that the draft becomes.
    fn draft_snapshot<'a>(&'a self, draft: &'a Draft, name: &'a SnapshotName) -> Work<'a, ()>;
    /// Makes a draft an image's, container's or custom volume, with its snapshots. An image's is on disk
    /// then, and it is no error when the image has one already.
    fn finish<'a>(&'a self, draft: Draft, volume: &'a Volume) -> Work<'a, ()>;
    /// Removes a draft. Nothing happens when it is gone.
    fn discard(&self, draft: Draft) -> Work<'_, ()>;

    /// Makes another content for a volume, beside the one that it has. It survives a crash.
    fn stage<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, Staged>;
    /// Puts what was staged in the place of the content, unless that was done already. The snapshots
    /// stay, also those that are newer than the content.
    fn commit_staged<'a>(&'a self, volume: &'a Volume, staged: Staged) -> Work<'a, ()>;
    /// Removes what was staged, if anything.
    fn discard_staged<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()>;

    /// Writes a volume as a stream for [`receive`](Self::receive): the difference to `base`, a snapshot
    /// that was received before, or all of it. Only for drivers with `sends`.
    fn send<'a>(&'a self, volume: &'a Volume, base: Option<&'a Volume>, to: OwnedFd) -> Work<'a, ()> {
        let (_, _, _) = (volume, base, to);
        Box::pin(async { Err(Error::NoStreams) })
    }
    /// An empty draft for [`receive`](Self::receive) alone: it has no files yet.
    fn draft_for_streams(&self) -> Work<'_, Draft> {
        Box::pin(async { Err(Error::NoStreams) })
    }
    /// Reads what `send` writes into a draft: as its snapshot of this name, or at last as its content.
    fn receive<'a>(
        &'a self,
        draft: &'a Draft,
        snapshot: Option<&'a SnapshotName>,
        base: Option<&'a SnapshotName>,
        from: OwnedFd,
    ) -> Work<'a, ()> {
        let (_, _, _, _) = (draft, snapshot, base, from);
        Box::pin(async { Err(Error::NoStreams) })
    }
}

/// The driver for a pool.
pub(crate) fn driver(
    kind: DriverKind,
    pool: &PoolName,
    config: &PoolConfig,
    paths: PoolPaths,
) -> Box<dyn Driver> {
    match kind {
        DriverKind::Btrfs => Box::new(btrfs::Btrfs::new(pool.clone(), config, paths)),
        DriverKind::Ceph => Box::new(ceph::Ceph::new(pool.clone(), config, paths)),
        DriverKind::Dir => Box::new(dir::Dir::new(pool.clone(), config, paths)),
        DriverKind::Lvm => Box::new(lvm::Lvm::new(pool.clone(), config, paths)),
        DriverKind::Zfs => Box::new(zfs::Zfs::new(pool.clone(), config, paths)),
    }
}
