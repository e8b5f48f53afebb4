//! Every container of this daemon, in memory, so that listing thousands reads no file.

use super::live::Live;
use super::owner::Request;
use super::snapshots::Snapshots;
use crate::guest::Listeners;
use crate::{Error, files::FileQueue};
use api::instances::Instance;
use model::state::InstanceState;
use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use store::snapshots::Snapshot;
use tokio::sync::{mpsc, oneshot, watch};

/// What can be known of a container without asking its owner task.
pub(crate) struct Entry {
    /// As clients see it; replaced as a whole at each change.
    view: RwLock<Arc<Instance>>,
    /// What it was at times.
    snapshots: RwLock<Snapshots>,
    /// What it does.
    pub(super) state: watch::Sender<InstanceState>,
    /// How often it has ended since the daemon started: what those wait for who stop it.
    pub(super) ends: watch::Sender<u64>,
    /// What belongs to its processes, while it runs.
    live: RwLock<Option<Arc<Live>>>,
    /// Its file server, while it is used.
    pub(super) files: Mutex<Option<Arc<FileQueue>>>,
    /// Those inside who listen to what changes.
    pub(crate) guests: Listeners,
    /// The task that does everything to it.
    owner: mpsc::Sender<Box<Request>>,
}

impl Entry {
    pub(super) fn new(view: Instance, state: InstanceState, owner: mpsc::Sender<Box<Request>>) -> Self {
        Self {
            view: RwLock::new(Arc::new(view)),
            snapshots: RwLock::default(),
            state: watch::Sender::new(state),
            ends: watch::Sender::new(0),
            live: RwLock::new(None),
            files: Mutex::new(None),
            guests: Listeners::default(),
            owner,
        }
    }

    /// As clients see it.
    pub(crate) fn view(&self) -> Arc<Instance> {
        self.view.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_view(&self, view: Instance) {
        *self.view.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(view);
    }

    /// What it was at times, oldest first.
    pub(crate) fn snapshots(&self) -> Snapshots {
        self.snapshots.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_snapshots(&self, snapshots: Vec<Arc<Snapshot>>) {
        *self.snapshots.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshots);
    }

    /// What belongs to its processes, while it runs.
    pub(crate) fn live(&self) -> Option<Arc<Live>> {
        self.live.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_live(&self, live: Option<Arc<Live>>) {
        *self.live.write().unwrap_or_else(PoisonError::into_inner) = live;
        // What was opened in the old namespaces is of no use in the new ones.
        *self.files.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Asks the owner and waits for what came of it.
    pub(crate) async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, Error>>) -> Request,
    ) -> Result<T, Error> {
        let (reply, answer) = oneshot::channel();
        self.owner.try_send(Box::new(request(reply))).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => Error::Busy { name: self.view().name.clone() },
            mpsc::error::TrySendError::Closed(_) => Error::not_found("Container", &self.view().name),
        })?;
        answer.await.unwrap_or(Err(Error::Shutdown))
    }

    /// Tells the owner something that has no answer; waits while its queue is full.
    pub(super) async fn tell(&self, request: Request) {
        // An owner that is gone has nothing to be told.
        let _ = self.owner.send(Box::new(request)).await;
    }
}

#[derive(Default)]
struct Names {
    entries: BTreeMap<String, Arc<Entry>>,
    reserved: HashSet<String>,
}

/// Every container by name, and the names of those that are being made.
#[derive(Clone, Default)]
pub(crate) struct Registry(Arc<Mutex<Names>>);

/// A name that nobody else can take until this is dropped.
pub(crate) struct Reservation {
    registry: Registry,
    name: String,
}

impl Registry {
    fn names(&self) -> MutexGuard<'_, Names> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Entry>> {
        self.names().entries.values().cloned().collect()
    }

    /// One.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Entry>, Error> {
        self.names().entries.get(name).cloned().ok_or_else(|| Error::not_found("Container", name))
    }

    /// Takes a name that nobody has.
    pub(crate) fn reserve(&self, name: &str) -> Result<Reservation, Error> {
        let mut names = self.names();
        if names.entries.contains_key(name) || !names.reserved.insert(name.to_owned()) {
            return Err(Error::Exists { what: "Container", name: name.to_owned() });
        }
        Ok(Reservation { registry: self.clone(), name: name.to_owned() })
    }

    pub(super) fn insert(&self, name: &str, entry: Arc<Entry>) {
        self.names().entries.insert(name.to_owned(), entry);
    }

    pub(super) fn remove(&self, name: &str) -> Option<Arc<Entry>> {
        self.names().entries.remove(name)
    }
}

impl Reservation {
    /// The name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.registry.names().reserved.remove(&self.name);
    }
}
