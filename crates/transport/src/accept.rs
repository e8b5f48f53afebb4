//! Connections of others, with TLS.

use crate::{Certificate, Identity, server};
use std::io;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

/// Makes encrypted streams of connections. Cheap to clone.
#[derive(Clone)]
pub struct Acceptor(TlsAcceptor);

/// A client whose handshake is done.
#[derive(Debug)]
pub struct Client {
    /// To and from it.
    pub stream: Box<tokio_rustls::server::TlsStream<TcpStream>>,
    /// The certificate whose key it holds, and what it shows to prove that one; empty without any.
    pub chain: Vec<Certificate>,
}

impl Acceptor {
    /// For a server of this identity.
    ///
    /// # Errors
    /// The certificate does not go with its key.
    pub fn new(identity: &Identity) -> Result<Self, rustls::Error> {
        Ok(Self(TlsAcceptor::from(Arc::new(server::config(identity)?))))
    }

    /// Shakes hands. It is for the caller to set a deadline.
    ///
    /// # Errors
    /// The client does not speak TLS as it is spoken here, leaves, or shows what is no certificate.
    pub async fn accept(&self, tcp: TcpStream) -> io::Result<Client> {
        let stream = Box::new(self.0.accept(tcp).await?);
        let shown = stream.get_ref().1.peer_certificates().unwrap_or_default();
        let chain = shown.iter().map(|der| Certificate::from_der(der.to_vec())).collect::<Result<_, _>>();
        Ok(Client { chain: chain.map_err(io::Error::other)?, stream })
    }
}
