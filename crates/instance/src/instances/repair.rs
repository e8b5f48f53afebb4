//! What a daemon finds when it starts: containers that run, containers that ended meanwhile, and
//! work that a `kill -9` interrupted.

use super::Instances;
use super::context::Context;
use super::host_boot;
use super::live::Live;
use super::owner::{Owner, Request};
use super::still;
use crate::journal::{self, Entry as Journal};
use crate::keeper::{Keeper, Notice};
use crate::{Error, devices};
use container::cgroup::Cgroup;
use model::IdMap;
use model::names::{InstanceName, PoolName, SnapshotName};
use model::power::LastPower;
use model::runtime::protocol::{EventBody, Exit, Kept};
use model::state::InstanceState;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use storage::{Kind, Volume};
use store::instances::Instance as Record;
use store::journal::JournalId;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

/// Finishes or undoes what was interrupted, before any container is loaded. Returns the entries that
/// could not be repaired.
pub(crate) async fn interrupted(context: &Context) -> Result<Vec<JournalId>, Error> {
    repair_all(context, journal::interrupted(&context.store).await?).await
}

async fn repair_all(
    context: &Context,
    entries: Vec<(JournalId, Option<Journal>)>,
) -> Result<Vec<JournalId>, Error> {
    let mut left = Vec::new();
    for (id, entry) in entries {
        let Some(entry) = entry else {
            tracing::error!(%id, "an entry of the journal cannot be read; it is left alone");
            continue;
        };
        tracing::info!(?entry, "repairing what was interrupted");
        match repair(context, entry).await {
            Ok(()) => journal::give_up(context.store.clone(), id).await,
            // It stays in the journal: the next start tries again.
            Err(error) => {
                tracing::error!(%id, error = %error.story(), "cannot repair");
                left.push(id);
            }
        }
    }
    Ok(left)
}

