//! Logical volumes: thin ones, which share a thin pool and what they have in common, or thick ones.
//!
//! Each volume is a block device with a file system of its own (see [`crate::block`]), mounted while it is
//! used. See [`names`] for what they are called, and for names of what a crash leaves behind.
//!
//! With a thin pool, an image's volume is made once, and containers, copies and snapshots are thin
//! snapshots: independent of each other, whichever is deleted first. A snapshot is never mounted itself but
//! a thin snapshot of it (`view_…`), which is thrown away afterwards: mounting may have to write.
//!
//! Without one (`lvm.use_thinpool=false`), containers are copies of the image's files, and only snapshots
//! are snapshots: each with as much room as what it was taken of, so that it never overflows.

mod content;
mod draft;
mod mounted;
mod names;
mod pool;
mod remove;
mod repair;
mod size;
mod staged;
#[cfg(test)]
mod tests;
mod update;
mod volume;

use super::{Capabilities, Driver, Repaired, Resources, Work};
use crate::config::{Filesystem, PoolConfig, VolumeConfig};
use crate::error::Error;
use crate::loopfile::LoopFile;
use crate::paths::PoolPaths;
use crate::volume::{Draft, Kind, Resized, Staged, Volume, VolumeSource};
use model::units::Bytes;
use model::{Fingerprint, PoolName, SnapshotName};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tools::RunError;
use tools::lvm::{Logical, Lvm as Tool};

/// Size of volumes for which nobody asked for another one.
const DEFAULT_SIZE: Bytes = Bytes(10_000_000_000);

/// The driver of one pool.
#[derive(Clone)]
pub(crate) struct Lvm {
    pool: PoolName,
    source: Source,
    config: PoolConfig,
    /// The volume group.
    group: String,
    /// The thin pool in it; `None`: volumes are thick.
    thin: Option<String>,
    paths: PoolPaths,
    known: Arc<Mutex<Known>>,
}

/// What a pool is on.
#[derive(Clone, Debug)]
enum Source {
    /// Its own file below the daemon's directory.
    File(LoopFile),
    /// A device that becomes a volume group.
    Device(PathBuf),
    /// A volume group that is there.
    Group(String),
}

/// What was found out, and what goes on.
#[derive(Default)]
struct Known {
    /// The loop device of the pool's file.
    device: Option<PathBuf>,
    /// Images that have a volume with the file system that new volumes have.
    images: BTreeSet<Fingerprint>,
    /// Volumes that were still used when they were deleted.
    removals: Vec<tokio::task::JoinHandle<()>>,
}

impl Source {
    fn of(source: Option<&str>, own: LoopFile) -> Self {
        match source {
            None => Self::File(own),
            Some(text) if text == own.source() => Self::File(own),
            Some(text) if text.starts_with('/') => Self::Device(PathBuf::from(text)),
            Some(text) => Self::Group(text.to_owned()),
        }
    }
}

