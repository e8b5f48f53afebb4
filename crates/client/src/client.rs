//! A daemon that can be talked to.

use crate::connection::{Pool, Tls};
use crate::{Address, Error};
use std::sync::Arc;
use transport::{Certificate, Dialer};

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
    /// A client that dials at its first request. A server across the network has to be one that the
    /// authorities of this system vouch for, and is shown no certificate.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self { pool: Pool::new(address, None) }
    }

    /// A client of a server across the network, to be dialled like this. `known` is the certificate
    /// that it is known by, if it is not known by name.
    #[must_use]
    pub fn over(dialer: Dialer, url: String, known: Option<Certificate>) -> Self {
        Self { pool: Pool::new(Address::Https(url), Some(Tls { dialer, known })) }
    }

    /// A client with one open connection.
    ///
    /// # Errors
    /// Nobody listens there, or it is not to be trusted.
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
