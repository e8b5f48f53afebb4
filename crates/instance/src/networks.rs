//! Networks: managed bridges and the host's interfaces.

use crate::Error;
use api::networks::{Lease, Network, NetworksPost};

/// All networks. Cheap to clone.
#[derive(Clone)]
pub struct Networks {}

#[allow(clippy::unused_async)]
impl Networks {
    /// Managed networks and interfaces of the host, by name.
    ///
    /// # Errors
    /// The kernel does not answer.
    pub async fn list(&self) -> Result<Vec<Network>, Error> {
        unimplemented!()
    }

    /// One of them.
    ///
    /// # Errors
    /// Not found.
    pub async fn get(&self, name: &str) -> Result<Network, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Makes a bridge and brings it up.
    ///
    /// # Errors
    /// The name is bad or taken; anything wrong with its configuration; it does not come up.
    pub async fn create(&self, post: NetworksPost) -> Result<(), Error> {
        let _ = post;
        unimplemented!()
    }

    /// Changes a bridge's configuration: `replace` takes the keys as all there is.
    ///
    /// # Errors
    /// Not found or not managed; anything wrong with the configuration.
    pub async fn update(&self, name: &str, post: NetworksPost, replace: bool) -> Result<(), Error> {
        let _ = (name, post, replace);
        unimplemented!()
    }

    /// Takes a bridge down and forgets it.
    ///
    /// # Errors
    /// Not found or not managed; in use.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        unimplemented!()
    }

    /// Addresses that a bridge gave out.
    ///
    /// # Errors
    /// Not found or not managed.
    pub async fn leases(&self, name: &str) -> Result<Vec<Lease>, Error> {
        let _ = name;
        unimplemented!()
    }
}
