//! `/1.0/images/<fp>/export`: an image goes out as it came in.

use super::audience::{Audience, SecretParam};
use crate::operations::Operations;
use crate::wire::{Answer, Content, Params, Path, Range, Refusal, Segment};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use instance::images::{Export, ExportFile, Images};

/// `GET` and `HEAD` of `…/export`: all of it, or the part that a client lacks.
pub(crate) async fn get(
    State(images): State<Images>,
    State(operations): State<Operations>,
    audience: Audience,
    Path(fingerprint): Path<String>,
    Params(secret): Params<SecretParam>,
    request: HeaderMap,
) -> Answer {
    let fingerprint = audience.image(&images, &operations, &fingerprint, &secret)?.fingerprint;
    let Whole { content_type, filename, segments } = whole(images.export(&fingerprint).await?, &fingerprint);
    let size = segments.iter().map(Segment::length).sum();
    let tag = format!("\"{fingerprint}\"");
    let range = wanted(&request, &tag, size)?;
    let segments = match range {
        Some(Range { start, length }) => part(segments, start, length),
        None => segments,
    };
    let (body, length) = Content::of(segments).await?;
    let mut response = Response::new(body);
    let value = |text: &str| HeaderValue::from_str(text).map_err(Refusal::unexpected);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(&content_type)?);
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::ETAG, value(&tag)?);
    if let Some(name) = filename {
        headers.insert(header::CONTENT_DISPOSITION, value(&format!("inline;filename={name}"))?);
    }
    if let Some(range) = range {
        headers.insert(header::CONTENT_RANGE, value(&range.content_range(size))?);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// An image as one body.
pub(crate) struct Whole {
    pub(crate) content_type: String,
    /// What its file is called; a form names its files itself.
    pub(crate) filename: Option<String>,
    pub(crate) segments: Vec<Segment>,
}

/// One file as it is, or a form of two.
pub(crate) fn whole(Export { metadata, rootfs }: Export, fingerprint: &str) -> Whole {
    let Some(rootfs) = rootfs else {
        return Whole {
            content_type: "application/octet-stream".to_owned(),
            filename: Some(metadata.name.clone()),
            segments: vec![content(metadata)],
        };
    };
    // The same each time, so that a download can be gone on with. No image can contain what is computed
    // from all of it.
    let boundary = fingerprint.get(..48).unwrap_or(fingerprint);
    Whole {
        content_type: format!("multipart/form-data; boundary={boundary}"),
        filename: None,
        segments: form(boundary, metadata, rootfs),
    }
}

/// The part that is asked for; all of it when the client has the beginning of something else.
fn wanted(request: &HeaderMap, tag: &str, size: u64) -> Result<Option<Range>, Refusal> {
    if request.get(header::IF_RANGE).is_some_and(|known| known != tag) {
        return Ok(None);
    }
    Range::requested(request, size).map_err(|error| Refusal::range(error.to_string()))
}

/// `length` bytes of what these segments are together, from `start`.
fn part(segments: Vec<Segment>, start: u64, length: u64) -> Vec<Segment> {
    let (mut skip, mut left) = (start, length);
    let mut kept = Vec::new();
    for segment in segments {
        let before = skip.min(segment.length());
        skip -= before;
        let count = left.min(segment.length() - before);
        left -= count;
        if count > 0 {
            kept.push(segment.part(before, count));
        }
    }
    kept
}

fn content(file: ExportFile) -> Segment {
    Segment::File { file: file.file, start: 0, length: file.size }
}

fn form(boundary: &str, metadata: ExportFile, rootfs: ExportFile) -> Vec<Segment> {
    let head = |name: &str, file: &ExportFile| {
        let file = &file.name;
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
             Content-Type: application/octet-stream\r\n\r\n"
        )
    };
    let first = head("metadata", &metadata);
    let second = format!("\r\n{}", head("rootfs", &rootfs));
    let last = format!("\r\n--{boundary}--\r\n");
    let text = |text: String| Segment::Bytes(Bytes::from(text));
    vec![text(first), content(metadata), text(second), content(rootfs), text(last)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;
    use std::io::Write as _;
    use transport::multipart::{Multipart, PartEvent};

    fn file(name: &str, text: &str) -> ExportFile {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        ExportFile { name: name.to_owned(), size: text.len() as u64, file }
    }

    #[tokio::test]
    async fn any_part_is_the_same_as_of_the_whole() {
        let segments = || form("abc", file("meta-1.tar.xz", "metadata"), file("1.squashfs", "root"));
        let bytes = async |segments| {
            let (body, length) = Content::of(segments).await.unwrap();
            let bytes = body.collect().await.unwrap().to_bytes();
            assert_eq!(bytes.len() as u64, length);
            bytes
        };
        let whole = bytes(segments()).await;
        for start in [0, 1, 100, 133, whole.len() / 2, whole.len() - 1] {
            for length in [1, 7, 150, whole.len()] {
                let length = length.min(whole.len() - start);
                let found = bytes(part(segments(), start as u64, length as u64)).await;
                assert_eq!(found, whole[start..start + length], "{start} {length}");
            }
        }
    }

    #[test]
    fn a_part_of_something_else_is_not_sent() {
        let mut request = HeaderMap::new();
        request.insert(header::RANGE, HeaderValue::from_static("bytes=4-"));
        assert_eq!(wanted(&request, "\"a\"", 10).unwrap(), Some(Range { start: 4, length: 6 }));
        request.insert(header::IF_RANGE, HeaderValue::from_static("\"a\""));
        assert_eq!(wanted(&request, "\"a\"", 10).unwrap(), Some(Range { start: 4, length: 6 }));
        assert_eq!(wanted(&request, "\"b\"", 10).unwrap(), None);
        request.remove(header::IF_RANGE);
        assert_eq!(wanted(&request, "\"a\"", 4).unwrap_err().code(), 416);
    }

    #[tokio::test]
    async fn what_goes_out_can_come_in() {
        let segments = form("abc", file("meta-1.tar.xz", "metadata\r\n"), file("1.squashfs", "root"));
        let (body, length) = Content::of(segments).await.unwrap();
        let bytes = body.collect().await.unwrap().to_bytes();
        assert_eq!(bytes.len() as u64, length);
        let mut form = Multipart::new("abc");
        form.push(&bytes);
        let mut events = Vec::new();
        while let Some(event) = form.event().unwrap() {
            events.push(event);
        }
        form.finish().unwrap();
        let begin = |name: &str, filename: &str| PartEvent::Begin {
            name: name.to_owned(),
            filename: filename.to_owned(),
        };
        let data = |text: &'static str| PartEvent::Data(Bytes::from_static(text.as_bytes()));
        assert_eq!(
            events,
            [
                begin("metadata", "meta-1.tar.xz"),
                data("metadata\r\n"),
                PartEvent::End,
                begin("rootfs", "1.squashfs"),
                data("root"),
                PartEvent::End,
            ]
        );
    }
}
