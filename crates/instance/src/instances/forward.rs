//! What a container forwards begins with it and ends with it.

use super::live::Live;
use super::owner::Owner;
use crate::Error;
use crate::devices::proxy;
use model::devices::parse_all;
use std::sync::Arc;

impl Owner {
    /// Makes the forwards of a container that runs those of its devices.
    pub(super) async fn forward(&self, live: &Arc<Live>) -> Result<(), Error> {
        let devices = parse_all(&self.expanded().devices)?;
        let forwards = proxy::forwards(&devices, live.idmap.as_ref()).await?;
        Ok(self.context.forwarder.set(self.name(), live, forwards).await?)
    }

    /// Ends them. The forwarder does so by itself as well when it sees the end of init.
    pub(super) async fn stop_forwarding(&self) {
        if let Err(error) = self.context.forwarder.end(self.name()).await {
            tracing::warn!(
                instance = self.name(),
                error = &error as &dyn std::error::Error,
                "cannot end what it forwards"
            );
        }
    }
}
