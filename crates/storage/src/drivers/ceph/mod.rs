//! Block devices of a Ceph cluster: images are protected snapshots, everything else is cloned from them.
//!
//! A volume is a device (see [`names`]), its snapshots are the device's own. What is made in one step of
//! `rbd` gets its name at once; everything else is made under the name of a draft and renamed when it is
//! whole. Deleting is renaming: a deleted device is a zombie, which is removed in the background, or when
//! the last clone of it is ([`zombies`]). A volume is restored in place, where its snapshots stay; other
//! contents are exchanged for it ([`staged`]).
//!
//! The OSD pool may be used by other servers as well (`ceph.osd.force_reuse`). What a host has mapped is
//! not removed by another one that takes it for a leftover.

mod background;
mod build;
mod delete;
mod devices;
mod draft;
mod header;
mod mounts;
mod names;
mod pool;
mod repair;
mod size;
mod staged;
mod stream;
#[cfg(test)]
mod tests;
mod volume;
mod zombies;

use super::{Capabilities, Driver, Repaired, Resources, Work};
use crate::config::{CephConfig, PoolConfig, VolumeConfig};
use crate::error::Error;
use crate::paths::PoolPaths;
use crate::turns::Turns;
use crate::volume::{Draft, Kind, Resized, Staged, Volume, VolumeSource};
use model::{PoolName, SnapshotName};
use rustix::io::Errno;
use std::collections::{BTreeMap, HashMap};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex};
use tokio::sync::OnceCell;
use tools::RunError;
use tools::ceph::Access;
use tools::rbd::{Rbd, failed_with};

/// The driver of one pool.
pub(crate) struct Ceph {
    state: Arc<State>,
}

struct State {
    pool: PoolName,
    source: Option<String>,
    settings: CephConfig,
    rbd: Rbd,
    paths: PoolPaths,
    /// Which cluster it is; asked once.
    fsid: OnceCell<String>,
    /// Sizes of the images' devices, which never change.
    images: Mutex<HashMap<String, u64>>,
    /// How volumes that are mounted were mounted.
    mounted: Mutex<HashMap<Volume, VolumeConfig>>,
    /// One change of a volume after the other, also of those that nobody waits for any more.
    turns: Turns,
    operations: background::Background,
    removals: background::Background,
    /// One removal after the other: what two remove may have the same ancestors.
    reaping: tokio::sync::Mutex<()>,
}

impl Ceph {
    pub(crate) fn new(pool: PoolName, config: &PoolConfig, paths: PoolPaths) -> Self {
        let settings = config.ceph.clone();
        let osd_pool = settings.osd_pool.clone().or_else(|| config.source.clone());
        let rbd = Rbd {
            access: Access { cluster: settings.cluster.clone(), user: settings.user.clone() },
            pool: osd_pool.unwrap_or_else(|| pool.to_string()),
        };
        let state = State {
            pool,
            source: config.source.clone(),
            settings,
            rbd,
            paths,
            fsid: OnceCell::new(),
            images: Mutex::default(),
            mounted: Mutex::default(),
            turns: Turns::default(),
            operations: background::Background::default(),
            removals: background::Background::default(),
            reaping: tokio::sync::Mutex::default(),
        };
        Self { state: Arc::new(state) }
    }

    /// Looks at something. Says of an error of a program what could not be done.
    fn look<'a, T: Send + 'a>(
        &'a self,
        what: impl FnOnce() -> String + Send + 'a,
        work: impl Future<Output = Result<T, Error>> + Send + 'a,
    ) -> Work<'a, T> {
        Box::pin(async move { self.state.telling(what, work.await) })
    }

    /// Changes something. It goes on to its end when nobody waits for it any more: a program that is killed
    /// in the middle of a step leaves half a device.
    fn change<T, F>(&self, what: String, work: impl FnOnce(Arc<State>) -> F + Send + 'static) -> Work<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        self.change_or(what, work, |_, _| async {})
    }

    /// The same; what was made although nobody waits for it goes to `lost`.
    fn change_or<T, F, L>(
        &self,
        what: String,
        work: impl FnOnce(Arc<State>) -> F + Send + 'static,
        lost: impl FnOnce(Arc<State>, T) -> L + Send + 'static,
    ) -> Work<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
        L: Future<Output = ()> + Send,
    {
        let state = self.state.clone();
        Box::pin(async move {
            let (tell, told) = tokio::sync::oneshot::channel();
            let running = work(state.clone());
            let worker = state.clone();
            state.operations.spawn(async move {
                if let Err(Ok(made)) = tell.send(running.await) {
                    lost(worker, made).await;
                }
            });
            let result = told.await.map_err(|_| Error::ShuttingDown)?;
            state.telling(|| what, result)
        })
    }

    /// [`change`](Self::change) of a volume.
    fn change_volume<T, F>(
        &self,
        verb: &str,
        volume: &Volume,
        work: impl FnOnce(Arc<State>, Volume) -> F + Send + 'static,
    ) -> Work<'_, T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Error>> + Send + 'static,
    {
        let volume = volume.clone();
        self.change(format!("{verb} the {volume}"), |state| async move {
            let _turn = state.turns.take(&volume).await;
            work(state.clone(), volume).await
        })
    }
}

