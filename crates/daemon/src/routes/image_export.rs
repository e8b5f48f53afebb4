//! `/1.0/images/<fp>/export`: an image goes out as it came in.

use super::audience::{Audience, SecretParam};
use crate::operations::Operations;
use crate::wire::{Answer, Content, Params, Path, Refusal, Segment};
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderValue, header};
use instance::images::{Export, ExportFile, Images};

/// `GET …/export`.
pub(crate) async fn get(
    State(images): State<Images>,
    State(operations): State<Operations>,
    audience: Audience,
    Path(fingerprint): Path<String>,
    Params(secret): Params<SecretParam>,
) -> Answer {
    let fingerprint = audience.image(&images, &operations, &fingerprint, &secret)?.fingerprint;
    let Export { metadata, rootfs } = images.export(&fingerprint).await?;
    let (content_type, disposition, segments) = match rootfs {
        None => {
            let disposition = format!("inline;filename={}", metadata.name);
            ("application/octet-stream".to_owned(), Some(disposition), vec![content(metadata)])
        }
        Some(rootfs) => {
            let boundary = uuid::Uuid::new_v4().simple().to_string();
            let content_type = format!("multipart/form-data; boundary={boundary}");
            (content_type, None, form(&boundary, metadata, rootfs))
        }
    };
    let (body, length) = Content::of(segments).await?;
    let mut response = Response::new(body);
    let value = |text: &str| HeaderValue::from_str(text).map_err(Refusal::unexpected);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, value(&content_type)?);
    headers.insert(header::CONTENT_LENGTH, length.into());
    if let Some(disposition) = disposition {
        headers.insert(header::CONTENT_DISPOSITION, value(&disposition)?);
    }
    Ok(response)
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
