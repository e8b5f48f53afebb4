//! One stream: a websocket on whatever carries bytes.

use crate::Error;
use http::Uri;
use std::fmt;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, client::IntoClientRequest as _};
use transport::proxy::Proxies;
use transport::{Certificate, Dialer, Trust};

/// Largest message that is taken, in bytes: native streams come in pieces of 4 MiB.
const LARGEST: usize = 4 * 1024 * 1024 + 1024;
/// Least buffer for what is read, in bytes.
const READ_BUFFER: usize = 64 * 1024;
/// How much of a refusal is kept, in characters.
const REFUSAL: usize = 200;

/// Anything that carries bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// One stream of a migration.
pub struct Socket(pub(crate) WebSocketStream<Box<dyn Io>>);

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Socket")
    }
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER)
        .write_buffer_size(0)
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST))
        // Debian's LXD is a client that masks; so are we.
        .accept_unmasked_frames(false)
}

impl Socket {
    /// Our side of a connection whose handshake as a server is done; `early` are bytes that came with it.
    pub async fn accepted(io: Box<dyn Io>, early: Vec<u8>) -> Self {
        Self(WebSocketStream::from_partially_read(io, early, Role::Server, Some(config())).await)
    }

    /// Both ends of a stream in memory.
    #[cfg(test)]
    pub(crate) async fn pair() -> (Self, Self) {
        let (one, other) = tokio::io::duplex(32 * 1024);
        let side = async |io, role| {
            Self(WebSocketStream::from_raw_socket(Box::new(io) as Box<dyn Io>, role, Some(config())).await)
        };
        (side(one, Role::Client).await, side(other, Role::Server).await)
    }
}

/// Takes one stream of an operation of another daemon. `operation` is its URL, as
/// `https://host:port/1.0/operations/<uuid>`; `certificate` (PEM) is the one that the server must have:
/// if it is empty, the authorities of this system vouch for it.
///
/// # Errors
/// The URL, the certificate or the secret make no sense; nobody answers there; the stream is refused.
pub async fn dial(
    operation: &str,
    certificate: &str,
    stream: &'static str,
    secret: &str,
    proxies: Proxies,
) -> Result<Socket, Error> {
    let wrong = |what, why: String| Error::Address { what, why };
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wrong("a secret", format!("the one of the stream {stream} is missing or none")));
    }
    let host = operation.strip_prefix("https://").ok_or_else(|| {
        wrong("the operation's URL", "it should look like https://host:port/1.0/operations/…".to_owned())
    })?;
    let url = format!("wss://{host}/websocket?secret={secret}");
    // The secret must not get into an error text.
    let no_url = || wrong("the operation's URL", format!("\"{operation}\" is no URL"));
    let uri: Uri = url.parse().map_err(|_| no_url())?;
    let trust = if certificate.is_empty() {
        Trust::System
    } else {
        let certificate = Certificate::from_pem(certificate);
        Trust::Pinned(
            certificate.map_err(|error| wrong("the other server's certificate", error.to_string()))?,
        )
    };
    let bytes = Dialer::new(&trust, None, proxies)?.dial(&uri).await?;
    let request = uri.into_client_request().map_err(|_| no_url())?;
    let io: Box<dyn Io> = Box::new(bytes);
    match tokio_tungstenite::client_async_with_config(request, io, Some(config())).await {
        Ok((socket, _)) => Ok(Socket(socket)),
        Err(tungstenite::Error::Http(response)) => {
            let said = response.body().as_deref().map(String::from_utf8_lossy).unwrap_or_default();
            let said = said.trim().chars().take(REFUSAL).collect::<String>();
            Err(Error::Refused { stream, answer: format!("{} {said}", response.status()).trim().to_owned() })
        }
        Err(source) => Err(Error::Socket { doing: "a stream was opened", source: Box::new(source) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn addresses_that_make_no_sense() {
        for (operation, certificate, secret) in [
            ("http://h/1.0/operations/x", "", "ab"),
            ("https://", "", "ab"),
            ("https://h:1/1.0/operations/x", "no certificate", "ab"),
            ("https://h:1/1.0/operations/x", "", ""),
            ("https://h:1/1.0/operations/x", "", "a&b=c"),
        ] {
            let error = dial(operation, certificate, "fs", secret, Proxies::default()).await.unwrap_err();
            assert!(!error.to_string().contains("a&b"), "{error}");
        }
    }
}
