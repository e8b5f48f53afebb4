//! Datasets of a ZFS pool: instant copies and snapshots, and quotas that change at any time.
//!
//! ```text
//! <root>/images/<fingerprint>        with the snapshot @readonly, which containers are clones of
//! <root>/containers/<container>      with snapshots @snapshot-<name>
//! <root>/containers/<container>/.shelf-<number>     more snapshots of the container, see below
//! <root>/custom/<volume>             likewise
//! <root>/snapshots/.tmp-<number>     drafts
//! <root>/deleted/<number>            deleted, but something was made of its snapshots
//! ```
//!
//! Nothing of it is mounted by ZFS itself: volumes are mounted below the pool's directory by `mount(2)` when they
//! are used, so a rename is one command, and a pool on another host does not spread over its directories.
//!
//! **Shelves.** A snapshot belongs to one dataset, and a dataset goes back to its newest snapshot only. So a
//! volume's snapshots may be in its own dataset or in any below it, and it does not matter which. A snapshot that
//! holds something else than its volume (after a refresh, or a copy) is a clone on a shelf. To restore any
//! snapshot, a clone of it takes the volume's name and the old dataset becomes a shelf of it; then the clone is
//! promoted, so that it owns the older snapshots and only newer ones stay on the shelf, which is removed if there
//! are none. With `zfs.remove_snapshots` the newer ones are removed (hidden, if something was made of them) by the
//! same step that otherwise would keep them. A quota counts what is on shelves, as it counts snapshots; a
//! `refquota` counts neither.
//!
//! **What others depend on.** Copies are clones of snapshots that nobody sees (`@copy-<number>`) and that are
//! destroyed with `-d`: the kernel removes them with the last clone. A deleted volume moves to `deleted`, which
//! frees its name at once. All its snapshots are destroyed with `-d`, and the dataset itself is removed when none
//! is left; after each deletion it is looked whether that is so, for all that lie there. Whatever is still mounted
//! somewhere (a namespace of a dying container) lies there meanwhile, too, instead of being in the way.
//!
//! **Crashes.** A name beginning with `.tmp-` is half-made and goes; `.staged-<volume>` stays, for whoever staged
//! it, and is told from the volume by a number that is noted at the dataset. Between the two renames of an exchange the volume's old
//! dataset lies below the new one, which is how [`repair`](Driver::repair) finds out and finishes it. All other
//! steps are found by looking at how things are (see [`plans`]), however far they came.

mod draft;
mod fill;
mod mounts;
mod names;
mod plans;
mod pool;
mod repair;
mod rows;
mod staged;
mod stream;
mod sweep;
#[cfg(test)]
mod tests;
mod volume;

use super::{Capabilities, Driver, Repaired, Resources, Work};
use crate::config::{PoolConfig, VolumeConfig};
use crate::error::Error;
use crate::paths::PoolPaths;
use crate::volume::{Draft, Kind, Resized, Staged, Volume, VolumeSource};
use model::{PoolName, SnapshotName};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tools::{RunError, zfs};

/// The driver of one pool.
pub(crate) struct Zfs {
    state: State,
}

struct State {
    pool: PoolName,
    names: names::Names,
    config: PoolConfig,
    paths: PoolPaths,
    sweeper: Arc<sweep::Sweeper>,
}

impl Zfs {
    pub(crate) fn new(pool: PoolName, config: &PoolConfig, paths: PoolPaths) -> Self {
        Self { state: State::new(pool, config, paths) }
    }
}

impl State {
    fn new(pool: PoolName, config: &PoolConfig, paths: PoolPaths) -> Self {
        let names = names::Names::new(pool::root(pool.as_str(), config));
        let sweeper = Arc::new(sweep::Sweeper::new(&names));
        Self { pool, names, config: config.clone(), paths, sweeper }
    }

    fn no(&self, volume: &Volume) -> Error {
        Error::NoVolume { pool: self.pool.clone(), volume: volume.clone() }
    }

    fn exists(&self, volume: &Volume) -> Error {
        Error::VolumeExists { pool: self.pool.clone(), volume: volume.clone() }
    }

    fn cannot(&self, what: impl Into<String>, why: String) -> Error {
        Error::Cannot { pool: self.pool.clone(), driver: "zfs", what: what.into(), why }
    }

