//! Networks.

use crate::{Client, Error, encode_segment};
use api::networks::{Lease, Network};

impl Client {
    /// Managed networks and the host's interfaces.
    ///
    /// # Errors
    /// As for every request.
    pub async fn networks(&self) -> Result<Vec<Network>, Error> {
        self.get("/1.0/networks?recursion=1").await
    }

    /// One network.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn network(&self, name: &str) -> Result<Network, Error> {
        self.get(&format!("/1.0/networks/{}", encode_segment(name))).await
    }

    /// Addresses given out on a managed network.
    ///
    /// # Errors
    /// 404 unknown or not managed.
    pub async fn leases(&self, name: &str) -> Result<Vec<Lease>, Error> {
        self.get(&format!("/1.0/networks/{}/leases", encode_segment(name))).await
    }

    /// Addresses and counters of an interface.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn network_state(&self, name: &str) -> Result<api::state::Network, Error> {
        self.get(&format!("/1.0/networks/{}/state", encode_segment(name))).await
    }
}
