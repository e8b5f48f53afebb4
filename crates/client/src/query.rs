//! Paths, requests and envelopes: the plumbing under every typed call.

use crate::{Body, Client, Error, Pending, client::Tagged, download::Download};
use api::operations::Operation;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::BodyExt as _;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// The longest answer that is kept, in bytes: far more than a list of all that a server can have.
const LONGEST: usize = 512 * 1024 * 1024;

/// Percent-encodes one segment of a path (RFC 3986 unreserved characters stay).
#[must_use]
pub fn encode_segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// A whole answer, with its status and headers.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub body: Bytes,
}

/// The envelope, its `metadata` not looked at yet.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    error: String,
    #[serde(default)]
    error_code: u16,
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
}

impl Client {
    /// Sends any request and returns the answer as it is, errors of the daemon included.
    ///
    /// # Errors
    /// Only those of the connection.
    pub async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Answer, Error> {
        let (response, lease) = self.pool.send(self.build(&method, path, headers, body)?).await?;
        let (head, body) = response.into_parts();
        let broken = |source| Error::Exchange { method: method.clone(), path: path.to_owned(), source };
        let body = whole(body, LONGEST, path, broken).await?;
        lease.give_back();
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
    }

    /// Sends a request whose answer's body is read piece by piece; errors of the daemon are told apart.
    pub(crate) async fn open(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Download, Error> {
        let (response, lease) = self.pool.send(self.build(&method, path, headers, body)?).await?;
        let download = Download::new(response, lease, path);
        if download.status() < 400 {
            return Ok(download);
        }
        let status = download.status();
        Err(failure(status, &download.bytes().await?))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Error> {
        Ok(self.get_tagged(path).await?.value)
    }

    pub(crate) async fn get_tagged<T: DeserializeOwned>(&self, path: &str) -> Result<Tagged<T>, Error> {
        let answer = self.raw(Method::GET, path, HeaderMap::new(), Body::empty()).await?;
        let etag = answer.headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok(Tagged { value: decode(path, &answer)?, etag })
    }

    /// A request with a JSON body and a synchronous answer that says nothing.
    pub(crate) async fn change<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: &B,
        etag: Option<&str>,
    ) -> Result<(), Error> {
        let answer = self.raw(method, path, json_headers(etag), json_body(path, body)?).await?;
        decode::<serde::de::IgnoredAny>(path, &answer).map(drop)
    }

    /// A `DELETE` with a synchronous answer.
    pub(crate) async fn remove(&self, path: &str) -> Result<(), Error> {
        let answer = self.raw(Method::DELETE, path, HeaderMap::new(), Body::empty()).await?;
        decode::<serde::de::IgnoredAny>(path, &answer).map(drop)
    }

    /// A request with a JSON body that starts an operation.
    pub(crate) async fn begin<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: &B,
        etag: Option<&str>,
    ) -> Result<Pending, Error> {
        let answer = self.raw(method, path, json_headers(etag), json_body(path, body)?).await?;
        self.pending(path, &answer)
    }

    /// A request without a JSON body that starts an operation.
    pub(crate) async fn begin_raw(
        &self,
        method: Method,
        path: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Pending, Error> {
        let answer = self.raw(method, path, headers, body).await?;
        self.pending(path, &answer)
    }

    /// A request that servers answer at once or with an operation, as they like.
    pub(crate) async fn perhaps_begin<B: Serialize>(
        &self,
        method: Method,
        path: &str,
        body: Option<&B>,
        etag: Option<&str>,
    ) -> Result<Option<Pending>, Error> {
        let answer = match body {
            Some(body) => self.raw(method, path, json_headers(etag), json_body(path, body)?).await?,
            None => self.raw(method, path, HeaderMap::new(), Body::empty()).await?,
        };
        if answer.status == 202 {
            return self.pending(path, &answer).map(Some);
        }
        decode::<serde::de::IgnoredAny>(path, &answer)?;
        Ok(None)
    }

    fn build(
        &self,
        method: &Method,
        path: &str,
        headers: HeaderMap,
        body: Body,
    ) -> Result<Request<Body>, Error> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.pool.host())
            .header(header::USER_AGENT, concat!("lightervisor/", env!("CARGO_PKG_VERSION")))
            .body(body)
            .map_err(|source| Error::Request { method: method.clone(), path: path.to_owned(), source })?;
        request.headers_mut().extend(headers);
        Ok(request)
    }

    fn pending(&self, path: &str, answer: &Answer) -> Result<Pending, Error> {
        if answer.status < 400 && answer.status != 202 {
            return Err(Error::Unexpected { path: path.to_owned(), expected: "an operation" });
        }
        let operation: Operation = decode(path, answer)?;
        Ok(Pending::new(self.clone(), operation))
    }
}

