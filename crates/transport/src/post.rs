//! One `POST` whose body is sent piece by piece.

use crate::dial::{DialError, Dialer};
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, HOST, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;

/// The longest answer that is read, in bytes.
const ANSWER: usize = 1 << 20;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum PostError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke, or what was to be sent could not be read.
    #[error("{url}: the connection broke")]
    Broken {
        /// To what.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// The answer broke off, or is longer than any of a server of ours.
    #[error("{url}: the answer cannot be read: {reason}")]
    Answer {
        /// To what.
        url: String,
        /// Why.
        reason: String,
    },
}

/// Sends `length` bytes of a body, and reads the answer, whatever its code is. Redirects are not
/// followed.
///
/// # Errors
/// See [`PostError`].
pub async fn post<B>(
    dialer: &Dialer,
    url: &Uri,
    headers: HeaderMap,
    body: B,
    length: u64,
) -> Result<(StatusCode, Bytes), PostError>
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let broken = |source| PostError::Broken { url: url.to_string(), source };
    let stream = dialer.dial(url).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // Ends with whoever waits for the answer; a broken connection is told there.
    let connection = tokio::spawn(connection);
    let _ends = Ends(connection.abort_handle());
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = url.path_and_query().map_or("/", |path| path.as_str()).parse().unwrap_or_default();
    *request.headers_mut() = headers;
    request.headers_mut().insert(CONTENT_LENGTH, length.into());
    request.headers_mut().insert(USER_AGENT, HeaderValue::from_static(crate::agent::agent()));
    let host = url.authority().map_or("", |authority| authority.as_str());
    if let Ok(host) = HeaderValue::from_str(host) {
        request.headers_mut().insert(HOST, host);
    }
    let (head, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
    let answer = Limited::new(body, ANSWER).collect().await;
    let answer =
        answer.map_err(|error| PostError::Answer { url: url.to_string(), reason: error.to_string() })?;
    Ok((head.status, answer.to_bytes()))
}

/// Ends a task when dropped.
struct Ends(tokio::task::AbortHandle);

impl Drop for Ends {
    fn drop(&mut self) {
        self.0.abort();
    }
}
