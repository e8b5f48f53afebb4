//! The host has come up: which containers start, in which order and how many at once.

use super::Instances;
use super::host_boot;
use super::owner::Request;
use super::registry::Entry;
use crate::Error;
use api::instances::Instance;
use futures_util::StreamExt as _;
use model::config::Effective;
use model::power::LastPower;
use model::state::InstanceState;
use std::sync::Arc;
use std::time::Duration;

/// A container that should run: its place in the order, and how long to wait after it.
#[derive(Debug, PartialEq, Eq)]
struct Wanted<T> {
    what: T,
    priority: i64,
    delay: Duration,
}

/// Containers that start together, and how long to wait after them.
#[derive(Debug, PartialEq, Eq)]
struct Wave<T> {
    members: Vec<T>,
    then: Duration,
}

/// Whether a stopped container should run now that the host is up.
fn wanted(view: &Instance) -> Option<(i64, Duration)> {
    let config = Effective::parse(&view.expanded_config).ok()?;
    let start = config.autostart.unwrap_or(config.last_power != LastPower::Stopped);
    start.then_some((config.autostart_priority, config.autostart_delay))
}

/// Sorts into waves: the highest priority first, in the given order among equals. A wave ends where
/// the priority changes and after a container that is to be waited for.
fn waves<T>(mut list: Vec<Wanted<T>>) -> Vec<Wave<T>> {
    list.sort_by_key(|wanted| std::cmp::Reverse(wanted.priority));
    let mut waves: Vec<Wave<T>> = Vec::new();
    let mut open: Option<i64> = None;
    for Wanted { what, priority, delay } in list {
        match waves.last_mut() {
            Some(wave) if open == Some(priority) => {
                wave.members.push(what);
                wave.then = delay;
            }
            _ => waves.push(Wave { members: vec![what], then: delay }),
        }
        open = delay.is_zero().then_some(priority);
    }
    waves
}

/// How many start at once: what a start waits for is mostly the processors.
fn at_once() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).clamp(2, 8)
}

impl Instances {
    /// Starts what should run, if the host has booted since this was last done. A failure is
    /// logged and does not stop the others. When the future is dropped, nothing more is started.
    ///
    /// # Errors
    /// It cannot be remembered that it has been done.
    pub(crate) async fn autostart(&self) -> Result<(), Error> {
        if !host_boot::is_new(&self.context.var) {
            return Ok(());
        }
        // The registry is sorted by name.
        let all = self.context.registry.all().into_iter();
        let list = all
            .filter(|entry| matches!(*entry.state.borrow(), InstanceState::Stopped))
            .filter_map(|entry| {
                let (priority, delay) = wanted(&entry.view())?;
                Some(Wanted { what: entry, priority, delay })
            })
            .collect();
        for Wave { members, then } in waves(list) {
            let starts = members.into_iter().map(autostart_one);
            futures_util::stream::iter(starts).buffer_unordered(at_once()).collect::<()>().await;
            tokio::time::sleep(then).await;
        }
        host_boot::remember(&self.context.var)
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

async fn autostart_one(entry: Arc<Entry>) {
    if let Err(error) = entry.ask(|reply| Request::Start { reply }).await {
        tracing::error!(instance = entry.view().name, error = %error.story(), "autostart failed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(what: &'static str, priority: i64, delay: u64) -> Wanted<&'static str> {
        Wanted { what, priority, delay: Duration::from_secs(delay) }
    }

    #[test]
    fn equals_start_together_and_delays_are_kept() {
        let list =
            vec![wants("a", 0, 0), wants("b", 5, 0), wants("c", 0, 3), wants("d", 0, 0), wants("e", 5, 0)];
        let found: Vec<(Vec<&str>, u64)> =
            waves(list).into_iter().map(|wave| (wave.members, wave.then.as_secs())).collect();
        assert_eq!(found, [(vec!["b", "e"], 0), (vec!["a", "c"], 3), (vec!["d"], 0)]);
        assert_eq!(waves::<&str>(Vec::new()), []);
    }

    #[test]
    fn a_delay_at_the_end_of_a_priority_is_waited_for_before_the_next() {
        let found = waves(vec![wants("low", -1, 0), wants("high", 1, 2)]);
        assert_eq!(found[0], Wave { members: vec!["high"], then: Duration::from_secs(2) });
        assert_eq!(found[1], Wave { members: vec!["low"], then: Duration::ZERO });
    }
}
