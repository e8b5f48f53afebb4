//! Subvolumes of a btrfs: each volume is one, copies and snapshots share its data.
//!
//! On disk, below the pool's directory, with a subvolume for each kind of volumes:
//!
//! ```text
//! containers/<c>  custom/<v>                    subvolumes
//! images/<fingerprint>                          read-only subvolumes
//! snapshots/<c>/<s>  custom-snapshots/<v>/<s>   read-only subvolumes in plain directories
//! <part>/.tmp-…  .trash-…  .staged-<c>          see `paths`
//! snapshots/<c>/␁tmp-…  ␁trash-…               the same for single snapshots, whose names may begin with a dot
//! snapshots/.tmp-draft-….snapshots/<s>          snapshots of a draft
//! ```
//!
//! Containers have subvolumes of their own (Docker makes some). A snapshot of btrfs has nothing of
//! those, so they are copied one by one; what is deleted is deleted with them. Because somebody inside may be
//! changing the tree at that very moment, they are opened beneath their volume and handed to the program as
//! directories, not as paths.
//!
//! Metadata is written in the order in which it was changed: after a crash of the machine a volume is
//! never there under its name without what went before. Data of files is waited for where that matters:
//! taking a snapshot writes it, and before an image gets its name everything is written.

mod beneath;
mod create;
mod draft;
mod limits;
mod options;
mod place;
mod pool;
mod repair;
mod source;
mod staged;
mod stream;
mod subvolumes;
#[cfg(test)]
mod tests;
mod trash;
mod volume;
mod whole;

use super::{Capabilities, Driver, Repaired, Resources, Work};
use crate::config::{PoolConfig, VolumeConfig};
use crate::error::Error;
use crate::paths::PoolPaths;
use crate::volume::{Draft, Kind, Resized, Staged, Volume, VolumeSource};
use model::units::Bytes;
use model::{PoolName, SnapshotName};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// A volume whose snapshots are about to get their names; it gets its own when they have theirs.
const HALF_NAMED: &str = ".named-";

/// The driver of one pool.
pub(crate) struct Btrfs {
    state: Arc<State>,
}

struct State {
    pool: PoolName,
    source: Option<String>,
    initial_source: Option<String>,
    size: Option<Bytes>,
    mount_options: Option<String>,
    paths: PoolPaths,
    trash: trash::Trash,
}

impl Btrfs {
    pub(crate) fn new(pool: PoolName, config: &PoolConfig, paths: PoolPaths) -> Self {
        let state = State {
            pool,
            source: config.source.clone(),
            initial_source: config.initial_source.clone(),
            size: config.size,
            mount_options: config.btrfs_mount_options.clone(),
            paths,
            trash: trash::Trash::default(),
        };
        Self { state: Arc::new(state) }
    }
}

impl State {
    /// An error about something that cannot be done.
    fn cannot(&self, what: impl Into<String>, why: impl Into<String>) -> Error {
        Error::Cannot { pool: self.pool.clone(), driver: "btrfs", what: what.into(), why: why.into() }
    }
}

impl Driver for Btrfs {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            copy_on_write: true,
            quotas: true,
            usage: true,
            blocks: false,
            mounts: false,
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
        let state = self.state.clone();
        Box::pin(crate::pool::blocking(move || state.statistics()))
    }

    fn repair(&self) -> Work<'_, Repaired> {
        Box::pin(self.state.repair())
    }

    fn settle(&self) -> Work<'_, ()> {
        Box::pin(self.state.settle())
    }

    fn volumes(&self, kind: Kind) -> Work<'_, Vec<Volume>> {
        Box::pin(async move {
            // What is not mounted would look empty, and might be removed as that.
            self.state.make_visible().await?;
            let state = self.state.clone();
            crate::pool::blocking(move || state.volumes(kind)).await
        })
    }

    fn has<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        Box::pin(async { self.state.has(volume) })
    }

    fn make<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, ()> {
        Box::pin(self.state.make(volume, source, config))
    }

    fn delete_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        Box::pin(self.state.delete_volume(volume))
    }

    fn rename<'a>(&'a self, old: &'a Volume, new: &'a Volume) -> Work<'a, ()> {
        let (state, old, new) = (self.state.clone(), old.clone(), new.clone());
        Box::pin(crate::pool::blocking(move || state.rename(&old, &new)))
    }

    fn snapshots<'a>(&'a self, of: &'a Volume) -> Work<'a, Vec<SnapshotName>> {
        let (state, of) = (self.state.clone(), of.clone());
        Box::pin(crate::pool::blocking(move || state.snapshots(&of)))
    }

    /// They are all visible while the pool is mounted.
    fn mount_volume<'a>(&'a self, volume: &'a Volume, _config: &'a VolumeConfig) -> Work<'a, ()> {
        Box::pin(async { self.state.expect(volume) })
    }

    fn unmount_volume<'a>(&'a self, _volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn resize<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, Resized> {
        Box::pin(self.state.resize(volume, config))
    }

    fn usage<'a>(&'a self, volume: &'a Volume) -> Work<'a, Option<u64>> {
        Box::pin(self.state.usage(volume))
    }

    fn draft<'a>(&'a self, source: VolumeSource, config: &'a VolumeConfig) -> Work<'a, Draft> {
        Box::pin(self.state.draft(source, config))
    }

    fn draft_snapshot<'a>(&'a self, draft: &'a Draft, name: &'a SnapshotName) -> Work<'a, ()> {
        Box::pin(self.state.draft_snapshot(draft, name))
    }

    fn finish<'a>(&'a self, draft: Draft, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.state.finish(draft, volume))
    }

    fn discard(&self, draft: Draft) -> Work<'_, ()> {
        Box::pin(self.state.discard(draft))
    }

    fn stage<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, Staged> {
        Box::pin(self.state.stage(volume, source, config))
    }

    fn commit_staged<'a>(&'a self, volume: &'a Volume, staged: Staged) -> Work<'a, ()> {
        Box::pin(self.state.commit_staged(volume, staged))
    }

    fn discard_staged<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(self.state.discard_staged(volume))
    }

    fn send<'a>(&'a self, volume: &'a Volume, base: Option<&'a Volume>, to: OwnedFd) -> Work<'a, ()> {
        Box::pin(self.state.send(volume, base, to))
    }

    fn draft_for_streams(&self) -> Work<'_, Draft> {
        Box::pin(async { Ok(self.state.draft_for_streams()) })
    }

    fn receive<'a>(
        &'a self,
        draft: &'a Draft,
        snapshot: Option<&'a SnapshotName>,
        base: Option<&'a SnapshotName>,
        from: OwnedFd,
    ) -> Work<'a, ()> {
        let _ = base;
        Box::pin(self.state.receive(draft, snapshot, from))
    }
}
