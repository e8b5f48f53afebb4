//! What was deleted goes: at once if nothing was made of it, else with the last that was.

use super::State;
use super::names::Names;
use super::plans::{self, Step};
use super::rows::QUOTA;
use super::volume::tree;
use crate::error::Error;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tools::RunError;
use tools::zfs::{self, Below, Types};

/// How often what somebody still uses is tried again; afterwards the next deletion or start does.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(500);

/// Removes what lies in `deleted`, one call at a time.
pub(super) struct Sweeper {
    deleted: String,
    turn: tokio::sync::Mutex<()>,
}

impl Sweeper {
    pub(super) fn new(names: &Names) -> Self {
        Self { deleted: names.part("deleted"), turn: tokio::sync::Mutex::new(()) }
    }

    /// Removes what can go. True: nothing was in use. What is deleted before the call is gone after it.
    pub(super) async fn sweep(&self) -> Result<bool, Error> {
        let _turn = self.turn.lock().await;
        let mut failed: HashSet<Step> = HashSet::new();
        let mut tried: HashSet<Step> = HashSet::new();
        loop {
            let tree = tree(&self.deleted).await?;
            let mut steps = plans::sweep(&self.deleted, &tree);
            steps.retain(|step| !tried.contains(step));
            if steps.is_empty() {
                return Ok(failed.is_empty());
            }
            // Nothing is left that could go with what goes now.
            let last = steps.len() == tree.below(&self.deleted).count() && !steps.iter().any(Step::leads_on);
            for step in steps {
                if let Err(error) = act(&step).await {
                    tracing::debug!(?step, %error, "cannot remove something deleted yet");
                    failed.insert(step.clone());
                }
                tried.insert(step);
            }
            if last {
                return Ok(failed.is_empty());
            }
        }
    }

    async fn sweep_with_patience(&self) {
        for _ in 0..TRIES {
            match self.sweep().await {
                Ok(true) => return,
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "cannot remove what was deleted; the next start tries again"
                    );
                    return;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        tracing::warn!(datasets = self.deleted, "something deleted is still in use; it is removed later");
    }
}

impl State {
    pub(super) async fn sweep(&self) -> Result<(), Error> {
        self.sweeper.sweep().await.map(drop)
    }

    /// Removes what can go, and waits a while for what somebody is about to let go of.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        for _ in 0..TRIES {
            if self.sweeper.sweep().await? {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Starts removing what was deleted.
    pub(super) fn sweep_later(&self) {
        let sweeper = Arc::clone(&self.sweeper);
        tokio::spawn(async move { sweeper.sweep_with_patience().await });
    }

    /// Takes the name away from something half-made; nothing if it is not there.
    pub(super) async fn bury(&self, dataset: &str) {
        match zfs::rename(dataset, &self.names.ghost()).await {
            Ok(()) => self.sweep_later(),
            Err(error) if zfs::missing(&error) => {}
            Err(error) => {
                tracing::warn!(dataset, %error, "cannot remove something half-made; the next start will");
            }
        }
    }
}

/// Does one step.
pub(super) async fn act(step: &Step) -> Result<(), RunError> {
    let result = match step {
        Step::Promote(name) => zfs::promote(name).await,
        Step::Rename(old, new) => zfs::rename(old, new).await,
        Step::Destroy(name) => zfs::destroy(name).await,
        Step::Retire(name) => zfs::destroy_deferred(name).await,
        Step::Rollback(name) => zfs::rollback(name).await,
        Step::Unset(name, property) => zfs::unset(name, property).await,
        Step::Quota(name, quota) => return limit(name, quota).await,
    };
    match result {
        // Somebody else did it, or it went with something else.
        Err(error) if zfs::missing(&error) => Ok(()),
        other => other,
    }
}

/// A volume that holds more than it may keeps what it has, and gets no more.
async fn limit(dataset: &str, quota: &str) -> Result<(), RunError> {
    let set = async |quota: &str| zfs::set(dataset, &[format!("quota={quota}"), format!("{QUOTA}=")]).await;
    match set(quota).await {
        Err(error) if zfs::full(&error) => {
            let rows = zfs::list(dataset, Below::Itself, Types::Filesystems, &["used"]).await?;
            match rows.and_then(|rows| rows.into_iter().flatten().next()) {
                Some(used) => set(&used).await,
                None => Ok(()),
            }
        }
        other => other,
    }
}
