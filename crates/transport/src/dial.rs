//! A byte stream to a URL.

use crate::proxy::Proxies;
use crate::trust::{Changed, client_config};
use crate::{Certificate, Identity, Trust};
use http::Uri;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

/// How long a server may take to accept a connection and shake hands.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest answer of a proxy to `CONNECT`, in bytes.
const PROXY_ANSWER: usize = 8 * 1024;

/// A connection that could not be made.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The URL says not where to.
    #[error("\"{0}\" is no URL of a server; it should look like https://host:port")]
    Url(String),
    /// Nobody answers there.
    #[error("cannot connect to {target}")]
    Connect {
        /// Host and port, or the socket's path.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// Nobody answers there within the time.
    #[error("{target} did not answer within {seconds} seconds", seconds = PATIENCE.as_secs())]
    Silent {
        /// Host and port.
        target: String,
    },
    /// The proxy will not.
    #[error("the proxy {proxy} refuses to connect to {target}: {answer}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// Host and port of the server.
        target: String,
        /// First line of its answer.
        answer: String,
    },
    /// The server is another one than it was.
    #[error("{target}: {changed}")]
    Changed {
        /// Host and port.
        target: String,
        /// Both certificates.
        changed: Changed,
    },
    /// The server cannot be trusted, or does not speak TLS.
    #[error("cannot speak TLS with {target}")]
    Tls {
        /// Host and port.
        target: String,
        /// Why.
        source: io::Error,
    },
    /// What TLS is to be done with cannot be used.
    #[error("cannot prepare TLS")]
    Config(#[source] rustls::Error),
}

/// How to reach servers. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Dialer {
    tls: Arc<ClientConfig>,
    proxies: Proxies,
}

impl Dialer {
    /// Connects to whom `trust` says, with a certificate of its own if there is an identity.
    ///
    /// # Errors
    /// The identity or the trusted authority cannot be used.
    pub fn new(trust: &Trust, identity: Option<&Identity>, proxies: Proxies) -> Result<Self, DialError> {
        Ok(Self { tls: Arc::new(client_config(trust, identity).map_err(DialError::Config)?), proxies })
    }

    /// Opens a stream to the server of an `http`, `https` or `wss` URL.
    ///
    /// # Errors
    /// See [`DialError`].
    pub async fn dial(&self, url: &Uri) -> Result<Stream, DialError> {
        let (host, port, tls) = place(url)?;
        let target = format!("{host}:{port}");
        let late = || DialError::Silent { target: target.clone() };
        tokio::time::timeout(PATIENCE, self.open(url, &host, port, tls)).await.map_err(|_| late())?
    }

    /// True when requests for this URL go to a proxy that passes them on (`http` only): then they name
    /// the whole URL.
    pub(crate) fn by_proxy(&self, url: &Uri) -> bool {
        url.scheme_str() == Some("http") && self.proxies.of(url).is_some()
    }

    async fn open(&self, url: &Uri, host: &str, port: u16, tls: bool) -> Result<Stream, DialError> {
        let target = format!("{host}:{port}");
        let tcp = match self.proxies.of(url) {
            Some(proxy) if tls => tunnel(connect(&proxy).await?, &proxy, &target).await?,
            Some(proxy) => connect(&proxy).await?,
            None => connect(&target).await?,
        };
        if !tls {
            return Ok(Stream::Tcp(tcp));
        }
        let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(bare).map_err(|_| DialError::Url(url.to_string()))?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        match connector.connect(name, tcp).await {
            Ok(stream) => Ok(Stream::Tls(Box::new(stream))),
            Err(source) => Err(refused(target, source)),
        }
    }
}

/// Opens a stream to a unix socket.
///
/// # Errors
/// Nobody listens there, or it may not be used.
pub async fn dial_unix(path: &Path) -> Result<Stream, DialError> {
    let stream = UnixStream::connect(path).await;
    stream
        .map(Stream::Unix)
        .map_err(|source| DialError::Connect { target: path.display().to_string(), source })
}

/// Host, port and whether it is encrypted.
fn place(url: &Uri) -> Result<(String, u16, bool), DialError> {
    let wrong = || DialError::Url(url.to_string());
    let (default, tls) = match url.scheme_str() {
        Some("https" | "wss") => (443, true),
        Some("http" | "ws") => (80, false),
        _ => return Err(wrong()),
    };
    let host = url.host().filter(|host| !host.is_empty()).ok_or_else(wrong)?;
    Ok((host.to_owned(), url.port_u16().unwrap_or(default), tls))
}

async fn connect(target: &str) -> Result<TcpStream, DialError> {
    let made = TcpStream::connect(target).await.and_then(|tcp| tcp.set_nodelay(true).map(|()| tcp));
    if let Ok(tcp) = &made {
        crate::alive::watch(tcp);
    }
    made.map_err(|source| DialError::Connect { target: target.to_owned(), source })
}

/// Asks a proxy to connect to the target (`CONNECT`, RFC 9110).
async fn tunnel(mut tcp: TcpStream, proxy: &str, target: &str) -> Result<TcpStream, DialError> {
    let broken = |source| DialError::Connect { target: proxy.to_owned(), source };
    let refused = |answer: &[u8]| DialError::Proxy {
        proxy: proxy.to_owned(),
        target: target.to_owned(),
        answer: String::from_utf8_lossy(answer).lines().next().unwrap_or_default().to_owned(),
    };
    let ask = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
    tcp.write_all(ask.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::new();
    // One byte at a time, because what follows belongs to the server.
    while !answer.ends_with(b"\r\n\r\n") {
        let byte = tcp.read_u8().await.map_err(broken)?;
        answer.push(byte);
        if answer.len() > PROXY_ANSWER {
            return Err(refused(b"its answer is too long"));
        }
    }
    let accepted = answer.split(|byte| *byte == b' ').nth(1).is_some_and(|code| code.starts_with(b"2"));
    if accepted { Ok(tcp) } else { Err(refused(&answer)) }
}

/// Tells a changed certificate from other failures of a handshake.
fn refused(target: String, source: io::Error) -> DialError {
    let inner = source.get_ref().and_then(|error| error.downcast_ref::<rustls::Error>());
    if let Some(rustls::Error::Other(other)) = inner
        && let Some(changed) = other.0.downcast_ref::<Changed>()
    {
        let changed = Changed { expected: changed.expected.clone(), found: changed.found.clone() };
        return DialError::Changed { target, changed };
    }
    DialError::Tls { target, source }
}

/// A byte stream to a server.
#[derive(Debug)]
pub enum Stream {
    /// On this host.
    Unix(UnixStream),
    /// Not encrypted.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<tokio_rustls::client::TlsStream<TcpStream>>),
}

impl Stream {
    /// The certificate that the server showed, if it is encrypted.
    #[must_use]
    pub fn server_certificate(&self) -> Option<Certificate> {
        let Self::Tls(tls) = self else { return None };
        let shown = tls.get_ref().1.peer_certificates()?.first()?;
        Certificate::from_der(shown.to_vec()).ok()
    }
}

/// Does the same with each kind of stream.
macro_rules! each {
    ($stream:expr, $inner:ident => $act:expr) => {
        match $stream.get_mut() {
            Stream::Unix($inner) => $act,
            Stream::Tcp($inner) => $act,
            Stream::Tls($inner) => $act,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_read(cx, buffer))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, inner => Pin::new(inner).poll_write(cx, bytes))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, inner => Pin::new(inner).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, inner => Pin::new(inner).poll_write_vectored(cx, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        matches!(self, Self::Unix(_) | Self::Tcp(_))
    }
}
