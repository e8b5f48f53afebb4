//! Rename: another name for a stopped container.

use super::owner::Owner;
use crate::Error;
use crate::journal::{self, Entry as Journal};
use crate::steps::Steps;
use model::names::InstanceName;

impl Owner {
    /// Moves the volume, then the record; the start-up finishes or undoes what was interrupted.
    pub(super) async fn rename(&mut self, new: InstanceName) -> Result<(), Error> {
        let (context, old) = (self.context.clone(), self.record.name.clone());
        let pool = self.record.pool.clone();
        let reservation = context.registry.reserve(new.as_str())?;
        let mut steps = Steps::new(old.as_str());
        self.entry().set_live(None);
        let entry = Journal::Rename { from: old.clone(), to: new.clone(), pool: pool.clone() };
        let journal = steps.run("rename:journal", journal::begin(&context.store, entry)).await?;
        steps.undo("rename:journal", journal::give_up(context.store.clone(), journal));
        steps.run("rename:volume", context.pools.rename_container(&pool, &old, &new)).await?;
        let back = (context.clone(), pool.clone(), old.clone(), new.clone());
        steps.undo("rename:volume", async move {
            let (context, pool, old, new) = back;
            if let Err(error) = context.pools.rename_container(&pool, &new, &old).await {
                tracing::error!(instance = %old, error = %error.story(), "cannot give the volume its name back");
            }
        });
        steps
            .run("rename:record", async {
                let (from, to) = (old.clone(), new.clone());
                let done = context.store.write(move |tx| {
                    store::instances::rename(tx, &from, &to)?;
                    store::journal::end(tx, journal)?;
                    Ok(())
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        let _ = tokio::fs::rename(context.var.log_dir(old.as_str()), context.var.log_dir(new.as_str())).await;
        context.apparmor.remove(old.as_str()).await;
        let before = self.entry().view();
        self.record.name = new.clone();
        self.unsaved = true;
        context.registry.remove(old.as_str());
        context.registry.insert(new.as_str(), self.entry().clone());
        drop(reservation);
        self.refresh_view();
        self.expect_templates("rename").await;
        context.networks.forget(&before).await;
        context.networks.announce(&self.entry().view()).await;
        let mut details = serde_json::Map::new();
        details.insert("new_name".to_owned(), new.as_str().into());
        context.tell_more("container-renamed", old.as_str(), Some(details));
        Ok(())
    }
}
