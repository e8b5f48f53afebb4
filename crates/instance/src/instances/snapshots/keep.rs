//! The list of snapshots in memory.

use crate::Error;
use crate::instances::owner::Owner;
use std::sync::Arc;
use store::snapshots::Snapshot as Record;

impl Owner {
    /// Changes the list that everybody sees.
    pub(in crate::instances) fn change_snapshots(&mut self, change: impl FnOnce(&mut Vec<Arc<Record>>)) {
        let mut list = Vec::clone(&self.entry().snapshots());
        change(&mut list);
        self.entry().set_snapshots(list);
        self.unsaved = true;
    }

    /// With the container's name, as events and journal have it.
    pub(super) fn full_name(&self, snapshot: &str) -> String {
        format!("{}/{snapshot}", self.name())
    }

    /// Tells listeners that something happened to a snapshot.
    pub(super) fn tell_snapshot(&self, action: &str, snapshot: &str, new_name: Option<&str>) {
        let mut details = serde_json::Map::new();
        details.insert("snapshot_name".to_owned(), self.full_name(snapshot).into());
        if let Some(new) = new_name {
            details.insert("new_name".to_owned(), self.full_name(new).into());
        }
        self.context.tell_more(action, self.name(), Some(details));
    }

    /// Reads the list again.
    pub(in crate::instances) async fn reload_snapshots(&mut self) {
        let id = self.record.id;
        let read = self.context.store.read(store::snapshots::list).await.map_err(Error::from);
        match read {
            Ok(mut all) => {
                let list = all.remove(&id).unwrap_or_default();
                self.change_snapshots(|old| *old = list.into_iter().map(Arc::new).collect());
            }
            Err(error) => {
                tracing::error!(instance = self.name(), error = %error.story(), "cannot read the snapshots");
            }
        }
    }
}
