//! The host comes up or goes down: which containers start and stop, in which order.

use super::Instances;
use super::owner::Request;
use super::registry::Entry;
use super::stop::{Afterwards, stop};
use api::instances::Instance;
use model::config::Effective;
use model::power::LastPower;
use model::state::InstanceState;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// A container that should run: how long to wait after it, and its place in the order.
struct Wanted {
    entry: Arc<Entry>,
    priority: i64,
    delay: Duration,
}

/// Whether a stopped container should run now that the host is up.
fn wanted(view: &Instance) -> Option<(i64, Duration)> {
    let config = Effective::parse(&view.expanded_config).ok()?;
    let start = config.autostart.unwrap_or(config.last_power != LastPower::Stopped);
    start.then_some((config.autostart_priority, config.autostart_delay))
}

impl Instances {
    /// Starts what should run, highest priority first, one after the other. A failure is logged
    /// and does not stop the others.
    pub(crate) async fn autostart(&self) {
        let mut list: Vec<Wanted> = self
            .context
            .registry
            .all()
            .into_iter()
            .filter(|entry| matches!(*entry.state.borrow(), InstanceState::Stopped))
            .filter_map(|entry| {
                let (priority, delay) = wanted(&entry.view())?;
                Some(Wanted { entry, priority, delay })
            })
            .collect();
        // The registry is sorted by name and this sort keeps that order among equals.
        list.sort_by_key(|wanted| std::cmp::Reverse(wanted.priority));
        for Wanted { entry, delay, .. } in list {
            if let Err(error) = entry.ask(|reply| Request::Start { reply }).await {
                tracing::error!(instance = entry.view().name, error = %error.story(), "autostart failed");
            }
            tokio::time::sleep(delay).await;
        }
    }

    /// Stops everything, remembering what ran: groups of equal `boot.stop.priority` one after the
    /// other, highest first; the members of a group at once.
    pub(crate) async fn stop_all(&self) {
        let mut groups: std::collections::BTreeMap<i64, Vec<(Arc<Entry>, Duration)>> =
            std::collections::BTreeMap::new();
        for entry in self.context.registry.all() {
            if entry.live().is_none() {
                continue;
            }
            let config = Effective::parse(&entry.view().expanded_config).ok();
            let priority = config.as_ref().map_or(0, |config| config.stop_priority);
            let limit = config.map_or(Duration::from_secs(30), |config| config.host_shutdown_timeout);
            groups.entry(priority).or_default().push((entry, limit));
        }
        for group in groups.into_values().rev() {
            let mut members = JoinSet::new();
            for (entry, limit) in group {
                members.spawn(stop_for_shutdown(entry, limit));
            }
            members.join_all().await;
        }
    }

    /// Has every container that uses a profile follow it; gives one line for each that cannot.
    pub(crate) async fn follow_profile(&self, profile: &str) -> String {
        let mut failures = String::new();
        for entry in self.context.registry.all() {
            let view = entry.view();
            if !view.profiles.iter().any(|name| name == profile) {
                continue;
            }
            if let Err(error) = entry.ask(|reply| Request::Follow { reply }).await {
                failures.push_str(&format!("\n - {}: {}", view.name, error.story()));
            }
        }
        failures
    }
}

async fn stop_for_shutdown(entry: Arc<Entry>, limit: Duration) {
    let name = entry.view().name.clone();
    let power = match *entry.state.borrow() {
        InstanceState::Frozen { .. } => LastPower::Frozen,
        _ => LastPower::Running,
    };
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    if stop(&entry, seconds, false, Afterwards::Usual).await.is_err()
        && let Err(error) = stop(&entry, 0, true, Afterwards::Usual).await
    {
        tracing::error!(instance = name, error = %error.story(), "cannot stop for shutdown");
        return;
    }
    // An ephemeral container is gone now and needs no memory of what it did.
    let _ = entry.ask(|reply| Request::Power { power, reply }).await;
}
