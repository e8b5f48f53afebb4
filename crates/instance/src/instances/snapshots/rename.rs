//! Another name for a snapshot.

use super::is_free;
use crate::Error;
use crate::instances::owner::Owner;
use crate::journal::{self, Entry as Journal};
use crate::steps::Steps;
use model::names::SnapshotName;
use std::sync::Arc;
use storage::Volume;

impl Owner {
    /// Moves the volume, then the record; the start-up finishes or undoes what was interrupted.
    pub(in crate::instances) async fn rename_snapshot(
        &mut self,
        name: &SnapshotName,
        new: &SnapshotName,
    ) -> Result<(), Error> {
        self.entry().snapshot(name.as_str())?;
        is_free(self.entry(), new)?;
        let (context, container) = (self.context.clone(), self.record.name.clone());
        let pool = self.record.pool.clone();
        let volumes = context.pools.usable(&pool)?;
        let mut steps = Steps::new(&self.full_name(name.as_str()));
        let (from, to) = (name.clone(), new.clone());
        let entry = Journal::RenameSnapshot { name: container.clone(), from, to, pool };
        let journal = steps.run("resnapshot:journal", journal::begin(&context.store, entry)).await?;
        steps.undo("resnapshot:journal", journal::give_up(context.store.clone(), journal));
        let at = |name: &SnapshotName| Volume::ContainerSnapshot(container.clone(), name.clone());
        let renamed = async { Ok(volumes.rename(&at(name), &at(new)).await?) };
        steps.run("resnapshot:volume", renamed).await?;
        let (undo, old, made) = (volumes.clone(), at(name), at(new));
        steps.undo("resnapshot:volume", async move {
            if let Err(error) = undo.rename(&made, &old).await {
                tracing::error!(volume = %old, error = &error as &dyn std::error::Error, "cannot give the snapshot its name back");
            }
        });
        steps
            .run("resnapshot:record", async {
                let (container, name, new) = (container.clone(), name.clone(), new.clone());
                let done = context.store.write(move |tx| {
                    store::snapshots::rename(tx, &container, &name, &new)?;
                    store::journal::end(tx, journal)
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        self.change_snapshots(|list| {
            for snapshot in list.iter_mut().filter(|snapshot| snapshot.name == *name) {
                Arc::make_mut(snapshot).name = new.clone();
            }
        });
        self.tell_snapshot("container-snapshot-renamed", name.as_str(), Some(new.as_str()));
        Ok(())
    }
}
