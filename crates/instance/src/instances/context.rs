//! What the verbs on containers need: the handles of the parts that they bring together.

use super::registry::Registry;
use crate::apparmor::Apparmor;
use crate::devices::Trees;
use crate::exec::Sessions;
use crate::forwarder::Forwarder;
use crate::full_disk;
use crate::guest::Door;
use crate::images::Images;
use crate::keeper::Keeper;
use crate::limits::Balancer;
use crate::networks::Networks;
use crate::platform::Platform;
use crate::pools::Pools;
use crate::profiles::Catalog;
use crate::seccomp::Filters;
use crate::var::Var;
use crate::volumes::Volumes;
use crate::{Error, Work};
use api::events::Lifecycle;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use store::Store;
use tokio::sync::mpsc::UnboundedSender;

/// Handles, shared by all owners.
pub(crate) struct Context {
    pub(crate) var: Var,
    pub(crate) store: Store,
    pub(crate) keeper: Keeper,
    pub(crate) forwarder: Forwarder,
    pub(crate) sessions: Sessions,
    pub(crate) registry: Registry,
    pub(crate) pools: Pools,
    pub(crate) volumes: Volumes,
    pub(crate) networks: Networks,
    pub(crate) images: Images,
    pub(crate) profiles: Catalog,
    pub(crate) platform: Platform,
    pub(crate) filters: Filters,
    pub(crate) doors: UnboundedSender<Door>,
    pub(crate) balancer: Balancer,
    pub(crate) apparmor: Apparmor,
    /// Where the host shows its devices.
    pub(crate) trees: Trees,
    /// Told when a container that waits for devices of the host came, changed or went.
    pub(crate) hotplug: tokio::sync::Notify,
    pub(crate) lifecycle: UnboundedSender<Lifecycle>,
    /// The host goes down: nothing is started any more.
    pub(crate) going_down: AtomicBool,
}

impl Context {
    /// Tells listeners that something happened to a container.
    pub(crate) fn tell(&self, action: &str, name: &str) {
        self.tell_more(action, name, None);
    }

    /// Says which disk is full, if that is what went wrong.
    pub(crate) fn explain(&self, error: Error) -> Error {
        full_disk::explain(error, self.places())
    }

    /// The same for what is done in the background.
    pub(crate) fn explained(self: &Arc<Self>, work: Work) -> Work {
        let context = self.clone();
        full_disk::explained(work, move || context.places())
    }

    /// Directories on every disk that a verb can fill.
    pub(crate) fn places(&self) -> Vec<PathBuf> {
        let mut places = self.var.places();
        places.extend(self.pools.all_usable().iter().map(|pool| pool.path().to_owned()));
        places
    }

    /// Random bytes for names and addresses.
    #[allow(clippy::unused_self)] // one place to look for what is random
    pub(crate) fn random(&self) -> [u8; 3] {
        crate::random::bytes()
    }

    /// The same, with what belongs to it.
    pub(crate) fn tell_more(
        &self,
        action: &str,
        name: &str,
        context: Option<serde_json::Map<String, serde_json::Value>>,
    ) {
        let event =
            Lifecycle { action: action.to_owned(), source: format!("/1.0/containers/{name}"), context };
        // Nobody listens any more once the daemon is on its way down.
        let _ = self.lifecycle.send(event);
    }
}
