//! A changed configuration reaches the processes that already run.

use super::owner::Owner;
use crate::{Error, devices};
use api::Config;
use api::instances::Instance;

impl Owner {
    /// Makes a running container what its changed configuration says, as far as that can be changed
    /// while it runs. Each part compares what it answers for, and does nothing where nothing changed.
    ///
    /// # Errors
    /// A part could not follow; parts before it have.
    pub(super) async fn follow(&mut self, before: &Instance, after: &Instance) -> Result<(), Error> {
        if before.expanded_devices != after.expanded_devices {
            // An interface that stays as it is keeps its lease.
            let mut gone = before.clone();
            gone.expanded_devices.retain(|name, device| after.expanded_devices.get(name) != Some(device));
            self.context.networks.forget(&gone).await;
            self.follow_devices(before, after).await?;
            self.forget_interfaces(before, after).await?;
            // With the addresses that new ones were given just now.
            self.context.networks.announce(&self.entry().view()).await;
        }
        self.follow_size(before, after).await?;
        self.follow_modules(before, after).await?;
        self.follow_devlxd(before, after).await?;
        self.follow_limits(before, after).await?;
        self.follow_apparmor(before, after).await?;
        Ok(())
    }

    async fn follow_devices(&mut self, before: &Instance, after: &Instance) -> Result<(), Error> {
        // A stopped container gets its devices when it starts.
        let Some(live) = self.entry().live() else { return Ok(()) };
        let context = self.context.clone();
        let (name, config) = (self.name().to_owned(), self.record.config.clone());
        let mut running =
            devices::Running { context: &context, name: &name, live, config: &config, keys: Config::new() };
        let followed = devices::follow(&mut running, &before.expanded_devices, &after.expanded_devices).await;
        if !running.keys.is_empty() {
            self.save_keys(running.keys).await?;
        }
        self.context.hotplug.notify_one();
        followed
    }
}
