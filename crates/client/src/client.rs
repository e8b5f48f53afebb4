//! A daemon that can be talked to.

use crate::{Address, Error, connection::Pool};
use std::sync::Arc;

/// A daemon that can be talked to. Clones share their idle connections.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) pool: Arc<Pool>,
}

/// An object with the ETag that a later change may be bound to.
#[derive(Clone, Debug)]
pub struct Tagged<T> {
    /// The object.
    pub value: T,
    /// Its ETag, if the daemon gave one.
    pub etag: Option<String>,
}

impl Client {
    /// A client that dials at its first request.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { pool: Pool::new(address) }
    }

    /// A client with one open connection.
    ///
    /// # Errors
    /// Nobody listens there, or the address needs TLS.
    pub async fn connect(address: Address) -> Result<Self, Error> {
        let client = Self::new(address);
        client.pool.warm().await?;
        Ok(client)
    }

    /// Where this client dials.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.pool.address()
    }
}
