//! `POST /1.0/images`: an image comes in, whole or in two parts, or JSON says where it is to come from.

use super::audience::Audience;
use super::image_door;
use super::image_publish::publish;
use crate::operations::{Operations, Reporter, Task};
use crate::wire::{Answer, Refusal, accepted, parse};
use api::images::{HEADER_FILENAME, HEADER_FINGERPRINT, HEADER_PROPERTIES, HEADER_PUBLIC, ImagesPost};
use axum::body::Body;
use axum::extract::{Query, State};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Uri, header};
use http_body_util::BodyExt as _;
use instance::images::{Description, Images, Part, Scope, Upload};
use instance::instances::Instances;
use instance::settings::Settings;
use transport::multipart::{Multipart, MultipartError, PartEvent, boundary};

/// How much of an image is read on before its refusal, in bytes, and for how long.
const LINGER: usize = 256 * 1024 * 1024;
const LINGER_TIME: std::time::Duration = std::time::Duration::from_secs(5);
/// The longest JSON that asks for an image, in bytes.
const JSON: usize = 1024 * 1024;
/// What the metadata of an image is called in a form.
const METADATA: &str = "metadata";
/// What the root file system of an image is called in a form.
const ROOTFS: &str = "rootfs";

/// `POST /1.0/images`.
pub(crate) async fn post(
    State(images): State<Images>,
    State(instances): State<Instances>,
    State(settings): State<Settings>,
    State(operations): State<Operations>,
    Audience(scope): Audience,
    headers: HeaderMap,
    mut body: Body,
) -> Answer {
    let mut description = description(&headers)?;
    // Before anything of the body is kept.
    let passed = match image_door::pass(&operations, &headers) {
        Ok(None) if scope != Scope::All => Err(Refusal::forbidden()),
        passed => passed,
    };
    let passed = match passed {
        Ok(passed) => passed,
        Err(refusal) => {
            read_on(&mut body).await;
            return Err(refusal);
        }
    };
    let from_server = passed.is_some();
    if let Some(settled) = passed {
        description = Description { filename: description.filename, ..settled };
    }
    let received = receive(&images, &headers, &mut description, &mut body).await;
    let upload = match received {
        Ok(Received::Image(upload)) => upload,
        Ok(Received::Wish(_)) if from_server => {
            return Err(Refusal::bad_request("A secret is for an image, and the request brings none"));
        }
        Ok(Received::Wish(post)) => return grant(&images, &instances, &settings, &operations, *post),
        Err(refusal) => {
            read_on(&mut body).await;
            return Err(refusal);
        }
    };
    let work = images.import(upload, description);
    let task = Task { description: "Downloading image", resources: None, may_cancel: true };
    let operation = operations.run(task, work);
    if from_server {
        // A stranger cannot ask about the operation later.
        operation.wait().await;
    }
    accepted(&operation)
}

/// What a request has brought.
enum Received {
    /// An image.
    Image(Upload),
    /// Where an image is to come from.
    Wish(Box<ImagesPost>),
}

/// Gets an image from where the client wants it from.
fn grant(
    images: &Images,
    instances: &Instances,
    settings: &Settings,
    operations: &Operations,
    post: ImagesPost,
) -> Answer {
    match post.source.kind.as_str() {
        // Some clients do not say that it is an image.
        "image" | "" if post.source.mode == "push" => image_door::open(images, operations, &post),
        "container" | "instance" | "snapshot" => publish(instances, settings, operations, post),
        "image" | "url" => {
            let reporter = Reporter::default();
            let work = images.fetch(post, reporter.progress())?;
            let task = Task { description: "Downloading image", resources: None, may_cancel: true };
            accepted(&operations.run_reporting(task, &reporter, |_| work))
        }
        _ => Err(Refusal::internal("Invalid images JSON")),
    }
}

/// Takes in the parts of an image.
async fn receive(
    images: &Images,
    headers: &HeaderMap,
    description: &mut Description,
    body: &mut Body,
) -> Result<Received, Refusal> {
    let content_type = text(headers, &header::CONTENT_TYPE).unwrap_or_default();
    if content_type.trim_start().to_ascii_lowercase().starts_with("multipart/form-data") {
        let mut upload = images.upload().await?;
        let boundary = boundary(&content_type).map_err(invalid)?;
        if let Some(filename) = split(body, &boundary, &mut upload).await? {
            description.filename = filename;
        }
        return Ok(Received::Image(upload));
    }
    let first = next(body).await?.unwrap_or_default();
    if is_json(&content_type, &first) {
        return from_json(first, body).await.map(|post| Received::Wish(Box::new(post)));
    }
    if first.is_empty() {
        return Err(Refusal::bad_request("The request has no image in its body"));
    }
    let mut upload = images.upload().await?;
    upload.begin(Part::Unified).await?;
    upload.write(first).await?;
    while let Some(data) = next(body).await? {
        upload.write(data).await?;
    }
    Ok(Received::Image(upload))
}

