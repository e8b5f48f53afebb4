//! What the verbs on containers need: the handles of the parts that they bring together.

use super::registry::Registry;
use crate::apparmor::Apparmor;
use crate::exec::Sessions;
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
use api::events::Lifecycle;
use std::sync::atomic::AtomicBool;
use store::Store;
use tokio::sync::mpsc::UnboundedSender;

/// Handles, shared by all owners.
pub(crate) struct Context {
    pub(crate) var: Var,
    pub(crate) store: Store,
    pub(crate) keeper: Keeper,
    pub(crate) sessions: Sessions,
    pub(crate) registry: Registry,
    pub(crate) pools: Pools,
    pub(crate) networks: Networks,
    pub(crate) images: Images,
    pub(crate) profiles: Catalog,
    pub(crate) platform: Platform,
    pub(crate) filters: Filters,
    pub(crate) doors: UnboundedSender<Door>,
    pub(crate) balancer: Balancer,
    pub(crate) apparmor: Apparmor,
    pub(crate) lifecycle: UnboundedSender<Lifecycle>,
    /// The host goes down: nothing is started any more.
    pub(crate) going_down: AtomicBool,
}

impl Context {
    /// Tells listeners that something happened to a container.
    pub(crate) fn tell(&self, action: &str, name: &str) {
        self.tell_more(action, name, None);
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
