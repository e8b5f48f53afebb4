//! What a container may see of itself, at `/dev/lxd/sock` inside.
//!
//! Each running container has a directory of its own with a listening socket of its own in it
//! ([`door`]), and that directory alone is mounted at `/dev/lxd`: which container asks is known by
//! the door that was used, and nothing that a caller does to its process, control groups or
//! namespaces can make it another one. Who asks (the container's own root, not one of a container
//! inside) is seen from the credentials that the kernel kept of the connection ([`caller`]).
//!
//! `lxd` serves HTTP on the [`Door`]s that it is handed.

mod caller;
pub(crate) mod door;
mod news;

pub(crate) use caller::Home;
pub(crate) use door::OpenDoor;
pub(crate) use news::{Listeners, news};

use crate::Error;
use crate::instances::{Entry, Request};
use api::guest::{About, AboutPatch, Event, READY, STARTED};
use api::{Config, Devices};
use std::sync::Arc;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, watch};

/// Says that the processes of a container have reported to be up.
pub(crate) const READY_KEY: &str = "volatile.last_state.ready";

/// A container's socket, to be served until `closed` ends.
pub struct Door {
    /// What is behind it.
    pub guest: Guest,
    /// Where callers come in.
    pub listener: UnixListener,
    /// Ends (as an error) when the door is closed; whoever is inside has to go then.
    pub closed: watch::Receiver<()>,
}

/// One container as it sees itself, for as long as its door is open. Cheap to clone.
#[derive(Clone)]
pub struct Guest {
    entry: Arc<Entry>,
    home: Arc<Home>,
}

/// Why a key is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoValue {
    /// Not for containers to know, whether it is set or not.
    Forbidden,
    /// Not set.
    Unset,
}

/// The keys that containers can read.
pub(crate) fn is_shown(key: &str) -> bool {
    key.starts_with("user.") || key.starts_with("cloud-init.")
}

impl Guest {
    pub(crate) fn new(entry: Arc<Entry>, home: Home) -> Self {
        Self { entry, home: Arc::new(home) }
    }

    /// Whether the caller at the other end is root of this very container.
    #[must_use]
    pub fn admits(&self, caller: &UnixStream) -> bool {
        self.home.is_root(caller)
    }

    /// `/1.0`.
    #[must_use]
    pub fn about(&self) -> About {
        let ready = self.entry.view().config.get(READY_KEY).is_some_and(|v| model::config::is_true(v));
        About {
            api_version: "1.0".to_owned(),
            location: "none".to_owned(),
            instance_type: "container".to_owned(),
            state: if ready { READY } else { STARTED }.to_owned(),
        }
    }

    /// Keeps what the container says of itself.
    ///
    /// # Errors
    /// No such state; the container is busy or gone.
    pub async fn patch(&self, patch: AboutPatch) -> Result<(), Error> {
        let ready = match patch.state.as_str() {
            READY => true,
            STARTED => false,
            _ => {
                return Err(Error::Unknown { field: "state", value: patch.state, allowed: "Ready, Started" });
            }
        };
        self.entry.ask(|reply| Request::Ready { ready, reply }).await
    }

    /// `/1.0/config`: the keys that can be read.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        let view = self.entry.view();
        let set = view.expanded_config.iter().filter(|(key, value)| is_shown(key) && !value.is_empty());
        set.map(|(key, _)| key.clone()).collect()
    }

    /// The value of a key.
    ///
    /// # Errors
    /// There is none to be shown.
    pub fn value(&self, key: &str) -> Result<String, NoValue> {
        if !is_shown(key) {
            return Err(NoValue::Forbidden);
        }
        let view = self.entry.view();
        model::config::get(&view.expanded_config, key).map(ToOwned::to_owned).ok_or(NoValue::Unset)
    }

    /// `/1.0/meta-data`, as cloud-init reads it.
    #[must_use]
    pub fn meta_data(&self) -> String {
        let view = self.entry.view();
        meta_data(&view.name, &view.expanded_config)
    }

    /// `/1.0/devices`: with the addresses that were made up for interfaces.
    #[must_use]
    pub fn devices(&self) -> Devices {
        let view = self.entry.view();
        let mut devices = view.expanded_devices.clone();
        for (name, device) in &mut devices {
            if device.get("type").is_some_and(|kind| kind == "nic")
                && let Some(made) = view.config.get(&format!("volatile.{name}.hwaddr"))
            {
                device.entry("hwaddr".to_owned()).or_insert_with(|| made.clone());
            }
        }
        devices
    }

    /// Listens to what changes, from now on. Who is too slow is cut off.
    #[must_use]
    pub fn listen(&self) -> mpsc::Receiver<Arc<Event>> {
        self.entry.guests.add()
    }
}

fn meta_data(name: &str, config: &Config) -> String {
    let own = config.get("user.meta-data").map_or("", String::as_str);
    format!("#cloud-config\ninstance-id: {name}\nlocal-hostname: {name}\n{own}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_meta_data_comes_after_the_names() {
        let config = Config::from([("user.meta-data".to_owned(), "key: value\n".to_owned())]);
        let text = meta_data("web", &config);
        assert_eq!(text, "#cloud-config\ninstance-id: web\nlocal-hostname: web\nkey: value\n");
    }

    #[test]
    fn only_what_is_meant_for_containers_is_shown() {
        assert!(is_shown("user.x") && is_shown("cloud-init.user-data"));
        assert!(!is_shown("limits.cpu") && !is_shown("volatile.user.x") && !is_shown("userx"));
    }
}
