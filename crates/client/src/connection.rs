//! Connections: dialling, keep-alive, and lending them out.

use crate::{Address, Body, Error};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UnixStream;

/// How many idle connections are kept.
const IDLE: usize = 16;
/// Largest piece of an answer held in memory at once, in bytes.
const READ_BUFFER: usize = 512 * 1024;

/// The byte stream under HTTP and websockets. A network remote adds a TLS variant here.
pub(crate) type Stream = UnixStream;

/// Opens a stream to the address.
pub(crate) async fn dial(address: &Address) -> Result<Stream, Error> {
    match address {
        Address::Unix(path) => UnixStream::connect(path)
            .await
            .map_err(|source| Error::Connect { address: address.clone(), source }),
        Address::Https(url) => Err(Error::HttpsUnsupported { url: url.clone() }),
    }
}

/// Idle connections to one address.
#[derive(Debug)]
pub(crate) struct Pool {
    address: Address,
    idle: Mutex<Vec<SendRequest<Body>>>,
}

/// A connection on loan; it goes back to the pool when its answer was read to the end.
#[derive(Debug)]
pub(crate) struct Lease {
    pool: Arc<Pool>,
    sender: SendRequest<Body>,
}

impl Lease {
    /// Gives the connection back for the next request.
    pub(crate) fn give_back(self) {
        if self.sender.is_closed() {
            return;
        }
        let mut idle = self.pool.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE {
            idle.push(self.sender);
        }
    }
}

impl Pool {
    pub(crate) fn new(address: Address) -> Arc<Self> {
        Arc::new(Self { address, idle: Mutex::new(Vec::new()) })
    }

    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    /// Opens one connection ahead of the first request.
    pub(crate) async fn warm(self: &Arc<Self>) -> Result<(), Error> {
        let sender = self.open().await?;
        Lease { pool: Arc::clone(self), sender }.give_back();
        Ok(())
    }

    /// Sends a request and returns its answer with the connection it came on.
    ///
    /// A kept connection that the daemon closed meanwhile is replaced by a new one; hyper hands
    /// the request back exactly when nothing of it was sent.
    pub(crate) async fn send(
        self: &Arc<Self>,
        mut request: Request<Body>,
    ) -> Result<(Response<Incoming>, Lease), Error> {
        loop {
            let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            let fresh = kept.is_none();
            let mut sender = match kept {
                Some(sender) => sender,
                None => self.open().await?,
            };
            let (method, path) = (request.method().clone(), request.uri().to_string());
            // The connection task may not have noticed yet that the last answer is complete.
            let ready = sender.ready().await;
            if let Err(source) = ready {
                if fresh {
                    return Err(Error::Exchange { method, path, source });
                }
                continue;
            }
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((response, Lease { pool: Arc::clone(self), sender })),
                Err(mut failure) => match failure.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    _ => return Err(Error::Exchange { method, path, source: failure.into_error() }),
                },
            }
        }
    }

    async fn open(&self) -> Result<SendRequest<Body>, Error> {
        let stream = dial(&self.address).await?;
        let (sender, connection) =
            http1::Builder::new().max_buf_size(READ_BUFFER).handshake(TokioIo::new(stream)).await.map_err(
                |source| Error::Exchange {
                    method: http::Method::GET,
                    path: self.address.to_string(),
                    source,
                },
            )?;
        tokio::spawn(async move {
            // A broken connection is reported to whoever waits for an answer on it.
            let _ = connection.with_upgrades().await;
        });
        Ok(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Client;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    const BODY: &str = r#"{"type":"sync","metadata":{"auth":"trusted"}}"#;

    /// Serves `per_connection` requests on each of `connections` connections, then closes it.
    fn serve(
        listener: UnixListener,
        connections: usize,
        per_connection: usize,
    ) -> std::thread::JoinHandle<()> {
        std::thread::spawn(move || {
            for _ in 0..connections {
                let (mut stream, _) = listener.accept().unwrap();
                for _ in 0..per_connection {
                    let mut seen = Vec::new();
                    while !seen.ends_with(b"\r\n\r\n") {
                        let mut byte = [0];
                        stream.read_exact(&mut byte).unwrap();
                        seen.push(byte[0]);
                    }
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", BODY.len());
                    stream.write_all(head.as_bytes()).unwrap();
                    stream.write_all(BODY.as_bytes()).unwrap();
                }
            }
        })
    }

    #[tokio::test]
    async fn connections_are_kept_and_replaced_when_the_daemon_closed_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("s");
        let server = serve(UnixListener::bind(&path).unwrap(), 2, 2);
        let client = Client::connect(Address::Unix(path)).await.unwrap();
        for _ in 0..4 {
            assert_eq!(client.server().await.unwrap().value.auth, "trusted");
        }
        server.join().unwrap();
    }

    #[tokio::test]
    async fn nobody_listening_and_https_are_told_apart() {
        let dir = tempfile::tempdir().unwrap();
        let error = Client::connect(Address::Unix(dir.path().join("none"))).await.unwrap_err();
        assert!(error.to_string().contains("is it running"), "{error}");
        let error = Client::connect(Address::Https("https://h:8443".into())).await.unwrap_err();
        assert!(matches!(error, Error::HttpsUnsupported { .. }));
    }
}