impl State {
    fn telling<T>(&self, what: impl FnOnce() -> String, result: Result<T, Error>) -> Result<T, Error> {
        match result {
            Err(Error::Tool(error)) => Err(self.told(what, error)),
            result => result,
        }
    }

    fn told(&self, what: impl FnOnce() -> String, error: RunError) -> Error {
        let unreachable = matches!(error, RunError::TimedOut { .. })
            || failed_with(&error, Errno::TIMEDOUT)
            || matches!(&error, RunError::Failed { stderr, .. } if stderr.trim() == "timed out");
        let why = match &error {
            _ if unreachable => {
                let cluster = &self.settings.cluster;
                format!(
                    "the cluster {cluster} does not answer; check the network, its monitors and /etc/ceph/{cluster}.conf"
                )
            }
            RunError::Failed { program, stderr, .. } => format!("{program} says: {}", reason(stderr)),
            _ => return Error::Tool(error),
        };
        self.cannot(what(), why)
    }

    fn cannot(&self, what: String, why: String) -> Error {
        Error::Cannot { pool: self.pool.clone(), driver: "ceph", what, why }
    }

    fn none(&self, volume: &Volume) -> Error {
        Error::NoVolume { pool: self.pool.clone(), volume: volume.clone() }
    }

    fn exists(&self, volume: &Volume) -> Error {
        Error::VolumeExists { pool: self.pool.clone(), volume: volume.clone() }
    }
}

/// What of a program's complaints is for people: its own first word rather than what its library logs.
fn reason(stderr: &str) -> &str {
    let lines = || stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let own = lines().find_map(|line| line.strip_prefix("rbd: "));
    own.or_else(|| lines().next_back()).unwrap_or("nothing")
}

/// True if it failed because of that.
fn is<T>(result: &Result<T, RunError>, errno: Errno) -> bool {
    matches!(result, Err(error) if failed_with(error, errno))
}

