//! `/dev/lxd`: a running container's door to the daemon, there or not as `security.devlxd` says.
//!
//! The directory is mounted in every container; what the key switches is the socket in it. That
//! works while the container runs without entering it, and what is walled up is gone for those who
//! had it open as well.

use super::live::Live;
use super::owner::Owner;
use super::registry::Entry;
use crate::Error;
use crate::guest::{Guest, Home, READY_KEY, door};
use api::Config;
use api::instances::Instance;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, PoisonError};

const KEY: &str = "security.devlxd";

fn wanted(view: &Instance) -> bool {
    model::config::get(&view.expanded_config, KEY).is_none_or(model::config::is_true)
}

impl Owner {
    /// Makes what is mounted, with a socket in it if there is to be one. Callers wait at it until
    /// it is opened, so it can be there before the first program runs.
    pub(super) async fn build_door(&self) -> Result<Option<UnixListener>, Error> {
        let (var, name, wanted) =
            (self.context.var.clone(), self.name().to_owned(), wanted(&self.entry().view()));
        let build = move || match wanted {
            true => door::build(&var, &name).map(Some),
            false => door::prepare(&var, &name).and_then(|()| door::wall_up(&var, &name)).map(|()| None),
        };
        tokio::task::spawn_blocking(build).await.map_err(|_| Error::Shutdown)?
    }

    /// Lets callers in.
    pub(super) fn open_door(&self, live: &Live, listener: UnixListener) -> Result<(), Error> {
        // Its first process has ended already: so will what was begun for it.
        let Ok(home) = Home::of(live.pid, live.pidfd.as_fd(), live.idmap.as_ref()) else { return Ok(()) };
        let guest = Guest::new(self.entry().clone(), home);
        let (door, open) = door::open(guest, listener)?;
        *live.door.lock().unwrap_or_else(PoisonError::into_inner) = Some(open);
        // Nobody serves doors any more once the daemon is on its way down.
        let _ = self.context.doors.send(door);
        Ok(())
    }

    /// The door of a container that an earlier daemon started. It can do without.
    pub(super) async fn reopen_door(&self, live: &Live) {
        let opened = async {
            match self.build_door().await? {
                Some(listener) => self.open_door(live, listener),
                None => Ok(()),
            }
        };
        if let Err(error) = opened.await {
            tracing::warn!(instance = self.name(), error = %error.story(), "it has no /dev/lxd");
        }
    }

    /// Opens or walls up the door of a running container when the key has changed.
    pub(super) async fn follow_devlxd(&self, before: &Instance, after: &Instance) -> Result<(), Error> {
        let Some(live) = self.entry().live().filter(|_| wanted(before) != wanted(after)) else {
            return Ok(());
        };
        *live.door.lock().unwrap_or_else(PoisonError::into_inner) = None;
        match self.build_door().await? {
            Some(listener) => self.open_door(&live, listener),
            None => Ok(()),
        }
    }

    /// Removes what was mounted, after the container has ended.
    pub(super) fn tear_down_door(&self) -> impl Future<Output = ()> + Send + use<> {
        let (var, name) = (self.context.var.clone(), self.name().to_owned());
        async move {
            // The next start makes it anew whatever is left.
            let _ = tokio::task::spawn_blocking(move || door::tear_down(&var, &name)).await;
        }
    }

    /// Keeps what the container says of itself.
    pub(super) async fn record_ready(&mut self, ready: bool) -> Result<(), Error> {
        if self.entry().live().is_none() {
            return Err(Error::Gone { name: self.name().to_owned() });
        }
        let value = if ready { "true" } else { "" };
        self.save_keys(Config::from([(READY_KEY.to_owned(), value.to_owned())])).await?;
        if ready {
            self.context.tell("container-ready", self.name());
        }
        Ok(())
    }
}

/// Tells those inside who listen what has changed.
pub(super) fn tell(entry: &Arc<Entry>, before: &Instance, after: &Instance) {
    entry.guests.tell(crate::guest::news(before, after));
}
