//! The size of a container's root, which may change while it runs.

use super::owner::Owner;
use crate::Error;
use api::Config;
use api::instances::Instance;
use storage::{Resized, Volume};

/// A size that could not be had while the container ran, for the next start.
pub(super) const KEY: &str = "volatile.apply_quota";

/// The size of the root device, as it is written.
fn size(view: &Instance) -> Option<&String> {
    let mut roots = view.expanded_devices.values().filter(|device| {
        device.get("type").is_some_and(|kind| kind == "disk")
            && device.get("path").is_some_and(|path| path == "/")
    });
    roots.next()?.get("size").filter(|size| !size.is_empty())
}

impl Owner {
    /// Gives the root its new size, or notes that it gets it when it is started again.
    pub(super) async fn follow_size(&mut self, before: &Instance, after: &Instance) -> Result<(), Error> {
        if size(before) == size(after) {
            return Ok(());
        }
        let volumes = self.context.pools.usable(&self.record.pool)?;
        let volume = Volume::Container(self.record.name.clone());
        let noted = match volumes.resize(&volume, &self.root_config()).await? {
            Resized::Now => String::new(),
            Resized::Later => "true".to_owned(),
        };
        if noted.is_empty() && !self.record.config.contains_key(KEY) {
            return Ok(());
        }
        self.save_keys(Config::from([(KEY.to_owned(), noted)])).await
    }

    /// Before a start: the size that could not be had when it was asked for.
    pub(super) async fn apply_size(&mut self) -> Result<(), Error> {
        if !self.record.config.contains_key(KEY) {
            return Ok(());
        }
        let volumes = self.context.pools.usable(&self.record.pool)?;
        let volume = Volume::Container(self.record.name.clone());
        volumes.resize(&volume, &self.root_config()).await?;
        self.save_keys(Config::from([(KEY.to_owned(), String::new())])).await
    }
}