impl Lvm {
    pub(crate) fn new(pool: PoolName, config: &PoolConfig, paths: PoolPaths) -> Self {
        let source = Source::of(config.source.as_deref(), LoopFile::of(&paths, &pool));
        let group = match (&config.lvm.vg_name, &source) {
            (Some(name), _) | (None, Source::Group(name)) => name.clone(),
            (None, Source::File(_) | Source::Device(_)) => names::group_of(pool.as_str()),
        };
        let thin = config.lvm.use_thinpool.then(|| config.lvm.thinpool_name.clone());
        Self { pool, source, config: config.clone(), group, thin, paths, known: Arc::default() }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How to run LVM for this pool.
    async fn tool(&self) -> Result<Tool, Error> {
        let Source::File(file) = &self.source else { return Ok(Tool::of_host()) };
        if let Some(device) = self.known().device.clone() {
            return Ok(Tool::of_device(&device));
        }
        let Some(device) = file.device().await? else {
            return Err(self.unusable(format!("its file {} is not attached", file.path().display())));
        };
        self.known().device = Some(device.clone());
        Ok(Tool::of_device(&device))
    }

    /// All logical volumes of the group.
    async fn list(&self, tool: &Tool) -> Result<Vec<Logical>, Error> {
        tool.volumes(&self.group).await?.ok_or_else(|| self.no_group())
    }

    /// What a volume is called.
    fn name(&self, volume: &Volume) -> Result<names::Name, Error> {
        names::of(volume).ok_or_else(|| {
            let why = "its name is too long for LVM; choose a shorter one".to_owned();
            self.cannot(format!("have a volume for the {volume}"), why)
        })
    }

    /// The device of a logical volume that is active.
    fn device(&self, name: &str) -> PathBuf {
        Path::new("/dev").join(&self.group).join(name)
    }

    /// The device of a logical volume, which becomes active if it is not.
    async fn active(&self, tool: &Tool, name: &str) -> Result<PathBuf, Error> {
        let device = self.device(name);
        if !device.exists() {
            tool.activate(&self.group, name).await?;
        }
        Ok(device)
    }

    /// Where something is mounted for a moment: nobody but root comes there.
    fn scratch(&self) -> Result<Scratch, Error> {
        Scratch::make(self.paths.drafts().join(format!("{}{}", crate::paths::TEMPORARY, unique())))
    }

    /// The file system of new volumes.
    fn filesystem(&self, config: &VolumeConfig) -> Filesystem {
        config.filesystem.or(self.config.volume.filesystem).unwrap_or(Filesystem::Ext4)
    }

    fn cannot(&self, what: String, why: String) -> Error {
        Error::Cannot { pool: self.pool.clone(), driver: "lvm", what, why }
    }

    fn unusable(&self, why: String) -> Error {
        self.cannot("be used".to_owned(), why)
    }

    fn no_group(&self) -> Error {
        let group = &self.group;
        self.unusable(format!(
            "there is no LVM volume group {group}; see that its disks are there (vgs, pvs)"
        ))
    }

    fn exists(&self, volume: &Volume) -> Error {
        Error::VolumeExists { pool: self.pool.clone(), volume: volume.clone() }
    }

    fn missing(&self, volume: &Volume) -> Error {
        Error::NoVolume { pool: self.pool.clone(), volume: volume.clone() }
    }

    /// LVM does not say in a form for programs why something failed. Most likely there is no room for the
    /// volume, which needs so many bytes more; `None`: for another one.
    async fn explain(&self, tool: &Tool, error: RunError, volume: Option<&Volume>, needed: u64) -> Error {
        if !matches!(error, RunError::Failed { .. }) {
            return error.into();
        }
        let missing = match &self.thin {
            Some(pool) => match tool.status(&self.group, pool).await {
                Ok(status) if status.metadata_percent.is_some_and(|part| part >= 99.0) => {
                    let group = &self.group;
                    let why = format!(
                        "the thin pool has no room for its own notes; delete volumes, or run lvextend \
                         --poolmetadatasize +1G {group}/{pool}"
                    );
                    return self.cannot("hold more".to_owned(), why);
                }
                Ok(status) => status.used.and_then(|used| missing(status.size, used, needed)),
                Err(_) => None,
            },
            None => match tool.group(&self.group).await {
                Ok(Some(group)) => needed.checked_sub(group.free).filter(|missing| *missing > 0),
                _ => None,
            },
        };
        missing.map_or_else(|| error.into(), |missing| self.full(volume, Bytes(missing)))
    }

    fn full(&self, volume: Option<&Volume>, missing: Bytes) -> Error {
        match volume {
            Some(volume) => Error::Full { pool: self.pool.clone(), volume: volume.clone(), missing },
            None => self.cannot(
                "hold another volume".to_owned(),
                format!("it is full: {} more would be needed", missing.human_binary(2)),
            ),
        }
    }
}

/// How much is missing in a thin pool, if it is full.
fn missing(size: u64, used: u64, needed: u64) -> Option<u64> {
    let free = size.saturating_sub(used);
    (free < size / 1000).then(|| needed.saturating_sub(free).max(EXTENT))
}

/// The usual unit of sizes.
const EXTENT: u64 = 4 << 20;

/// Something that no name had before, for as long as one daemon runs and most likely longer.
fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    format!("{:x}_{}", since.as_micros(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A directory to mount something on for a moment, removed at the end unless something is still there.
struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn make(path: PathBuf) -> Result<Self, Error> {
        pool::make_directory(&path, crate::paths::PRIVATE)?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is still mounted is unmounted by the next start.
        let _ = std::fs::remove_dir(&self.path);
    }
}

impl Driver for Lvm {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            copy_on_write: self.thin.is_some(),
            quotas: true,
            usage: true,
            blocks: true,
            mounts: true,
            sends: false,
        }
    }