/// All of a body, if it is not longer than this.
async fn whole<B: http_body::Body<Data = Bytes> + Unpin>(
    mut body: B,
    limit: usize,
    path: &str,
    broken: impl Fn(B::Error) -> Error,
) -> Result<Bytes, Error> {
    let too_long = || Error::TooLong { path: path.to_owned(), limit };
    if body.size_hint().lower() > limit as u64 {
        return Err(too_long());
    }
    let (mut first, mut all) = (Bytes::new(), Vec::new());
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(&broken)?.into_data() else { continue };
        if first.len() + all.len() + data.len() > limit {
            return Err(too_long());
        }
        // Most answers are one piece.
        if first.is_empty() && all.is_empty() {
            first = data;
            continue;
        }
        if all.is_empty() {
            all.extend_from_slice(&std::mem::take(&mut first));
        }
        all.extend_from_slice(&data);
    }
    Ok(if all.is_empty() { first } else { all.into() })
}

/// A header value out of any text.
pub(crate) fn header_value(path: &str, text: &str) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|error| Error::Request {
        method: Method::POST,
        path: path.to_owned(),
        source: error.into(),
    })
}

fn json_headers(etag: Option<&str>) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
        headers.insert(header::IF_MATCH, etag);
    }
    headers
}

fn json_body<B: Serialize>(path: &str, body: &B) -> Result<Body, Error> {
    serde_json::to_vec(body).map(Body::full).map_err(|source| Error::Encode { path: path.to_owned(), source })
}

/// The `metadata` of an answer, or the error it tells.
pub(crate) fn decode<T: DeserializeOwned>(path: &str, answer: &Answer) -> Result<T, Error> {
    if answer.status >= 400 {
        return Err(failure(answer.status, &answer.body));
    }
    let broken = |source| Error::Decode { path: path.to_owned(), source };
    let envelope: Envelope<'_> = serde_json::from_slice(&answer.body).map_err(broken)?;
    if envelope.kind == "error" {
        return Err(Error::Api { code: envelope.error_code, message: envelope.error });
    }
    serde_json::from_str(envelope.metadata.map_or("null", RawValue::get)).map_err(broken)
}

/// The error that an answer with an error status tells, whatever its body.
pub(crate) fn failure(status: u16, body: &[u8]) -> Error {
    let message = match serde_json::from_slice::<Envelope<'_>>(body) {
        Ok(envelope) if !envelope.error.is_empty() => envelope.error,
        _ => match String::from_utf8_lossy(body).trim() {
            "" => format!("the daemon answered with HTTP status {status}"),
            text => text.to_owned(),
        },
    };
    Error::Api { code: status, message }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, headers: HeaderMap::new(), body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    #[test]
    fn segments_keep_only_what_is_unreserved() {
        assert_eq!(encode_segment("c1/snap 0"), "c1%2Fsnap%200");
        assert_eq!(encode_segment("a-b_c.d~é?"), "a-b_c.d~%C3%A9%3F");
    }

    #[tokio::test]
    async fn an_answer_without_an_end_is_not_kept() {
        let ask = async |pieces: &[&'static str]| {
            let frames =
                pieces.iter().map(|piece| Ok::<_, Error>(http_body::Frame::data(Bytes::from(*piece))));
            let frames: Vec<_> = frames.collect();
            let body = http_body_util::StreamBody::new(futures_util::stream::iter(frames));
            whole(body, 6, "/1.0", |error| error).await.map_err(|error| error.to_string())
        };
        assert_eq!(ask(&[]).await.unwrap(), "");
        assert_eq!(ask(&["abc"]).await.unwrap(), "abc");
        assert_eq!(ask(&["ab", "cd", "", "ef"]).await.unwrap(), "abcdef");
        assert!(ask(&["ab", "cd", "efg"]).await.unwrap_err().contains("/1.0: the answer is longer than"));
        assert!(ask(&["abcdefg"]).await.is_err());
        let body = http_body_util::Full::new(Bytes::from_static(b"abcdefg"));
        assert!(whole(body, 6, "/1.0", |never| match never {}).await.is_err());
    }

    #[test]
    fn envelopes() {
        let list: Vec<String> = decode("/", &answer(200, r#"{"type":"sync","metadata":["/1.0"]}"#)).unwrap();
        assert_eq!(list, ["/1.0"]);
        let error =
            decode::<()>("/", &answer(404, r#"{"type":"error","error":"not found","error_code":404}"#))
                .unwrap_err();
        assert!(error.is_not_found());
        assert_eq!(error.to_string(), "not found");
        let error = decode::<()>("/", &answer(502, "")).unwrap_err();
        assert_eq!(error.to_string(), "the daemon answered with HTTP status 502");
        assert!(matches!(decode::<u8>("/", &answer(200, "<html>")), Err(Error::Decode { .. })));
    }
}
