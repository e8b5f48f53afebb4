//! The server's own configuration and what it runs on.

use crate::Error;
use api::server::{Environment, ServerPut};
use std::collections::BTreeMap;

/// Configuration and environment. Cheap to clone.
#[derive(Clone)]
pub struct Server {}

#[allow(clippy::unused_async)]
impl Server {
    /// Keys that are set, as clients see them.
    #[must_use]
    pub fn config(&self) -> BTreeMap<String, serde_json::Value> {
        unimplemented!()
    }

    /// What the server is and runs on; the daemon adds addresses, version and certificate.
    #[must_use]
    pub fn environment(&self) -> Environment {
        unimplemented!()
    }

    /// Sets keys: all of them (`replace`), or the given ones.
    ///
    /// # Errors
    /// Unknown keys and bad values; nothing is changed then.
    pub async fn update(&self, put: ServerPut, replace: bool) -> Result<(), Error> {
        let _ = (put, replace);
        unimplemented!()
    }
}
