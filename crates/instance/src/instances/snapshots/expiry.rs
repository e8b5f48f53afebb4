//! When a snapshot is removed.

use crate::Error;
use crate::instances::owner::Owner;
use api::Time;
use model::names::SnapshotName;
use std::sync::Arc;

impl Owner {
    /// Says when a snapshot is removed; unset: never.
    pub(in crate::instances) async fn expire_snapshot(
        &mut self,
        name: &SnapshotName,
        expires_at: Time,
    ) -> Result<(), Error> {
        let (container, of) = (self.record.name.clone(), name.clone());
        let write = move |tx: &store::Tx<'_>| store::snapshots::set_expiry(tx, &container, &of, expires_at);
        self.context.store.write(write).await?;
        self.change_snapshots(|list| {
            for snapshot in list.iter_mut().filter(|snapshot| snapshot.name == *name) {
                Arc::make_mut(snapshot).expires_at = expires_at;
            }
        });
        Ok(())
    }
}
