//! Delete: a stopped container with its files and logs.

use super::owner::Owner;
use crate::Error;
use crate::journal::{self, Entry as Journal};
use crate::steps::Steps;
use api::instances::Instance;
use model::config::{get, is_true};

/// Refuses to remove what its owner has protected.
pub(super) fn unprotected(view: &Instance) -> Result<(), Error> {
    if get(&view.expanded_config, "security.protection.delete").is_some_and(is_true) {
        return Err(Error::Protected { name: view.name.clone() });
    }
    Ok(())
}

impl Owner {
    /// Removes it. What has been begun is finished at the next start-up if the daemon dies on the
    /// way: a container that is half gone is of no use to anybody.
    pub(super) async fn delete(&mut self) -> Result<(), Error> {
        unprotected(&self.entry().view())?;
        let (context, name) = (self.context.clone(), self.record.name.clone());
        let pool = self.record.pool.clone();
        let mut steps = Steps::new(name.as_str());
        // Its file server has the volume mounted.
        self.entry().set_live(None);
        let entry = Journal::Delete { name: name.clone(), pool: pool.clone() };
        let journal = steps.run("delete:journal", journal::begin(&context.store, entry)).await?;
        steps.run("delete:volume", context.pools.remove_container(&pool, &name)).await?;
        steps
            .run("delete:record", async {
                let name = name.clone();
                let done = context.store.write(move |tx| {
                    store::instances::delete(tx, &name)?;
                    store::journal::end(tx, journal)?;
                    Ok(())
                });
                Ok(done.await?)
            })
            .await?;
        self.tear_down_door().await;
        crate::steps::crash_at("delete:logs");
        context.apparmor.remove(name.as_str()).await;
        let logs = context.var.log_dir(name.as_str());
        if let Err(error) = tokio::fs::remove_dir_all(&logs).await
            && error.kind() != std::io::ErrorKind::NotFound
        {
            tracing::warn!(instance = %name, %error, "cannot remove the logs");
        }
        steps.keep();
        self.gone = true;
        context.registry.remove(name.as_str());
        context.networks.forget(&self.entry().view()).await;
        context.tell("container-deleted", name.as_str());
        Ok(())
    }
}
