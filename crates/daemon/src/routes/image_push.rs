//! `POST /1.0/images/<fp>/export`: this server sends an image to another one by itself.

use super::image_export::whole;
use crate::operations::{Operations, Reporter, Task, image as about};
use crate::wire::{Answer, Content, Json, Path, Refusal, accepted};
use api::images::{HEADER_FILENAME, HEADER_FINGERPRINT, HEADER_SECRET, ImageExportPost};
use axum::extract::State;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use instance::Progress;
use instance::images::Images;
use instance::settings::Settings;
use serde_json::{Map, Value};
use std::time::{Duration, Instant};
use transport::certificate::CertificateError;
use transport::dial::DialError;
use transport::post::{PostError, post};
use transport::proxy::Proxies;
use transport::{Certificate, Dialer, Trust};

/// Least time between two reports of how far it is.
const PACE: Duration = Duration::from_millis(250);
/// The longest reason of the other server that is shown, in characters.
const REASON: usize = 1000;

/// What went wrong.
#[derive(Debug, thiserror::Error)]
enum PushError {
    #[error("cannot prepare a connection to {target}")]
    Dial { target: String, source: DialError },
    #[error("cannot send the image")]
    Post(#[from] PostError),
    #[error("cannot read the image")]
    Read(#[source] std::io::Error),
    #[error("{target} does not take the image: {reason}")]
    Refused { target: String, reason: String },
    #[error("{target} answers {status}, and not as a server that takes images does")]
    Odd { target: String, status: StatusCode },
    #[error("the daemon ends")]
    Ends,
}

/// Where an image goes.
struct Target {
    /// For messages.
    name: String,
    url: Uri,
    trust: Trust,
    headers: HeaderMap,
}

impl Target {
    fn of(request: &ImageExportPost, fingerprint: &str) -> Result<Self, Refusal> {
        let name = request.target.trim_end_matches('/').to_owned();
        let no_url = || {
            Refusal::bad_request(format!(
                "The target \"{name}\" is no URL of a server; it should look like https://host:port"
            ))
        };
        let base: Uri = name.parse().map_err(|_| no_url())?;
        if base.scheme_str() != Some("https") || base.authority().is_none() || base.query().is_some() {
            return Err(no_url());
        }
        let url = format!("{name}/1.0/images").parse().map_err(|_| no_url())?;
        let no_certificate = |error: CertificateError| {
            Refusal::bad_request(format!("Cannot read the certificate of the target: {error}"))
        };
        let trust = if request.certificate.is_empty() {
            Trust::System
        } else {
            Trust::Pinned(Certificate::from_pem(&request.certificate).map_err(no_certificate)?)
        };
        let secret = &request.secret;
        if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(Refusal::bad_request(
                "The secret of the target is missing or none; ask the target for one (mode \"push\")",
            ));
        }
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_SECRET, sensitive(secret)?);
        headers.insert(HEADER_FINGERPRINT, HeaderValue::from_str(fingerprint).map_err(Refusal::unexpected)?);
        Ok(Self { name, url, trust, headers })
    }
}

fn sensitive(text: &str) -> Result<HeaderValue, Refusal> {
    let mut value = HeaderValue::from_str(text).map_err(Refusal::unexpected)?;
    value.set_sensitive(true);
    Ok(value)
}

/// `POST`.
pub(crate) async fn begin(
    State(images): State<Images>,
    State(settings): State<Settings>,
    State(operations): State<Operations>,
    Path(fingerprint): Path<String>,
    Json(request): Json<ImageExportPost>,
) -> Answer {
    let image = images.get(&fingerprint)?;
    let fingerprint = image.fingerprint;
    let mut target = Target::of(&request, &fingerprint)?;
    let whole = whole(images.export(&fingerprint).await?, &fingerprint);
    let value = |text: &str| HeaderValue::from_str(text).map_err(Refusal::unexpected);
    target.headers.insert(header::CONTENT_TYPE, value(&whole.content_type)?);
    if let Some(name) = &whole.filename {
        target.headers.insert(HEADER_FILENAME, value(name)?);
    }
    let resources = about(&fingerprint);
    let reporter = Reporter::default();
    let (progress, proxies) = (reporter.progress(), settings.proxies());
    let work = async move {
        let (body, length) = Content::of(whole.segments).await.map_err(PushError::Read)?;
        let body = counted(body, length, progress);
        send(target, proxies, body, length).await?;
        let mut outcome = Map::new();
        outcome.insert("fingerprint".to_owned(), fingerprint.into());
        outcome.insert("size".to_owned(), image.size.to_string().into());
        Ok::<_, PushError>(Some(outcome))
    };
    let task = Task { description: "Sending image", resources, may_cancel: true };
    accepted(&operations.run_reporting(task, &reporter, |_| work))
}

