//! Snapshots of containers: what a container was, its files and its configuration.
//!
//! They belong to the container's owner task like everything that changes it; what there is of
//! them is in memory, so that looking at them reads nothing.

mod create;
mod delete;
mod expiry;
mod keep;
mod rename;
mod restore;
mod schedule;
pub(super) mod view;

pub(crate) use create::Wanted;
pub(super) use view::all;

use super::owner::Request;
use super::registry::Entry;
use super::stop::{Afterwards, stop};
use super::{Instances, allowed};
use crate::{Error, Work};
use api::instances::{Snapshot, SnapshotPut, SnapshotsPost};
use model::names::SnapshotName;
use model::state::Action;
use std::sync::Arc;
use store::snapshots::Snapshot as Record;

/// A container's snapshots, oldest first.
pub(crate) type Snapshots = Arc<Vec<Arc<Record>>>;

impl Entry {
    /// The snapshot of this name.
    pub(super) fn snapshot(&self, name: &str) -> Result<Arc<Record>, Error> {
        let found = self.snapshots().iter().find(|snapshot| snapshot.name == name).cloned();
        found.ok_or_else(|| Error::not_found("Snapshot", &format!("{}/{name}", self.view().name)))
    }
}

impl Instances {
    /// The snapshots of a container, oldest first.
    ///
    /// # Errors
    /// Not found.
    pub fn snapshots(&self, container: &str) -> Result<Vec<Snapshot>, Error> {
        Ok(view::all(&self.context, &*self.context.registry.get(container)?))
    }

    /// One snapshot.
    ///
    /// # Errors
    /// Not found.
    pub fn snapshot(&self, container: &str, name: &str) -> Result<Snapshot, Error> {
        let entry = self.context.registry.get(container)?;
        Ok(view::snapshot(&self.context, container, &*entry.snapshot(name)?))
    }

    /// Takes a snapshot.
    ///
    /// # Errors
    /// Not found; the name is bad or taken; the state of processes was asked for.
    pub fn take_snapshot(&self, container: &str, post: &SnapshotsPost) -> Result<Work, Error> {
        let entry = self.context.registry.get(container)?;
        if post.stateful {
            return Err(Error::Unsupported {
                subject: format!("A stateful snapshot of the container {container:?}"),
                feature: "saving the state of processes",
                hint: "leave \"stateful\" out to keep files and configuration",
            });
        }
        allowed(&entry, Action::Snapshot)?;
        let name = match post.name.as_str() {
            "" => None,
            name => Some(SnapshotName::parse(name)?),
        };
        if let Some(name) = &name {
            is_free(&entry, name)?;
        }
        let wanted = Wanted { name, expires_at: post.expires_at };
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::Snapshot { wanted, reply }).await?;
            Ok(None)
        })))
    }

    /// Says when a snapshot is removed.
    ///
    /// # Errors
    /// Not found.
    pub fn update_snapshot(&self, container: &str, name: &str, put: &SnapshotPut) -> Result<Work, Error> {
        let entry = self.context.registry.get(container)?;
        let name = entry.snapshot(name)?.name.clone();
        let expires_at = put.expires_at;
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::ExpireSnapshot { name, expires_at, reply }).await?;
            Ok(None)
        })))
    }

    /// Gives a snapshot another name.
    ///
    /// # Errors
    /// Not found; the new name is bad or taken.
    pub fn rename_snapshot(&self, container: &str, name: &str, new_name: &str) -> Result<Work, Error> {
        let entry = self.context.registry.get(container)?;
        let name = entry.snapshot(name)?.name.clone();
        let new = SnapshotName::parse(new_name)?;
        is_free(&entry, &new)?;
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::RenameSnapshot { name, new, reply }).await?;
            Ok(None)
        })))
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    /// Not found.
    pub fn delete_snapshot(&self, container: &str, name: &str) -> Result<Work, Error> {
        let entry = self.context.registry.get(container)?;
        let name = entry.snapshot(name)?.name.clone();
        Ok(self.context.explained(Box::pin(async move {
            entry.ask(|reply| Request::DeleteSnapshot { name, reply }).await?;
            Ok(None)
        })))
    }

    /// Makes a container what one of its snapshots is, with its name in front or not. What runs is
    /// stopped by force and started again.
    ///
    /// # Errors
    /// Not found; the state of processes was asked for; what the snapshot has cannot be had any more.
    pub fn restore(&self, container: &str, snapshot: &str, stateful: bool) -> Result<Work, Error> {
        let entry = self.context.registry.get(container)?;
        let own = snapshot.strip_prefix(container).and_then(|rest| rest.strip_prefix('/'));
        let name = entry.snapshot(own.unwrap_or(snapshot))?.name.clone();
        if stateful {
            return Err(Error::StatelessSnapshot { name: format!("{container}/{name}") });
        }
        restore::check(&self.context, &entry, &name)?;
        Ok(self.context.explained(Box::pin(async move {
            let alive = entry.live().is_some();
            if alive {
                stop(&entry, 0, true, Afterwards::Restart).await?;
            }
            let restored = entry.ask(|reply| Request::Restore { name, reply }).await;
            if alive {
                entry.ask(|reply| Request::Start { reply }).await?;
            }
            restored.map(|()| None)
        })))
    }

    /// A profile was renamed or is gone: snapshots that had it are read again.
    pub(crate) async fn reload_snapshots(&self, profile: &str) {
        for entry in self.context.registry.all() {
            let names =
                |snapshot: &Arc<Record>| snapshot.content.profiles.iter().any(|name| *name == profile);
            if entry.snapshots().iter().any(names) {
                entry.tell(Request::ReloadSnapshots).await;
            }
        }
    }
}

/// Refuses a name that another snapshot of the container has.
fn is_free(entry: &Entry, name: &SnapshotName) -> Result<(), Error> {
    if entry.snapshots().iter().all(|snapshot| snapshot.name != *name) {
        return Ok(());
    }
    Err(Error::Exists { what: "Snapshot", name: format!("{}/{name}", entry.view().name) })
}