    /// What a command that failed means for users.
    fn explain(&self, error: RunError, what: impl FnOnce() -> String) -> Error {
        if zfs::full(&error) {
            let why = "it is full; delete something, or let it grow by its key size";
            return self.cannot(what(), why.to_owned());
        }
        if zfs::busy(&error) {
            let why = "something in it is in use; try again when that has ended";
            return self.cannot(what(), why.to_owned());
        }
        error.into()
    }

    /// The same for a volume that was to be made.
    fn explain_new(&self, error: Error, volume: &Volume) -> Error {
        match error {
            Error::Tool(error) if zfs::taken(&error) => self.exists(volume),
            // Why it is full, if it is, the pool above knows how to say.
            other => other,
        }
    }
}

impl Driver for Zfs {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            copy_on_write: true,
            quotas: true,
            usage: true,
            blocks: false,
            mounts: true,
            sends: true,
        }
    }

    fn create(&self) -> Work<'_, BTreeMap<String, String>> {
        Box::pin(self.state.create())
    }

    fn mount(&self) -> Work<'_, bool> {
        Box::pin(self.state.mount())
    }

    fn unmount(&self) -> Work<'_, bool> {
        Box::pin(self.state.unmount())
    }

    fn delete(&self) -> Work<'_, ()> {
        Box::pin(self.state.delete())
    }

    fn update<'a>(&'a self, new: &'a PoolConfig) -> Work<'a, ()> {
        Box::pin(self.state.update(new))
    }

    fn resources(&self) -> Work<'_, Resources> {
        Box::pin(self.state.resources())
    }

    fn repair(&self) -> Work<'_, Repaired> {
        Box::pin(self.state.repair())
    }

    fn settle(&self) -> Work<'_, ()> {
        Box::pin(self.state.settle())
    }

    fn volumes(&self, kind: Kind) -> Work<'_, Vec<Volume>> {
        Box::pin(self.state.volumes(kind))
    }

    fn has<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        Box::pin(self.state.has(volume))
    }

    fn make<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, ()> {
        Box::pin(async move { self.state.make(volume, &source, config).await })
    }

    fn delete_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        Box::pin(self.state.delete_volume(volume))
    }

    fn rename<'a>(&'a self, old: &'a Volume, new: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.state.rename(old, new))
    }

    fn snapshots<'a>(&'a self, of: &'a Volume) -> Work<'a, Vec<SnapshotName>> {
        Box::pin(self.state.snapshots(of))
    }

    fn mount_volume<'a>(&'a self, volume: &'a Volume, _config: &'a VolumeConfig) -> Work<'a, ()> {
        Box::pin(self.state.mount_volume(volume))
    }

    fn unmount_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.state.unmount_volume(volume))
    }

    fn resize<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, Resized> {
        Box::pin(self.state.resize(volume, config))
    }

    fn usage<'a>(&'a self, volume: &'a Volume) -> Work<'a, Option<u64>> {
        Box::pin(self.state.usage(volume))
    }

    fn draft<'a>(&'a self, source: VolumeSource, config: &'a VolumeConfig) -> Work<'a, Draft> {
        Box::pin(async move { self.state.draft(&source, config).await })
    }

    fn draft_snapshot<'a>(&'a self, draft: &'a Draft, name: &'a SnapshotName) -> Work<'a, ()> {
        Box::pin(self.state.draft_snapshot(draft, name))
    }

    fn finish<'a>(&'a self, draft: Draft, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(async move { self.state.finish(&draft, volume).await })
    }

    fn discard(&self, draft: Draft) -> Work<'_, ()> {
        Box::pin(async move { self.state.discard(&draft).await })
    }

    fn stage<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, Staged> {
        Box::pin(async move { self.state.stage(volume, &source, config).await })
    }

    fn commit_staged<'a>(&'a self, volume: &'a Volume, staged: Staged) -> Work<'a, ()> {
        Box::pin(async move { self.state.commit_staged(volume, &staged).await })
    }

    fn discard_staged<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.state.discard_staged(volume))
    }

    fn send<'a>(&'a self, volume: &'a Volume, base: Option<&'a Volume>, to: OwnedFd) -> Work<'a, ()> {
        Box::pin(self.state.send(volume, base, to))
    }

    fn draft_for_streams(&self) -> Work<'_, Draft> {
        Box::pin(async { Ok(self.state.new_draft()) })
    }

    fn receive<'a>(
        &'a self,
        draft: &'a Draft,
        snapshot: Option<&'a SnapshotName>,
        base: Option<&'a SnapshotName>,
        from: OwnedFd,
    ) -> Work<'a, ()> {
        Box::pin(self.state.receive(draft, snapshot, base, from))
    }
}
