//! A changed configuration reaches the processes that already run.

use super::owner::Owner;
use crate::Error;
use api::instances::Instance;

impl Owner {
    /// Makes a running container what its changed configuration says, as far as that can be changed
    /// while it runs. Each part compares what it answers for, and does nothing where nothing changed.
    ///
    /// # Errors
    /// A part could not follow; parts before it have.
    pub(super) async fn follow(&mut self, before: &Instance, after: &Instance) -> Result<(), Error> {
        if before.expanded_devices != after.expanded_devices {
            self.context.networks.forget(before).await;
            self.context.networks.announce(after).await;
        }
        Ok(())
    }
}
