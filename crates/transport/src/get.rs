//! One `GET`, its redirects followed, its body read piece by piece.

use crate::dial::{DialError, Dialer};
use bytes::Bytes;
use http::header::{HOST, LOCATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::time::Duration;

/// How many redirects are followed.
const REDIRECTS: usize = 10;
/// How long a server may stay silent in the middle of an answer.
const SILENCE: Duration = Duration::from_secs(60);

/// A minute; for tests, in debug builds, as many seconds as `LIGHTERVISOR_SILENCE` says.
fn usual_silence() -> Duration {
    let told = || std::env::var("LIGHTERVISOR_SILENCE").ok()?.parse().ok();
    match cfg!(debug_assertions).then(told).flatten() {
        Some(seconds) => Duration::from_secs(seconds),
        None => SILENCE,
    }
}

/// What went wrong.
#[derive(Debug, thiserror::Error)]
pub enum GetError {
    /// No connection.
    #[error(transparent)]
    Dial(#[from] DialError),
    /// The connection broke.
    #[error("{url}: the connection broke")]
    Broken {
        /// Of what.
        url: String,
        /// Why.
        source: hyper::Error,
    },
    /// The server stopped sending.
    #[error("{url}: the server sent nothing for {seconds} seconds")]
    Stalled {
        /// Of what.
        url: String,
        /// How long was waited.
        seconds: u64,
    },
    /// The server ended before everything was there.
    #[error("{url}: the server ended after {received} of {expected} bytes")]
    Short {
        /// Of what.
        url: String,
        /// Bytes that came.
        received: u64,
        /// Bytes that were announced.
        expected: u64,
    },
    /// Another answer than what was asked for.
    #[error("{url}: the server answers {status}")]
    Status {
        /// Of what.
        url: String,
        /// Its code.
        status: StatusCode,
    },
    /// It redirects in circles or to what is no URL.
    #[error("{url}: too many or broken redirects")]
    Redirects {
        /// Where it ended.
        url: String,
    },
}

/// A `GET` that is about to be sent.
#[derive(Clone, Debug)]
pub struct Get<'a> {
    /// With what to connect.
    pub dialer: &'a Dialer,
    /// `GET`, or `HEAD`.
    pub method: Method,
    /// From where.
    pub url: Uri,
    /// More headers, for instance `Range`.
    pub headers: HeaderMap,
    /// How long the server may stay silent; a minute is usual.
    pub silence: Duration,
}

/// An answer whose body is still coming.
#[derive(Debug)]
pub struct Answer {
    /// Where it came from in the end.
    pub url: Uri,
    /// Its code: 2xx.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    body: Incoming,
    expected: Option<u64>,
    received: u64,
    silence: Duration,
}

impl<'a> Get<'a> {
    /// A `GET` of a URL.
    #[must_use]
    pub fn new(dialer: &'a Dialer, url: Uri) -> Self {
        Self { dialer, method: Method::GET, url, headers: HeaderMap::new(), silence: usual_silence() }
    }

    /// Sends it and waits for the head of the answer.
    ///
    /// # Errors
    /// No connection, or another answer than 2xx.
    pub async fn send(mut self) -> Result<Answer, GetError> {
        for _ in 0..=REDIRECTS {
            let response = self.once().await?;
            let status = response.status();
            if status.is_success() {
                let expected = http_body::Body::size_hint(response.body()).exact();
                let (head, body) = response.into_parts();
                let Self { url, silence, .. } = self;
                return Ok(Answer {
                    url,
                    status,
                    headers: head.headers,
                    body,
                    expected,
                    received: 0,
                    silence,
                });
            }
            let broken = || GetError::Redirects { url: self.url.to_string() };
            self.url = match response.headers().get(LOCATION) {
                Some(location) if status.is_redirection() => {
                    resolve(&self.url, location).ok_or_else(broken)?
                }
                _ => return Err(GetError::Status { url: self.url.to_string(), status }),
            };
        }
        Err(GetError::Redirects { url: self.url.to_string() })
    }

    async fn once(&self) -> Result<http::Response<Incoming>, GetError> {
        let broken = |source| GetError::Broken { url: self.url.to_string(), source };
        let stream = self.dialer.dial(&self.url).await?;
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
        // A broken connection is told to whoever reads the answer.
        tokio::spawn(connection);
        let answer = tokio::time::timeout(self.silence, sender.send_request(self.request())).await;
        answer
            .map_err(|_| GetError::Stalled { url: self.url.to_string(), seconds: self.silence.as_secs() })?
            .map_err(broken)
    }

    fn request(&self) -> Request<Empty<Bytes>> {
        let mut request = Request::new(Empty::new());
        *request.method_mut() = self.method.clone();
        *request.headers_mut() = self.headers.clone();
        let host = self.url.authority().map_or("", |authority| authority.as_str());
        if let Ok(host) = HeaderValue::from_str(host) {
            request.headers_mut().insert(HOST, host);
        }
        request.headers_mut().entry(USER_AGENT).or_insert(HeaderValue::from_static(crate::agent::agent()));
        let path = || self.url.path_and_query().map_or("/", |path| path.as_str()).parse().unwrap_or_default();
        *request.uri_mut() = if self.dialer.by_proxy(&self.url) { self.url.clone() } else { path() };
        request
    }
}

/// Where a redirect leads: a whole URL, or a path on the same server. Never from `https` to `http`.
fn resolve(from: &Uri, location: &HeaderValue) -> Option<Uri> {
    let location = location.to_str().ok()?;
    let to: Uri = match location.strip_prefix('/') {
        Some(rest) if rest.starts_with('/') => format!("{}:{location}", from.scheme_str()?).parse().ok()?,
        Some(_) => format!("{}://{}{location}", from.scheme_str()?, from.authority()?).parse().ok()?,
        None if location.contains("://") => location.parse().ok()?,
        None => {
            let directory = from.path().rsplit_once('/').map_or("", |(directory, _)| directory);
            format!("{}://{}{directory}/{location}", from.scheme_str()?, from.authority()?).parse().ok()?
        }
    };
    let downgrade = from.scheme_str() == Some("https") && to.scheme_str() != Some("https");
    (!downgrade).then_some(to)
}

impl Answer {
    /// Bytes that the body will have, when the server told it.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.expected
    }

    /// The next piece; `None` at the end.
    ///
    /// # Errors
    /// The server stalled, ended early, or the connection broke.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, GetError> {
        let url = || self.url.to_string();
        loop {
            let frame = tokio::time::timeout(self.silence, self.body.frame()).await;
            let frame =
                frame.map_err(|_| GetError::Stalled { url: url(), seconds: self.silence.as_secs() })?;
            match frame {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        self.received += data.len() as u64;
                        return Ok(Some(data));
                    }
                }
                None => return Ok(None),
                Some(Err(source)) => {
                    return Err(match self.expected {
                        Some(expected) if self.received < expected => {
                            GetError::Short { url: url(), received: self.received, expected }
                        }
                        _ => GetError::Broken { url: url(), source },
                    });
                }
            }
        }
    }

    /// The whole body, if it is not longer than `most` bytes.
    ///
    /// # Errors
    /// As [`Answer::piece`]; it is too long.
    pub async fn text(mut self, most: usize) -> Result<Option<Vec<u8>>, GetError> {
        let mut all = Vec::new();
        while let Some(piece) = self.piece().await? {
            if all.len() + piece.len() > most {
                return Ok(None);
            }
            all.extend_from_slice(&piece);
        }
        Ok(Some(all))
    }
}