/// Reads on for a while before a refusal: a client that is still sending when the connection closes
/// hears of a broken connection and not of the reason.
async fn read_on(body: &mut Body) {
    let rest = async {
        let mut left = LINGER;
        while let Ok(Some(data)) = next(body).await {
            left = left.saturating_sub(data.len());
            if left == 0 {
                break;
            }
        }
    };
    // Whoever sends that slowly is cut off.
    let _ = tokio::time::timeout(LINGER_TIME, rest).await;
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

#[allow(clippy::needless_pass_by_value)] // the shape that map_err wants
fn invalid(error: MultipartError) -> Refusal {
    Refusal::bad_request(format!("Invalid multipart image: {error}"))
}

/// What the headers say about the image.
fn description(headers: &HeaderMap) -> Result<Description, Refusal> {
    let get =
        |name: &'static str| text(headers, &HeaderName::from_static(name)).filter(|value| !value.is_empty());
    Ok(Description {
        filename: get(HEADER_FILENAME).unwrap_or_default(),
        public: get(HEADER_PUBLIC).is_some_and(|value| matches!(value.as_str(), "1" | "true")),
        properties: get(HEADER_PROPERTIES).map(|value| properties(&value)).transpose()?.unwrap_or_default(),
        expected_fingerprint: get(HEADER_FINGERPRINT),
        aliases: Vec::new(),
    })
}

/// Properties, written like the query of a URL.
fn properties(text: &str) -> Result<api::Config, Refusal> {
    let bad = || Refusal::bad_request("The properties of the image are not written like the query of a URL");
    let uri: Uri = format!("/?{text}").parse().map_err(|_| bad())?;
    Query::<api::Config>::try_from_uri(&uri).map(|Query(properties)| properties).map_err(|_| bad())
}

/// JSON is what says so, and what looks like it and does not say that it is something else.
fn is_json(content_type: &str, first: &[u8]) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    if kind.eq_ignore_ascii_case("application/json") {
        return true;
    }
    !kind.eq_ignore_ascii_case("application/octet-stream") && first.trim_ascii_start().starts_with(b"{")
}

/// Reads the rest of the JSON.
async fn from_json(first: Bytes, body: &mut Body) -> Result<ImagesPost, Refusal> {
    let mut json = BytesMut::from(first);
    while let Some(data) = next(body).await? {
        if json.len() + data.len() > JSON {
            return Err(Refusal::too_large("The JSON that asks for an image is too large"));
        }
        json.extend_from_slice(&data);
    }
    parse(&json)
}

/// The next piece of the body.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        let frame = frame
            .map_err(|error| Refusal::bad_request(format!("The image did not arrive whole: {error}")))?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Receives an image in two parts, metadata first; returns the name of the second file.
async fn split(body: &mut Body, boundary: &str, upload: &mut Upload) -> Result<Option<String>, Refusal> {
    let mut form = Multipart::new(boundary);
    let mut expected = [(METADATA, Part::Metadata), (ROOTFS, Part::Rootfs)].into_iter();
    let mut filename = None;
    while let Some(data) = next(body).await? {
        form.push(&data);
        while let Some(event) = form.event().map_err(invalid)? {
            match event {
                PartEvent::Begin { name, filename: file } => {
                    let Some((_, part)) = expected.next().filter(|(wanted, _)| *wanted == name) else {
                        return Err(out_of_order(&name));
                    };
                    upload.begin(part).await?;
                    if part == Part::Rootfs && !file.is_empty() {
                        filename = Some(file);
                    }
                }
                PartEvent::Data(data) => upload.write(data).await?,
                PartEvent::End => {}
            }
        }
    }
    form.finish().map_err(invalid)?;
    match expected.next() {
        Some((missing, _)) => {
            Err(Refusal::bad_request(format!("Invalid multipart image: the part '{missing}' is missing")))
        }
        None => Ok(filename),
    }
}

fn out_of_order(name: &str) -> Refusal {
    Refusal::bad_request(format!(
        "Invalid multipart image: the part '{name}' came where '{METADATA}' and then '{ROOTFS}' belong"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn uploads_are_told_from_json() {
        assert!(is_json("application/json; charset=utf-8", b"x"));
        assert!(is_json("application/x-www-form-urlencoded", b" {\"source\""));
        assert!(is_json("", b"{"));
        assert!(!is_json("application/octet-stream", b"{"));
        assert!(!is_json("", b"\x1f\x8b"));
    }

    #[test]
    fn headers_describe_the_image() {
        let mut headers = HeaderMap::new();
        headers.insert(HEADER_PUBLIC, HeaderValue::from_static("true"));
        headers.insert(HEADER_FILENAME, HeaderValue::from_static("a.tar.xz"));
        headers.insert(HEADER_PROPERTIES, HeaderValue::from_static("os=Debian&description=a+b%26c"));
        let description = description(&headers).unwrap();
        assert!(description.public);
        assert_eq!(description.filename, "a.tar.xz");
        assert_eq!(description.properties["description"], "a b&c");
        assert_eq!(description.expected_fingerprint, None);
    }

    #[tokio::test]
    async fn json_is_read_within_bounds() {
        let read = async |json: &'static str| {
            from_json(Bytes::from_static(json.as_bytes()), &mut Body::empty()).await
        };
        let post = read(r#"{"source": {"type": "container", "name": "c1"}, "aliases": null}"#).await.unwrap();
        assert_eq!((post.source.kind.as_str(), post.source.name.as_str()), ("container", "c1"));
        assert_eq!(read("{").await.unwrap_err().code(), 400);
        let long = Bytes::from(vec![b' '; JSON]);
        let mut more = Body::from("{}");
        assert!(from_json(long, &mut more).await.is_err());
    }
}
