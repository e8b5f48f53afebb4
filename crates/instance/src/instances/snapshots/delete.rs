//! Delete a snapshot.

use crate::Error;
use crate::instances::owner::Owner;
use crate::journal::{self, Entry as Journal};
use crate::steps::Steps;
use model::names::SnapshotName;
use storage::Volume;

impl Owner {
    /// Removes it. What has been begun is finished at the next start-up.
    pub(in crate::instances) async fn delete_snapshot(&mut self, name: &SnapshotName) -> Result<(), Error> {
        self.entry().snapshot(name.as_str())?;
        let (context, container) = (self.context.clone(), self.record.name.clone());
        let pool = self.record.pool.clone();
        let volumes = context.pools.usable(&pool)?;
        let mut steps = Steps::new(&self.full_name(name.as_str()));
        let entry = Journal::DeleteSnapshot { name: container.clone(), snapshot: name.clone(), pool };
        let journal = steps.run("unsnapshot:journal", journal::begin(&context.store, entry)).await?;
        let volume = Volume::ContainerSnapshot(container.clone(), name.clone());
        let removed = async { Ok(volumes.delete_volume(&volume).await?) };
        steps.run("unsnapshot:volume", removed).await?;
        steps
            .run("unsnapshot:record", async {
                let (container, name) = (container.clone(), name.clone());
                let done = context.store.write(move |tx| {
                    store::snapshots::delete(tx, &container, &name)?;
                    store::journal::end(tx, journal)
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        self.change_snapshots(|list| list.retain(|snapshot| snapshot.name != *name));
        let mut details = serde_json::Map::new();
        let full_name = self.full_name(name.as_str());
        details.insert("snapshot_name".to_owned(), full_name.as_str().into());
        context.tell_more("container-snapshot-deleted", &full_name, Some(details));
        Ok(())
    }
}
