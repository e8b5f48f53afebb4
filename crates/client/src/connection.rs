//! Connections: dialling, keep-alive, and lending them out.

use crate::{Address, Body, Error};
use http::{HeaderValue, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::net::UnixStream;
use transport::proxy::Proxies;
use transport::{Certificate, Dialer, Trust};

/// How many idle connections are kept.
const IDLE: usize = 16;
/// Largest piece of an answer held in memory at once, in bytes.
const READ_BUFFER: usize = 512 * 1024;

/// The byte stream under HTTP and websockets.
pub(crate) type Stream = transport::Stream;

/// How a server across the network is reached.
#[derive(Debug)]
pub(crate) struct Tls {
    pub(crate) dialer: Dialer,
    /// Its certificate, where it is known by that.
    pub(crate) known: Option<Certificate>,
}

/// Idle connections to one address.
#[derive(Debug)]
pub(crate) struct Pool {
    address: Address,
    tls: Option<Tls>,
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
    pub(crate) fn new(address: Address, tls: Option<Tls>) -> Arc<Self> {
        Arc::new(Self { address, tls, idle: Mutex::new(Vec::new()) })
    }

    /// Opens a stream to the server.
    pub(crate) async fn dial(&self) -> Result<Stream, Error> {
        match &self.address {
            Address::Unix(path) => UnixStream::connect(path)
                .await
                .map(Stream::Unix)
                .map_err(|source| Error::Connect { address: self.address.clone(), source }),
            Address::Https(url) => {
                let uri: Uri =
                    url.parse().map_err(|_| Error::Dial(transport::dial::DialError::Url(url.clone())))?;
                match &self.tls {
                    Some(tls) => Ok(tls.dialer.dial(&uri).await?),
                    None => {
                        let proxies = Proxies::from_environment();
                        Ok(Dialer::new(&Trust::System, None, proxies)?.dial(&uri).await?)
                    }
                }
            }
        }
    }

    /// The certificate that the server is known by.
    pub(crate) fn known(&self) -> Option<&Certificate> {
        self.tls.as_ref()?.known.as_ref()
    }

    /// What requests name as the host.
    pub(crate) fn host(&self) -> HeaderValue {
        match &self.address {
            Address::Unix(_) => HeaderValue::from_static("unix.socket"),
            Address::Https(url) => {
                let host = url.strip_prefix("https://").unwrap_or(url);
                HeaderValue::from_str(host).unwrap_or(HeaderValue::from_static("lxd"))
            }
        }
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
        let stream = self.dial().await?;
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
    async fn nobody_listening_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let error = Client::connect(Address::Unix(dir.path().join("none"))).await.unwrap_err();
        assert!(error.to_string().contains("is it running"), "{error}");
        let dialer = Dialer::new(&Trust::Anybody, None, Proxies::default()).unwrap();
        let gone = Client::over(dialer, "https://127.0.0.1:1".into(), None);
        let error = gone.containers().await.unwrap_err();
        assert!(error.to_string().contains("cannot connect to 127.0.0.1:1"), "{error}");
    }
}
