//! The task that keeps processors balanced over the containers that run.
//!
//! It works when a container starts, ends or gets another `limits.cpu`, and when processors come or
//! go; requests that come close together are served by one round. With them goes what the memory of
//! all of them together is left when the host runs short.

use super::balance::balance;
use super::hotplug::{Change, Hotplug};
use super::packets;
use crate::Error;
use crate::instances::{Live, Registry};
use container::cgroup::{Cgroup, Layout, Version};
use model::config::{Priority, get};
use model::units::{CpuLimit, CpuSet};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;

/// How long requests that nobody waits for are collected.
const COLLECT: Duration = Duration::from_millis(50);

/// Somebody who waits for the round, or nobody.
type Request = Option<oneshot::Sender<()>>;

/// The handle of the task. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Balancer {
    requests: UnboundedSender<Request>,
    host: Host,
}

/// What the task works on.
#[derive(Clone)]
struct Host {
    registry: Registry,
    layout: Layout,
    /// First part of the path of control groups.
    base: String,
}

/// Processors that containers are known to have, by init's process id.
type Known = HashMap<i32, CpuSet>;

impl Balancer {
    /// Starts the task, which ends with the last handle.
    pub(crate) fn start(registry: Registry, layout: Layout, base: String) -> Self {
        let (requests, received) = unbounded_channel();
        let host = Host { registry, layout, base };
        tokio::spawn(run(host.clone(), received));
        Self { requests, host }
    }

    /// A container started or ended.
    pub(crate) fn soon(&self) {
        // Without the task there is nothing to balance.
        let _ = self.requests.send(None);
    }

    /// `limits.cpu` has changed; returns when that is in effect.
    pub(crate) async fn now(&self) {
        let (reply, done) = oneshot::channel();
        if self.requests.send(Some(reply)).is_ok() {
            // A task that has ended answers at once, with an error that says just that.
            let _ = done.await;
        }
    }

    /// Refuses processors of which there is none.
    pub(crate) fn check(&self, limit: Option<&CpuLimit>) -> Result<(), Error> {
        let (Some(CpuLimit::Pinned(wanted)), Some(there)) = (limit, self.host.available()) else {
            return Ok(());
        };
        if wanted.0.is_disjoint(&there.0) {
            return Err(Error::NoProcessors { wanted: wanted.to_string(), there: there.to_string() });
        }
        Ok(())
    }

    /// The processors of a container that is about to start, as the next round will see it. `None`:
    /// all that there are.
    pub(crate) fn first(&self, limit: Option<&CpuLimit>) -> Result<Option<CpuSet>, Error> {
        self.check(limit)?;
        let (Some(limit), Some(available)) = (limit, self.host.available()) else { return Ok(None) };
        let mut wishes: Vec<_> = self.host.running().into_iter().map(|(_, wish)| wish).collect();
        wishes.push(Some(limit.clone()));
        Ok(balance(&available, &wishes).pop())
    }
}

async fn run(host: Host, mut requests: UnboundedReceiver<Request>) {
    let hotplug = Hotplug::listen()
        .inspect_err(|error| tracing::warn!(%error, "cannot hear of processors that come and go"))
        .ok();
    let mut known = Known::new();
    loop {
        let change = async {
            match &hotplug {
                Some(hotplug) => hotplug.next().await,
                None => std::future::pending().await,
            }
        };
        let mut waiting = tokio::select! {
            request = requests.recv() => match request {
                Some(request) => Vec::from([request]),
                None => return,
            },
            change = change => match change {
                Change::Processors => {
                    // Version 1 has changed what containers had.
                    known.clear();
                    Vec::new()
                }
                Change::Interface => {
                    host.clone().give_priorities().await;
                    continue;
                }
            },
        };
        while waiting.iter().all(Option::is_none)
            && let Ok(Some(request)) = tokio::time::timeout(COLLECT, requests.recv()).await
        {
            waiting.push(request);
        }
        while let Ok(request) = requests.try_recv() {
            waiting.push(request);
        }
        let (host, mut round) = (host.clone(), std::mem::take(&mut known));
        known = tokio::task::spawn_blocking(move || {
            host.round(&mut round);
            round
        })
        .await
        .unwrap_or_default();
        for reply in waiting.into_iter().flatten() {
            // Whoever waited may have gone away.
            let _ = reply.send(());
        }
    }
}