async fn repair(context: &Context, entry: Journal) -> Result<(), Error> {
    match entry {
        Journal::Create { name, pool } => {
            if find(context, &name).await?.is_none() {
                remove_volumes(context, &pool, &name).await?;
            }
        }
        Journal::Delete { name, pool } => {
            remove_volumes(context, &pool, &name).await?;
            let gone = name.clone();
            match context.store.write(move |tx| store::instances::delete(tx, &gone)).await {
                Ok(()) | Err(store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
            // Logs of what is gone are of no use; that some stay does no harm.
            let _ = tokio::fs::remove_dir_all(context.var.log_dir(name.as_str())).await;
        }
        Journal::Rename { from, to, pool } => {
            let pool = context.pools.usable(&pool)?;
            let (wanted, other) = if find(context, &to).await?.is_some() { (to, from) } else { (from, to) };
            pool.rename(&Volume::Container(other), &Volume::Container(wanted)).await?;
        }
        Journal::ChangePool { name, from, to } => {
            let volume = Volume::Container(name.clone());
            if let Some(record) = find(context, &name).await? {
                let (here, gone) = if record.pool == to { (to, from) } else { (from, to) };
                context.pools.remove_container(&gone, &name).await?;
                context.pools.usable(&here)?.relink(&volume).await?;
            }
        }
        Journal::Still { name } => still::thaw(context, &name).await?,
        Journal::Snapshot { name, snapshot, pool } => {
            if !has_snapshot(context, &name, &snapshot).await? {
                let volume = Volume::ContainerSnapshot(name, snapshot);
                context.pools.usable(&pool)?.delete_volume(&volume).await?;
            }
        }
        Journal::DeleteSnapshot { name, snapshot, pool } => {
            let volume = Volume::ContainerSnapshot(name.clone(), snapshot.clone());
            context.pools.usable(&pool)?.delete_volume(&volume).await?;
            match context.store.write(move |tx| store::snapshots::delete(tx, &name, &snapshot)).await {
                Ok(()) | Err(store::Error::NotFound { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Journal::RenameSnapshot { name, from, to, pool } => {
            let pool = context.pools.usable(&pool)?;
            let renamed = has_snapshot(context, &name, &to).await?;
            let (wanted, other) = if renamed { (to, from) } else { (from, to) };
            let at = |snapshot| Volume::ContainerSnapshot(name.clone(), snapshot);
            pool.rename(&at(other), &at(wanted)).await?;
        }
        Journal::Restore { name, pool, staged: None } => {
            context.pools.usable(&pool)?.discard_staged(&Volume::Container(name)).await?;
        }
        Journal::Restore { name, pool, staged: Some(staged) } => {
            context.pools.usable(&pool)?.commit_staged(&Volume::Container(name), staged).await?;
        }
        Journal::Volume(work) => context.volumes.repair(work).await?,
        Journal::Import { fingerprint } => {
            if context.images.get(fingerprint.as_str()).is_err() {
                context.images.remove(&fingerprint).await?;
            }
        }
        Journal::Remove { fingerprint } => context.images.remove(&fingerprint).await?,
    }
    Ok(())
}

async fn find(context: &Context, name: &InstanceName) -> Result<Option<Record>, Error> {
    let name = name.clone();
    Ok(context.store.read(move |conn| store::instances::find(conn, &name)).await?)
}

async fn has_snapshot(
    context: &Context,
    name: &InstanceName,
    snapshot: &SnapshotName,
) -> Result<bool, Error> {
    let (name, snapshot) = (name.clone(), snapshot.clone());
    Ok(context.store.read(move |conn| store::snapshots::exists(conn, &name, &snapshot)).await?)
}

async fn remove_volumes(context: &Context, pool: &PoolName, name: &InstanceName) -> Result<(), Error> {
    context.pools.remove_container(pool, name).await
}

impl Instances {
    /// Loads every container and finds out what it does.
    pub(crate) async fn load(&self) -> Result<(), Error> {
        let context = &self.context;
        let read = |conn: &store::Conn<'_>| {
            Ok::<_, store::Error>((store::instances::list(conn)?, store::snapshots::list(conn)?))
        };
        let (records, mut snapshots) = context.store.read(read).await?;
        let mut kept: HashMap<String, Kept> =
            context.keeper.list().await?.into_iter().map(|kept| (kept.name.clone(), kept)).collect();
        let host_booted = host_boot::is_new(&context.var);
        let mut settling = JoinSet::new();
        let running: std::collections::HashSet<String> =
            kept.values().filter(|kept| kept.exit.is_none()).map(|kept| kept.name.clone()).collect();
        for record in records {
            let kept = kept.remove(record.name.as_str());
            let snapshots = snapshots.remove(&record.id).unwrap_or_default();
            let entry = Owner::adopt(context, record, snapshots, InstanceState::Stopped);
            let context = context.clone();
            settling.spawn(async move {
                if kept.is_none() {
                    devices::clear(&context, &entry.view().name).await?;
                }
                entry.ask(|reply| Request::Settle { kept, host_booted, reply }).await
            });
        }
        // Whoever asks first must not be told that a running container is stopped. What went wrong
        // is in the log, and in the container's state.
        settling.join_all().await;
        context.apparmor.sweep(|name| running.contains(name)).await;
        self.name_orphans().await?;
        for stranger in kept.into_values() {
            // A container whose record is gone: nobody could ever reach it again.
            tracing::warn!(name = stranger.name, pid = stranger.pid, "ending a container that has no record");
            end_stranger(&context.keeper, &stranger).await;
        }
        Ok(())
    }

    /// What could not be repaired while a pool could not be used. Returns what still cannot be.
    pub(crate) async fn repair_rest(&self, left: Vec<JournalId>) -> Vec<JournalId> {
        if left.is_empty() {
            return left;
        }
        let again = async {
            let mut entries = journal::interrupted(&self.context.store).await?;
            // Others belong to work that goes on.
            entries.retain(|(id, _)| left.contains(id));
            repair_all(&self.context, entries).await
        };
        again.await.unwrap_or_else(|error| {
            tracing::error!(error = %error.story(), "cannot read what was interrupted");
            left.clone()
        })
    }

    /// Volumes that belong to no container are somebody's data: they are named, never removed.
    async fn name_orphans(&self) -> Result<(), Error> {
        for pool in self.context.pools.all_usable() {
            for volume in pool.volumes(Kind::Container).await? {
                if self.context.registry.get(volume.name()).is_err() {
                    let path = pool.volume_path(&volume);
                    tracing::warn!(path = %path.display(), "a volume belongs to no container; remove it by hand if it is of no use");
                }
            }
        }
        Ok(())
    }

    /// Passes on what the keeper tells, for as long as there is one.
    pub(crate) async fn listen(self, mut notices: UnboundedReceiver<Notice>) {
        while let Some(notice) = notices.recv().await {
            match notice {
                Notice::Event(EventBody::Exited { name, exit }) => {
                    if let Ok(entry) = self.context.registry.get(&name) {
                        entry.tell(Request::Ended(exit)).await;
                    }
                }
                Notice::Event(EventBody::ExecEnded { session, status }) => {
                    self.context.sessions.ended(session, status);
                }
                Notice::Lost => {}
                Notice::Back { replaced } => {
                    if replaced {
                        self.context.sessions.lost();
                    }
                    self.reconcile_all().await;
                }
            }
        }
    }

    async fn reconcile_all(&self) {
        let kept = match self.context.keeper.list().await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::error!(error = &error as &dyn std::error::Error, "cannot ask the keeper what runs");
                return;
            }
        };
        let mut kept: HashMap<String, Kept> =
            kept.into_iter().map(|kept| (kept.name.clone(), kept)).collect();
        for entry in self.context.registry.all() {
            let kept = kept.remove(&entry.view().name);
            entry.tell(Request::Reconcile(kept)).await;
        }
    }
}

async fn end_stranger(keeper: &Keeper, stranger: &Kept) {
    if stranger.exit.is_none() {
        if stranger.starting {
            let _ = keeper.abort(&stranger.name).await;
        } else if let Ok(handles) = keeper.handles(&stranger.name).await {
            use std::os::fd::AsFd as _;
            let _ = sys::pidfd::send_signal(handles.pidfd.as_fd(), 9);
        }
    }
    let _ = keeper.forget(&stranger.name).await;
}

impl Owner {
    /// Finds out what became of this container while there was no daemon.
    pub(super) async fn settle(&mut self, kept: Option<Kept>, host_booted: bool) {
        if kept.is_some() {
            return self.reconcile(kept).await;
        }
        let power = LastPower::parse(self.record.config.get(model::power::KEY).map(String::as_str));
        // What ran when the host went down is started again, unless it only ever lives once.
        if power != LastPower::Stopped && (self.record.ephemeral || !host_booted) {
            self.ended(Exit::Unknown).await;
        }
    }

    /// Believes the keeper about this container.
    pub(super) async fn reconcile(&mut self, kept: Option<Kept>) {
        match kept {
            Some(Kept { exit: Some(exit), .. }) => self.ended(exit).await,
            Some(Kept { starting: true, .. }) => {
                // Whoever began this start is gone.
                if let Err(error) = self.context.keeper.abort(self.name()).await {
                    tracing::warn!(
                        instance = self.name(),
                        error = &error as &dyn std::error::Error,
                        "cannot end a start"
                    );
                }
                if let Err(error) = devices::clear(&self.context, self.name()).await {
                    tracing::warn!(instance = self.name(), error = %error.story(), "cannot clear its devices away");
                }
            }
            Some(kept) if self.entry().live().is_some_and(|live| live.pid == kept.pid) => {}
            Some(kept) => self.take_over(&kept).await,
            None if self.entry().live().is_some() => self.ended(Exit::Unknown).await,
            None => {}
        }
    }

    /// A container that runs and was started by an earlier daemon.
    async fn take_over(&mut self, kept: &Kept) {
        match self.open_live(kept).await {
            Ok(live) => {
                self.reopen_door(&live).await;
                let frozen = live.cgroup.frozen().unwrap_or(false);
                let pid = live.pid;
                let live = Arc::new(live);
                self.entry().set_live(Some(live.clone()));
                if let Err(error) = self.forward(&live).await {
                    tracing::error!(instance = self.name(), error = %error.story(), "cannot go on forwarding");
                }
                self.context.balancer.soon();
                self.set_state(if frozen {
                    InstanceState::Frozen { pid }
                } else {
                    InstanceState::Running { pid }
                });
                tracing::info!(instance = self.name(), pid, frozen, "container runs");
                // The daemon before this one may have been killed half-way.
                self.catch_up().await;
            }
            Err(error) => {
                tracing::error!(instance = self.name(), error = %error.story(), "a running container cannot be explained");
                self.set_state(InstanceState::Error { reason: error.story() });
            }
        }
    }

    async fn open_live(&self, kept: &Kept) -> Result<Live, Error> {
        let handles = self.context.keeper.handles(self.name()).await?;
        let idmap = match self.record.config.get("volatile.idmap.current") {
            Some(text) => Some(IdMap::from_json(text)?).filter(|map| !map.is_privileged()),
            None => None,
        };
        let cgroup = Cgroup::open(self.context.platform.layout(), &kept.cgroup).map_err(Error::Cgroup)?;
        Ok(Live {
            pid: kept.pid,
            pidfd: handles.pidfd,
            netns: handles.netns,
            devpts: handles.devpts,
            cgroup,
            door: Mutex::default(),
            interfaces: Mutex::default(),
            idmap,
            volumes: devices::hold_volumes(&self.context, self.name()).await,
            volume: self.context.pools.container(&self.record.pool, &self.record.name).await?,
        })
    }
}
