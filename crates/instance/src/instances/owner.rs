//! The task that owns a container: everything that changes it happens here, one after the other.
//!
//! ```text
//!                 create                     start                init running
//!   (absent) ───────────────▶ Stopped ─────────────▶ Starting ─────────────────▶ Running ◀──┐
//!                               ▲  ▲                     │ failed: undo            │  │     │ unfreeze
//!                               │  └─────────────────────┘                  freeze │  │     │
//!                 init ended    │                                                  ▼  │   Frozen
//!                               │◀───────────── Stopping ◀── stop ────────────────────┘
//!                               │                                ▲
//!                               └── Error (init lost) ── stop ───┘   init asked for a reboot: start again
//! ```

use super::context::Context;
use super::copy::Job;
use super::migrate::{Fresh, Hold};
use super::publish::Job as PublishJob;
use super::registry::Entry;
use super::revive::Revivals;
use super::snapshots::Wanted;
use super::stop::Afterwards;
use super::view;
use crate::Error;
use api::Time;
use api::instances::{InstancePatch, InstancePut};
use image::pack::Packed;
use model::names::{InstanceName, PoolName, SnapshotName};
use model::runtime::protocol::{Exit, Kept};
use model::state::{Action, Decision, InstanceState, decide};
use std::sync::Arc;
use store::instances::Instance as Record;
use store::profiles::Profile;
use store::snapshots::Snapshot;
use tokio::sync::{mpsc, oneshot};

/// How many requests may wait; more are refused as "busy".
const QUEUE: usize = 32;

/// Where the owner sends what came of a request.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, Error>>;

/// What can be asked of an owner.
pub(crate) enum Request {
    /// Start it.
    Start { reply: Reply<()> },
    /// Tell init to end, or kill it. The end itself is told by the entry's counter of ends.
    Stop { force: bool, afterwards: Afterwards, reply: Reply<()> },
    /// Nobody waits for the orderly stop any more.
    GiveUpStop,
    /// Freeze it.
    Freeze { reply: Reply<()> },
    /// Let it go on.
    Unfreeze { reply: Reply<()> },
    /// Replace what can be changed.
    Update { put: Box<InstancePut>, reply: Reply<()> },
    /// Change what is given.
    Patch { patch: Box<InstancePatch>, reply: Reply<()> },
    /// A profile that it uses has changed.
    Follow { reply: Reply<()> },
    /// Give it another name.
    Rename { name: InstanceName, reply: Reply<()> },
    /// Move it to another pool.
    ChangePool { pool: PoolName, reply: Reply<()> },
    /// Remove it.
    Delete { reply: Reply<()> },
    /// Remember that it has said to be up, or no longer to be.
    Ready { ready: bool, reply: Reply<()> },
    /// Take a snapshot.
    Snapshot { wanted: Wanted, reply: Reply<()> },
    /// Say when a snapshot is removed.
    ExpireSnapshot { name: SnapshotName, expires_at: Time, reply: Reply<()> },
    /// Give a snapshot another name.
    RenameSnapshot { name: SnapshotName, new: SnapshotName, reply: Reply<()> },
    /// Remove a snapshot.
    DeleteSnapshot { name: SnapshotName, reply: Reply<()> },
    /// Read the snapshots again.
    ReloadSnapshots,
    /// Become what a snapshot is.
    Restore { name: SnapshotName, reply: Reply<()> },
    /// Copy its files for another container.
    Copy { job: Job, reply: Reply<Vec<Snapshot>> },
    /// Leave it as it is until what is answered is dropped; while it runs, freeze it for as long.
    Hold { reply: Reply<Hold> },
    /// Make an image of its files; given up when nobody waits any more.
    Publish { job: Box<PublishJob>, reply: Reply<Packed> },
    /// Become what it is a copy of.
    Refresh { fresh: Box<Fresh>, reply: Reply<()> },
    /// Its init has ended.
    Ended(Exit),
    /// A device of the host has come or gone.
    CatchUp,
    /// It has just been made: write down beside its files what it is.
    Describe,
    /// The keeper may have been replaced: see what is true.
    Reconcile(Option<Kept>),
    /// The daemon starts: see what is true, and what happened while there was none.
    Settle { kept: Option<Kept>, host_booted: bool, reply: Reply<()> },
}

/// One container and the queue of what is to be done to it.
pub(super) struct Owner {
    pub(super) context: Arc<Context>,
    pub(super) record: Record,
    /// Its profiles as they were when it last followed them. What it is shown to be changes with
    /// that and not before, so that following always starts from what is true.
    pub(super) layers: Vec<Arc<Profile>>,
    pub(super) afterwards: Afterwards,
    /// When it was started again by itself.
    pub(super) revivals: Revivals,
    /// What lies beside its files does not tell what it is now.
    pub(super) unsaved: bool,
    /// It has been removed: there is nothing to own any more.
    pub(super) gone: bool,
    entry: Arc<Entry>,
    /// In boxes: a queue keeps room for dozens, and most containers are asked nothing.
    requests: mpsc::Receiver<Box<Request>>,
}

impl Owner {
    /// Makes the owner of a container and puts the container into the registry.
    pub(super) fn adopt(
        context: &Arc<Context>,
        record: Record,
        snapshots: Vec<Snapshot>,
        state: InstanceState,
    ) -> Arc<Entry> {
        let (sender, requests) = mpsc::channel(QUEUE);
        let layers = context.profiles.layers(&record.profiles);
        let view = view::instance(&record, &layers, &state);
        let entry = Arc::new(Entry::new(view, state, sender));
        entry.set_snapshots(snapshots.into_iter().map(Arc::new).collect());
        context.registry.insert(record.name.as_str(), entry.clone());
        let owner = Self {
            context: context.clone(),
            record,
            layers,
            afterwards: Afterwards::Usual,
            revivals: Revivals::default(),
            unsaved: false,
            gone: false,
            entry: entry.clone(),
            requests,
        };
        tokio::spawn(owner.run());
        entry
    }

