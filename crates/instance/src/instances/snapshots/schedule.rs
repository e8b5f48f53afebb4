//! Snapshots that are taken and removed by themselves.

use super::Wanted;
use crate::instances::Instances;
use crate::instances::owner::Request;
use crate::instances::registry::Entry;
use api::Time;
use futures_util::StreamExt as _;
use jiff::Zoned;
use jiff::civil::DateTime;
use model::config::{get, is_true};
use model::snapshots::Schedule;
use model::state::InstanceState;
use std::sync::Arc;
use std::time::Duration;

/// How many containers have something done to them at once.
const AT_ONCE: usize = 4;

impl Instances {
    /// Looks at every container once in a minute, for as long as the daemon lives. What was due
    /// while it did not run is not made up for.
    pub(crate) async fn keep_schedules(self) {
        let mut last = Zoned::now().datetime();
        loop {
            let second = u64::try_from(Zoned::now().second()).unwrap_or(0);
            tokio::time::sleep(Duration::from_secs(60_u64.saturating_sub(second).max(1))).await;
            let now = Zoned::now().datetime();
            // The clock went back, as it does in autumn: nothing of that time again.
            last = last.min(now);
            self.take_due(last, now).await;
            self.remove_expired().await;
            last = now;
        }
    }

    async fn take_due(&self, last: DateTime, now: DateTime) {
        let due = self.context.registry.all().into_iter().filter(|entry| is_due(entry, last, now));
        let taken = due.map(|entry| async move {
            let wanted = Wanted { name: None, expires_at: None };
            if let Err(error) = entry.ask(|reply| Request::Snapshot { wanted, reply }).await {
                tracing::error!(instance = entry.view().name, error = %error.story(), "a scheduled snapshot failed");
            }
        });
        futures_util::stream::iter(taken).buffer_unordered(AT_ONCE).collect::<()>().await;
    }

    async fn remove_expired(&self) {
        let now = Time::now();
        let removed = self.context.registry.all().into_iter().map(|entry| async move {
            let snapshots = entry.snapshots();
            for snapshot in snapshots.iter().filter(|s| s.expires_at.is_set() && s.expires_at <= now) {
                let name = snapshot.name.clone();
                if let Err(error) = entry.ask(|reply| Request::DeleteSnapshot { name, reply }).await {
                    tracing::error!(
                        instance = entry.view().name,
                        snapshot = snapshot.name.as_str(),
                        error = %error.story(),
                        "cannot remove an expired snapshot"
                    );
                }
            }
        });
        futures_util::stream::iter(removed).buffer_unordered(AT_ONCE).collect::<()>().await;
    }
}

/// Whether a container's schedule has a time after `last` and not after `now`.
fn is_due(entry: &Arc<Entry>, last: DateTime, now: DateTime) -> bool {
    // What is on its way up or down is left alone.
    let settled = |state: &InstanceState| {
        matches!(state, InstanceState::Stopped | InstanceState::Running { .. } | InstanceState::Frozen { .. })
    };
    if !settled(&entry.state.borrow()) {
        return false;
    }
    let view = entry.view();
    let Some(text) = get(&view.expanded_config, "snapshots.schedule") else { return false };
    let stopped = get(&view.expanded_config, "snapshots.schedule.stopped").is_some_and(is_true);
    if entry.live().is_none() && !stopped {
        return false;
    }
    let schedule = Schedule::parse(text).ok();
    schedule.and_then(|schedule| schedule.next(last)).is_some_and(|next| next <= now)
}