impl Host {
    /// Processors that containers may use. `None`: this host cannot tell them apart.
    fn available(&self) -> Option<CpuSet> {
        let cpus = self.layout.cpus()?;
        let isolated = std::fs::read_to_string("/sys/devices/system/cpu/isolated").unwrap_or_default();
        let isolated = CpuSet::parse(&isolated).unwrap_or_default();
        Some(CpuSet(cpus.0.difference(&isolated.0).copied().collect()))
    }

    /// What runs, and what it may have, by name.
    fn running(&self) -> Vec<(Arc<Live>, Option<CpuLimit>)> {
        let wish = |entry: &Arc<crate::instances::Entry>| {
            let limit =
                get(&entry.view().expanded_config, "limits.cpu").and_then(|v| CpuLimit::parse(v).ok());
            Some((entry.live()?, limit))
        };
        self.registry.all().iter().filter_map(wish).collect()
    }

    /// Gives every container what it is to have now; writes only what differs.
    fn round(&self, known: &mut Known) {
        let running = self.running();
        let Ok(above) = Cgroup::open(&self.layout, &self.base) else { return };
        protect(&above, &running);
        let Some(available) = self.available() else { return };
        widen(&self.layout, &above, &available);
        let wishes: Vec<_> = running.iter().map(|(_, wish)| wish.clone()).collect();
        // An empty set in version 2 is whatever there is.
        let inherits = self.layout.version_of("cpuset") == Some(Version::V2);
        let mut next = Known::new();
        for ((live, _), cpus) in running.iter().zip(balance(&available, &wishes)) {
            // Its own went away; in version 1 nothing could run there until they come back.
            let cpus = if cpus.0.is_empty() { available.clone() } else { cpus };
            let has = known.remove(&live.pid).or_else(|| live.cgroup.cpus());
            let same =
                has.is_some_and(|has| has == cpus || (has.0.is_empty() && inherits && cpus == available));
            if !same && let Err(error) = live.cgroup.set_cpus(&cpus) {
                let error: &dyn std::error::Error = &error;
                tracing::warn!(group = live.cgroup.path(), error, %cpus, "cannot give it its processors");
                continue;
            }
            next.insert(live.pid, cpus);
        }
        *known = next;
    }

    /// Priorities for an interface that came, where containers have one.
    async fn give_priorities(self) {
        let round = tokio::task::spawn_blocking(move || {
            let interfaces = packets::interfaces();
            for entry in self.registry.all() {
                let view = entry.view();
                let priority =
                    get(&view.expanded_config, "limits.network.priority").and_then(Priority::parse);
                let Some(live) = entry.live().filter(|_| priority.is_some()) else { continue };
                packets::give(&live.cgroup, priority, &interfaces);
            }
        });
        // A panic in there has been logged.
        let _ = round.await;
    }
}

/// In version 2 a group protects memory only as far as the one above does.
fn protect(above: &Cgroup, running: &[(Arc<Live>, Option<CpuLimit>)]) {
    let Some(has) = above.protected_memory() else { return };
    let each = running.iter().filter_map(|(live, _)| live.cgroup.protected_memory());
    let all = each.fold(0_u64, u64::saturating_add);
    if has != all
        && let Err(error) = above.protect_memory(all)
    {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, "soft limits of memory have no effect");
    }
}

/// The group above all containers has all that they may have: in version 1 it loses processors that
/// went away and does not get them back by itself.
fn widen(layout: &Layout, above: &Cgroup, available: &CpuSet) {
    let lacks = above.cpus().is_some_and(|has| !available.0.is_subset(&has.0));
    if layout.version_of("cpuset") == Some(Version::V1)
        && lacks
        && let Err(error) = above.add_cpus(available)
    {
        let error: &dyn std::error::Error = &error;
        tracing::warn!(error, cpus = %available, "cannot give containers the processors that came");
    }
}