impl Driver for Ceph {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            copy_on_write: true,
            quotas: true,
            usage: true,
            blocks: true,
            mounts: true,
            sends: true,
        }
    }

    fn create(&self) -> Work<'_, BTreeMap<String, String>> {
        self.change("be made".to_owned(), |state| async move { state.create().await })
    }

    fn mount(&self) -> Work<'_, bool> {
        self.look(|| "be used".to_owned(), self.state.mount())
    }

    /// Nothing is mounted for the pool as such.
    fn unmount(&self) -> Work<'_, bool> {
        Box::pin(async { Ok(false) })
    }

    fn delete(&self) -> Work<'_, ()> {
        self.change("be deleted".to_owned(), |state| async move { state.delete().await })
    }

    /// Nothing that may change is known to the cluster.
    fn update<'a>(&'a self, _new: &'a PoolConfig) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn resources(&self) -> Work<'_, Resources> {
        self.look(|| "be measured".to_owned(), self.state.resources())
    }

    fn repair(&self) -> Work<'_, Repaired> {
        self.change("be repaired".to_owned(), |state| async move { state.repair().await })
    }

    fn settle(&self) -> Work<'_, ()> {
        Box::pin(async {
            self.state.operations.settle().await?;
            self.state.removals.settle().await
        })
    }

    fn volumes(&self, kind: Kind) -> Work<'_, Vec<Volume>> {
        self.look(|| "list its volumes".to_owned(), self.state.volumes(kind))
    }

    fn has<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        self.look(move || format!("look for the {volume}"), self.state.has(volume))
    }

    fn make<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, ()> {
        let (volume, config) = (volume.clone(), config.clone());
        self.change(format!("make the {volume}"), |state| async move {
            let of = match &source {
                VolumeSource::Volume { volume: of, .. } => of,
                VolumeSource::Empty | VolumeSource::Draft(_) => &volume,
            };
            let _turns = state.turns.take_both(&volume, of).await;
            state.make(&volume, &source, &config).await
        })
    }

    fn delete_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        self.change_volume(
            "delete",
            volume,
            |state, volume| async move { state.delete_volume(&volume).await },
        )
    }

    fn rename<'a>(&'a self, old: &'a Volume, new: &'a Volume) -> Work<'a, ()> {
        let (old, new) = (old.clone(), new.clone());
        self.change(format!("rename the {old}"), |state| async move {
            let _turns = state.turns.take_both(&old, &new).await;
            state.rename(&old, &new).await
        })
    }

    fn snapshots<'a>(&'a self, of: &'a Volume) -> Work<'a, Vec<SnapshotName>> {
        self.look(move || format!("list the snapshots of the {of}"), self.state.snapshots(of))
    }

    fn mount_volume<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, ()> {
        let config = config.clone();
        self.change_volume("mount", volume, |state, volume| async move {
            state.mount_volume(&volume, &config).await
        })
    }

    fn unmount_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        self.change_volume(
            "unmount",
            volume,
            |state, volume| async move { state.unmount_volume(&volume).await },
        )
    }

    fn resize<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, Resized> {
        let config = config.clone();
        self.change_volume(
            "resize",
            volume,
            |state, volume| async move { state.resize(&volume, &config).await },
        )
    }

    fn usage<'a>(&'a self, volume: &'a Volume) -> Work<'a, Option<u64>> {
        Box::pin(self.state.usage(volume))
    }

    fn draft<'a>(&'a self, source: VolumeSource, config: &'a VolumeConfig) -> Work<'a, Draft> {
        let config = config.clone();
        let make = |state: Arc<State>| async move { state.draft(&source, &config).await };
        self.change_or("make a volume".to_owned(), make, |state, draft| async move {
            if let Err(error) = state.discard(&draft).await {
                tracing::warn!(
                    draft = draft.name,
                    error = &error as &dyn std::error::Error,
                    "cannot remove a draft; the next start will"
                );
            }
        })
    }

    fn draft_snapshot<'a>(&'a self, draft: &'a Draft, name: &'a SnapshotName) -> Work<'a, ()> {
        let (draft, name) = (draft.clone(), name.clone());
        self.change(format!("make the snapshot {name}"), |state| async move {
            state.draft_snapshot(&draft, &name).await
        })
    }

    fn finish<'a>(&'a self, draft: Draft, volume: &'a Volume) -> Work<'a, ()> {
        self.change_volume("make", volume, |state, volume| async move { state.finish(&draft, &volume).await })
    }

    fn discard(&self, draft: Draft) -> Work<'_, ()> {
        let what = "remove a half-made volume".to_owned();
        self.change(what, |state| async move { state.discard(&draft).await })
    }

    fn stage<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, Staged> {
        let config = config.clone();
        self.change_volume("restore", volume, |state, volume| async move {
            state.stage(&volume, &source, &config).await
        })
    }

    fn commit_staged<'a>(&'a self, volume: &'a Volume, staged: Staged) -> Work<'a, ()> {
        self.change_volume("restore", volume, |state, volume| async move {
            state.commit_staged(&volume, &staged).await
        })
    }

    fn discard_staged<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        self.change_volume(
            "tidy up",
            volume,
            |state, volume| async move { state.discard_staged(&volume).await },
        )
    }

    fn send<'a>(&'a self, volume: &'a Volume, base: Option<&'a Volume>, to: OwnedFd) -> Work<'a, ()> {
        self.look(move || format!("send the {volume}"), self.state.send(volume, base, to))
    }

    fn draft_for_streams(&self) -> Work<'_, Draft> {
        let what = "make a volume".to_owned();
        self.change(what, |state| async move { state.draft_for_streams().await })
    }

    /// What is given up is a draft still.
    fn receive<'a>(
        &'a self,
        draft: &'a Draft,
        snapshot: Option<&'a SnapshotName>,
        base: Option<&'a SnapshotName>,
        from: OwnedFd,
    ) -> Work<'a, ()> {
        let receiving = self.state.receive(draft, snapshot, base, from);
        self.look(|| "receive a volume".to_owned(), receiving)
    }
}