    fn create(&self) -> Work<'_, BTreeMap<String, String>> {
        Box::pin(self.create_pool())
    }

    fn mount(&self) -> Work<'_, bool> {
        Box::pin(self.mount_pool())
    }

    fn unmount(&self) -> Work<'_, bool> {
        Box::pin(self.unmount_pool())
    }

    fn delete(&self) -> Work<'_, ()> {
        Box::pin(self.delete_pool())
    }

    fn update<'a>(&'a self, new: &'a PoolConfig) -> Work<'a, ()> {
        Box::pin(self.update_pool(new))
    }

    fn resources(&self) -> Work<'_, Resources> {
        Box::pin(self.pool_resources())
    }

    fn repair(&self) -> Work<'_, Repaired> {
        Box::pin(self.repair_pool())
    }

    fn settle(&self) -> Work<'_, ()> {
        Box::pin(self.wait_for_removals())
    }

    fn volumes(&self, kind: Kind) -> Work<'_, Vec<Volume>> {
        Box::pin(self.all_volumes(kind))
    }

    fn has<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        Box::pin(self.has_volume(volume))
    }

    fn make<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, ()> {
        Box::pin(self.make_volume(volume, source, config))
    }

    fn delete_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        Box::pin(self.remove_volume(volume))
    }

    fn rename<'a>(&'a self, old: &'a Volume, new: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.rename_volume(old, new))
    }

    fn snapshots<'a>(&'a self, of: &'a Volume) -> Work<'a, Vec<SnapshotName>> {
        Box::pin(self.snapshots_of(of))
    }

    fn mount_volume<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, ()> {
        Box::pin(self.show(volume, config))
    }

    fn unmount_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.hide(volume))
    }

    fn resize<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, Resized> {
        Box::pin(self.resize_volume(volume, config))
    }

    fn usage<'a>(&'a self, volume: &'a Volume) -> Work<'a, Option<u64>> {
        Box::pin(self.usage_of(volume))
    }

    fn draft<'a>(&'a self, source: VolumeSource, config: &'a VolumeConfig) -> Work<'a, Draft> {
        Box::pin(self.make_draft(source, config))
    }

    fn draft_snapshot<'a>(&'a self, draft: &'a Draft, name: &'a SnapshotName) -> Work<'a, ()> {
        Box::pin(self.snapshot_draft(draft, name))
    }

    fn finish<'a>(&'a self, draft: Draft, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.finish_draft(draft, volume))
    }

    fn discard(&self, draft: Draft) -> Work<'_, ()> {
        Box::pin(self.discard_draft(draft))
    }

    fn stage<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, Staged> {
        Box::pin(self.make_staged(volume, source, config))
    }

    fn commit_staged<'a>(&'a self, volume: &'a Volume, staged: Staged) -> Work<'a, ()> {
        Box::pin(self.exchange_staged(volume, staged))
    }

    fn discard_staged<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.remove_staged(volume))
    }
}
