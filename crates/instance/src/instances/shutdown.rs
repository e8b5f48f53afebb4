//! The host goes down: containers stop, in which order, and remember that they ran.

use super::Instances;
use super::host_boot;
use super::registry::Entry;
use super::stop::{Afterwards, stop};
use crate::Error;
use model::config::Effective;
use model::power::LastPower;
use model::state::InstanceState;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::task::JoinSet;

/// What a container has that cannot be configured otherwise, in seconds.
const LIMIT: Duration = Duration::from_secs(30);

impl Instances {
    /// Stops everything, remembering what ran: groups of equal `boot.stop.priority` one after the
    /// other, highest first; the members of a group at once. Nothing can be started any more.
    pub(crate) async fn stop_all(&self) {
        self.context.going_down.store(true, Ordering::SeqCst);
        if let Err(error) = host_boot::forget(&self.context.var) {
            tracing::error!(error = %error.story(), "what runs now may not be started with the daemon");
        }
        let mut groups: BTreeMap<i64, Vec<(Arc<Entry>, Duration)>> = BTreeMap::new();
        for entry in self.context.registry.all() {
            let config = Effective::parse(&entry.view().expanded_config).ok();
            let priority = config.as_ref().map_or(0, |config| config.stop_priority);
            let limit = config.map_or(LIMIT, |config| config.host_shutdown_timeout);
            groups.entry(priority).or_default().push((entry, limit));
        }
        for group in groups.into_values().rev() {
            let mut members = JoinSet::new();
            for (entry, limit) in group {
                members.spawn(stop_one(entry, limit));
            }
            members.join_all().await;
        }
    }
}

async fn stop_one(entry: Arc<Entry>, limit: Duration) {
    settled(&entry).await;
    if entry.live().is_none() {
        return;
    }
    let name = entry.view().name.clone();
    let power = match *entry.state.borrow() {
        InstanceState::Frozen { .. } => LastPower::Frozen,
        // Somebody has asked for that already.
        InstanceState::Stopping { .. } => LastPower::Stopped,
        _ => LastPower::Running,
    };
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    let asked = stop(&entry, seconds, false, Afterwards::HostDown(power)).await;
    let Err(error) = asked else { return };
    if matches!(error, Error::Refused(model::state::Refusal::AlreadyStopped)) {
        return;
    }
    tracing::warn!(instance = name, error = %error.story(), "killing it, because the host goes down");
    if let Err(error) = stop(&entry, 0, true, Afterwards::HostDown(power)).await {
        tracing::error!(instance = name, error = %error.story(), "cannot stop for shutdown");
    }
}

/// Waits until what is being started or frozen is so, or not.
async fn settled(entry: &Entry) {
    let mut state = entry.state.subscribe();
    let quiet = state.wait_for(|state| {
        !matches!(state, InstanceState::Starting | InstanceState::Restarting | InstanceState::Freezing { .. })
    });
    if tokio::time::timeout(LIMIT, quiet).await.is_err() {
        tracing::error!(instance = entry.view().name, "its start does not end");
    }
}
