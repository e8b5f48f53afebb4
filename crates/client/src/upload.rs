//! Bodies of image uploads: one tarball as it is, two as a multipart form.

use crate::{Body, Error, ImageUpload};
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

/// Content type and body of the upload.
pub(crate) fn body(
    image: &ImageUpload,
    progress: impl FnMut(u64, u64) + Send + 'static,
) -> Result<(String, Body), Error> {
    let (metadata, size) = open(&image.metadata)?;
    let Some(rootfs) = &image.rootfs else {
        let reader = Counted { inner: metadata, sent: 0, total: size, progress };
        return Ok(("application/octet-stream".to_owned(), Body::reader(reader, Some(size))));
    };
    let (root, root_size) = open(rootfs)?;
    let boundary = boundary();
    let first = part_head(&boundary, "metadata", &image.metadata, "");
    let second = part_head(&boundary, "rootfs", rootfs, "\r\n");
    let last = format!("\r\n--{boundary}--\r\n");
    let total = (first.len() + second.len() + last.len()) as u64 + size + root_size;
    // Lengths are taken now, so a file that grows meanwhile cannot spoil the form.
    let whole = Cursor::new(first)
        .chain(metadata.take(size))
        .chain(Cursor::new(second))
        .chain(root.take(root_size))
        .chain(Cursor::new(last));
    let reader = Counted { inner: whole, sent: 0, total, progress };
    Ok((format!("multipart/form-data; boundary={boundary}"), Body::reader(reader, Some(total))))
}

fn open(path: &Path) -> Result<(File, u64), Error> {
    let failed = |source| Error::File { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Ok((file, size))
}

fn part_head(boundary: &str, name: &str, path: &Path, before: &str) -> String {
    let file = path.file_name().map(|name| name.to_string_lossy().replace(['"', '\r', '\n'], "_"));
    let file = file.unwrap_or_default();
    format!(
        "{before}--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"{file}\"\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
}

/// A line that occurs in no tarball by chance.
fn boundary() -> String {
    use std::hash::{BuildHasher as _, Hasher as _};
    let random = || std::hash::RandomState::new().build_hasher().finish();
    format!("{:016x}{:016x}{:016x}", random(), random(), random())
}

/// A reader that tells how far it is.
struct Counted<R, P> {
    inner: R,
    sent: u64,
    total: u64,
    progress: P,
}

impl<R: Read, P: FnMut(u64, u64)> Read for Counted<R, P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.sent += count as u64;
        (self.progress)(self.sent, self.total);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn a_split_image_is_a_form_of_the_announced_length() {
        let dir = tempfile::tempdir().unwrap();
        let (meta, root) = (dir.path().join("meta.tar.xz"), dir.path().join("root.squashfs"));
        std::fs::write(&meta, b"META").unwrap();
        std::fs::write(&root, b"ROOT").unwrap();
        let image = ImageUpload { metadata: meta, rootfs: Some(root), ..Default::default() };
        let (content_type, body) = body(&image, |_, _| {}).unwrap();
        let announced = http_body::Body::size_hint(&body).exact().unwrap();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        assert_eq!(text.len() as u64, announced);
        let boundary = content_type.split_once("boundary=").unwrap().1;
        assert!(text.starts_with(&format!("--{boundary}\r\n")));
        assert!(text.ends_with(&format!("\r\n--{boundary}--\r\n")));
        let (meta_at, root_at) = (text.find("META").unwrap(), text.find("ROOT").unwrap());
        assert!(meta_at < root_at && text.contains("name=\"rootfs\"; filename=\"root.squashfs\""));
    }
}