/// A body that tells how far it is.
fn counted(
    body: axum::body::Body,
    length: u64,
    progress: Progress,
) -> impl http_body::Body<Data = Bytes, Error = axum::Error> + Send + Unpin {
    let (mut done, mut told) = (0, Instant::now());
    body.map_frame(move |frame| {
        done += frame.data_ref().map_or(0, Bytes::len) as u64;
        if told.elapsed() >= PACE {
            told = Instant::now();
            progress.show("upload_progress", format!("{}%", done * 100 / length.max(1)));
        }
        frame
    })
}

async fn send<B>(target: Target, proxies: Proxies, body: B, length: u64) -> Result<(), PushError>
where
    B: http_body::Body<Data = Bytes, Error = axum::Error> + Send + Unpin + 'static,
{
    let Target { name, url, trust, headers } = target;
    // The authorities of the system are read from files at first use.
    let dialer = tokio::task::spawn_blocking(move || Dialer::new(&trust, None, proxies)).await;
    let dialer = dialer
        .map_err(|_| PushError::Ends)?
        .map_err(|source| PushError::Dial { target: name.clone(), source })?;
    let (status, answer) = post(&dialer, &url, headers, body, length).await?;
    match reason(&answer) {
        Ok(None) if status.is_success() => Ok(()),
        Ok(Some(reason)) => {
            let reason = reason.chars().take(REASON).collect();
            Err(PushError::Refused { target: name, reason })
        }
        _ => Err(PushError::Odd { target: name, status }),
    }
}

/// Why the other server did not take the image; none: it did. It answers when the operation is over.
fn reason(answer: &[u8]) -> Result<Option<String>, serde_json::Error> {
    let reply: Value = serde_json::from_slice(answer)?;
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    if reply["type"] == "error" {
        return Ok(Some(text(&reply["error"]).unwrap_or_else(|| "it does not say why".to_owned())));
    }
    Ok(text(&reply["metadata"]["err"]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_other_server_says() {
        let said = |text: &str| reason(text.as_bytes()).ok();
        assert_eq!(said(r#"{"type": "async", "metadata": {"err": "", "status_code": 200}}"#), Some(None));
        let failed = r#"{"type": "async", "metadata": {"err": "no space", "status_code": 400}}"#;
        assert_eq!(said(failed), Some(Some("no space".to_owned())));
        let refused = r#"{"type": "error", "error": "not authorized", "error_code": 403}"#;
        assert_eq!(said(refused), Some(Some("not authorized".to_owned())));
        assert_eq!(said("<html>"), None);
    }

    #[test]
    fn targets_and_secrets_are_checked_first() {
        let request = |target: &str, secret: &str| ImageExportPost {
            target: target.to_owned(),
            secret: secret.to_owned(),
            ..ImageExportPost::default()
        };
        let code = |target: &str, secret: &str| {
            Target::of(&request(target, secret), &"a".repeat(64)).map_or_else(|error| error.code(), |_| 0)
        };
        assert_eq!(code("https://10.0.0.1:8443/", "abc"), 0);
        for target in ["", "http://10.0.0.1:8443", "unix:///x", "https://a b", "https://h/?x=1"] {
            assert_eq!(code(target, "abc"), 400, "{target}");
        }
        for secret in ["", "a\r\nb: c", "ä"] {
            assert_eq!(code("https://10.0.0.1:8443", secret), 400, "{secret:?}");
        }
    }
}
