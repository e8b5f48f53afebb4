//! Removing logical volumes, also those that somebody still uses.

use super::{Lvm, unique};
use crate::block;
use crate::error::Error;
use crate::volume::Volume;
use std::time::Duration;
use tools::RunError;
use tools::lvm::{Logical, Lvm as Tool};

/// How often and how long a volume is waited for that is still used after it was deleted.
const TRIES: u32 = 60;
const PAUSE: Duration = Duration::from_secs(1);

impl Lvm {
    /// The snapshots first: a volume without them is still a volume, they are nothing without it.
    pub(super) async fn remove_volume(&self, volume: &Volume) -> Result<bool, Error> {
        let tool = self.tool().await?;
        let name = self.name(volume)?.name;
        if let Volume::Image(fingerprint) = volume {
            self.known().images.remove(fingerprint);
        }
        let list = self.list(&tool).await?;
        let mut gone: Vec<Volume> = Self::snapshots_in(&list, volume);
        gone.push(volume.clone());
        let mut names = Vec::new();
        for volume in &gone {
            block::unmount(&self.paths.volume(volume)).await?;
            let name = self.name(volume)?.name;
            names.extend([Self::view(&name), name]);
        }
        names.retain(|name| list.iter().any(|found| found.name == *name));
        let found = names.contains(&name);
        self.remove_named(&tool, names).await?;
        self.remove_hidden(&tool).await?;
        for volume in &gone {
            self.remove_mount_point(volume).await?;
        }
        Ok(found)
    }

    /// Removes logical volumes; one that is still used gets another name, and goes when nobody uses it.
    pub(super) async fn remove_named(&self, tool: &Tool, names: Vec<String>) -> Result<(), Error> {
        let error = match tool.remove(&self.group, &names).await {
            Ok(()) => return Ok(()),
            Err(error @ RunError::Failed { .. }) => error,
            Err(error) => return Err(error.into()),
        };
        let list = self.list(tool).await?;
        let left: Vec<_> =
            names.into_iter().filter(|name| list.iter().any(|found| found.name == *name)).collect();
        if left.is_empty() {
            return Ok(());
        }
        let mut trash = Vec::new();
        for name in left {
            let other = format!("trash_{}", unique());
            if tool.rename(&self.group, &name, &other).await.is_err() {
                return Err(error.into());
            }
            trash.push(other);
        }
        tracing::debug!(pool = %self.pool, error = &error as &dyn std::error::Error, "deleted volumes are still used");
        self.remove_later(tool, trash, PAUSE);
        Ok(())
    }

    /// Removes logical volumes in the background, the first time after `pause`.
    pub(super) fn remove_later(&self, tool: &Tool, names: Vec<String>, mut pause: Duration) {
        let (tool, group, pool) = (tool.clone(), self.group.clone(), self.pool.clone());
        let removal = tokio::spawn(async move {
            for _ in 0..TRIES {
                tokio::time::sleep(std::mem::replace(&mut pause, PAUSE)).await;
                match tool.remove(&group, &names).await {
                    Ok(()) => return,
                    Err(error) => tracing::debug!(%pool, %error, "a deleted volume is still used"),
                }
                // The pool may be gone, and these with it.
                match tool.volumes(&group).await {
                    Ok(Some(list)) if list.iter().any(|found| names.contains(&found.name)) => {}
                    Ok(_) => return,
                    Err(error) => tracing::debug!(%pool, %error, "cannot look at the volume group"),
                }
            }
            tracing::warn!(%pool, ?names, "deleted volumes are still used; the next start removes them");
        });
        let mut known = self.known();
        known.removals.retain(|removal| !removal.is_finished());
        known.removals.push(removal);
    }

    pub(super) async fn wait_for_removals(&self) -> Result<(), Error> {
        tools::lvm::settle().await;
        let removals = std::mem::take(&mut self.known().removals);
        for removal in removals {
            removal.await.map_err(|_| Error::ShuttingDown)?;
        }
        Ok(())
    }

    /// Removes a volume in the making with its snapshots.
    pub(super) async fn remove_with_prefix(&self, tool: &Tool, name: &str) -> Result<(), Error> {
        let prefix = format!("{name}-");
        let list = self.list(tool).await?;
        let found = |own: &Logical| own.name.starts_with(&prefix);
        let mut names: Vec<String> =
            list.iter().filter(|own| found(own)).map(|own| own.name.clone()).collect();
        names.extend(list.iter().filter(|own| own.name == name).map(|own| own.name.clone()));
        self.remove_named(tool, names).await
    }

    /// Without a thin pool: former contents of volumes that no snapshot needs any more.
    pub(super) async fn remove_hidden(&self, tool: &Tool) -> Result<Vec<String>, Error> {
        if self.thin.is_some() {
            return Ok(Vec::new());
        }
        let list = self.list(tool).await?;
        let needed = |name: &str| list.iter().any(|other| other.origin == name);
        let unneeded = list.iter().filter(|own| own.name.starts_with("hidden_") && !needed(&own.name));
        let names: Vec<String> = unneeded.map(|own| own.name.clone()).collect();
        if !names.is_empty() {
            self.remove_named(tool, names.clone()).await?;
        }
        Ok(names)
    }
}