    /// Its name.
    pub(super) fn name(&self) -> &str {
        self.record.name.as_str()
    }

    /// What others see of it.
    pub(super) fn entry(&self) -> &Arc<Entry> {
        &self.entry
    }

    /// Whether its state is such.
    pub(super) fn state_is(&self, test: impl FnOnce(&InstanceState) -> bool) -> bool {
        test(&self.entry.state.borrow())
    }

    /// Shows a new state.
    pub(super) fn set_state(&self, state: InstanceState) {
        self.entry.set_view(view::instance(&self.record, &self.layers, &state));
        self.entry.state.send_replace(state);
    }

    /// Shows the record as it is now.
    pub(super) fn refresh_view(&self) {
        let state = self.entry.state.borrow().clone();
        self.entry.set_view(view::instance(&self.record, &self.layers, &state));
    }

    /// Refuses what the present state does not allow.
    pub(super) fn allow(&self, action: Action) -> Result<Decision, Error> {
        match decide(&self.entry.state.borrow(), action) {
            Decision::Refuse(refusal) => Err(Error::Refused(refusal)),
            decision => Ok(decision),
        }
    }

    async fn run(mut self) {
        while let Some(request) = self.requests.recv().await {
            // In a box, so that a container nobody asks anything of costs only the wait.
            Box::pin(self.serve(*request)).await;
            if self.gone {
                return;
            }
            if self.unsaved {
                // Whoever asked has the answer already.
                Box::pin(self.describe()).await;
            }
        }
    }

    async fn serve(&mut self, request: Request) {
        match request {
            Request::Start { reply } => answer(reply, self.serve_start().await),
            Request::Stop { force, afterwards, reply } => {
                answer(reply, self.serve_stop(force, afterwards).await);
            }
            Request::GiveUpStop => self.give_up_stop(),
            Request::Freeze { reply } => answer(reply, self.serve_freeze().await),
            Request::Unfreeze { reply } => answer(reply, self.serve_unfreeze().await),
            Request::Update { put, reply } => answer(reply, self.update(*put).await),
            Request::Patch { patch, reply } => answer(reply, self.patch(*patch).await),
            Request::Describe => self.unsaved = true,
            Request::Follow { reply } => answer(reply, self.follow_profiles().await),
            Request::Rename { name, reply } => answer(reply, self.serve_rename(name).await),
            Request::ChangePool { pool, reply } => answer(reply, self.change_pool(pool).await),
            Request::Delete { reply } => answer(reply, self.serve_delete().await),
            Request::Ready { ready, reply } => answer(reply, self.record_ready(ready).await),
            Request::Snapshot { wanted, reply } => answer(reply, self.snapshot(wanted).await),
            Request::ExpireSnapshot { name, expires_at, reply } => {
                answer(reply, self.expire_snapshot(&name, expires_at).await);
            }
            Request::RenameSnapshot { name, new, reply } => {
                answer(reply, self.rename_snapshot(&name, &new).await);
            }
            Request::DeleteSnapshot { name, reply } => answer(reply, self.delete_snapshot(&name).await),
            Request::ReloadSnapshots => self.reload_snapshots().await,
            Request::Restore { name, reply } => answer(reply, self.restore(&name).await),
            Request::Copy { job, reply } => answer(reply, self.copy_to(job).await),
            Request::Hold { reply } => self.hold(reply).await,
            Request::Publish { job, reply } => self.serve_publish(*job, reply).await,
            Request::Refresh { fresh, reply } => answer(reply, self.refresh(*fresh).await),
            Request::Ended(exit) => self.ended(exit).await,
            Request::CatchUp => self.catch_up().await,
            Request::Reconcile(kept) => self.reconcile(kept).await,
            Request::Settle { kept, host_booted, reply } => {
                self.settle(kept, host_booted).await;
                answer(reply, Ok(()));
            }
        }
    }

    async fn serve_start(&mut self) -> Result<(), Error> {
        match self.allow(Action::Start)? {
            Decision::Instead(Action::Unfreeze) => self.unfreeze().await,
            _ => self.start().await,
        }
    }

    async fn serve_stop(&mut self, force: bool, afterwards: Afterwards) -> Result<(), Error> {
        match self.allow(Action::Stop { force })? {
            Decision::Join => Ok(()),
            _ => self.begin_stop(force, afterwards).await,
        }
    }

    async fn serve_freeze(&mut self) -> Result<(), Error> {
        self.allow(Action::Freeze)?;
        self.freeze().await
    }

    async fn serve_unfreeze(&mut self) -> Result<(), Error> {
        self.allow(Action::Unfreeze)?;
        self.unfreeze().await
    }

    async fn serve_rename(&mut self, name: InstanceName) -> Result<(), Error> {
        self.allow(Action::Rename)?;
        self.rename(name).await
    }

    async fn serve_delete(&mut self) -> Result<(), Error> {
        self.allow(Action::Delete)?;
        self.delete().await
    }
}

impl Owner {
    /// Unlike other work, this one ends when whoever asked goes away: only a file is lost.
    async fn serve_publish(&mut self, job: PublishJob, mut reply: Reply<Packed>) {
        let result = tokio::select! {
            result = self.publish(job) => result,
            () = reply.closed() => return,
        };
        answer(reply, result);
    }
}

/// Whoever asked may have gone away; the work is done all the same.
fn answer<T>(reply: Reply<T>, result: Result<T, Error>) {
    let _ = reply.send(result);
}
