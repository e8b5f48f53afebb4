//! Image exports: one file as it is, or a multipart form of two, both read as they come.

use crate::{Body, Client, Download, Error, images};
use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, Method, header};

/// Most bytes that the headers of a part may have.
const HEAD_LIMIT: usize = 16 * 1024;

/// An image as it is exported.
#[derive(Debug)]
pub enum Received {
    /// A unified image: its file name, if told, and its bytes.
    Unified(Option<String>, Download),
    /// A split image: parts `metadata` and `rootfs`.
    Split(PartReader),
}

/// The parts of a form, one after the other.
#[derive(Debug)]
pub struct PartReader {
    download: Download,
    /// `\r\n--boundary`
    delimiter: Vec<u8>,
    buffer: BytesMut,
    in_part: bool,
    ended: bool,
    received: u64,
}

impl Client {
    /// Exports an image.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn export_image(&self, fingerprint: &str) -> Result<Received, Error> {
        let path = format!("{}/export", images::at(fingerprint));
        let download = self.open(Method::GET, &path, HeaderMap::new(), Body::empty()).await?;
        let text = |name| download.headers().get(name).and_then(|value| value.to_str().ok());
        let boundary = text(header::CONTENT_TYPE)
            .filter(|kind| kind.starts_with("multipart/"))
            .and_then(|kind| parameter(kind, "boundary"));
        let name = text(header::CONTENT_DISPOSITION).and_then(|value| parameter(value, "filename"));
        Ok(match boundary {
            Some(boundary) => Received::Split(PartReader::new(download, &boundary)),
            None => Received::Unified(name, download),
        })
    }
}

impl PartReader {
    fn new(download: Download, boundary: &str) -> Self {
        // The first boundary has no line end before it; giving it one makes all of them alike.
        let buffer = BytesMut::from(&b"\r\n"[..]);
        let delimiter = format!("\r\n--{boundary}").into_bytes();
        Self { download, delimiter, buffer, in_part: false, ended: false, received: 0 }
    }

    /// Bytes received so far, form headers included.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes of the whole form, when the daemon told.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.download.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
    }

    /// The file name of the next part; `None` after the last one.
    ///
    /// # Errors
    /// The connection broke or the form is malformed.
    pub async fn next_part(&mut self) -> Result<Option<String>, Error> {
        while self.in_part {
            self.piece().await?;
        }
        if self.ended {
            return Ok(None);
        }
        loop {
            if let Some(at) = find(&self.buffer, &self.delimiter) {
                let after = at + self.delimiter.len();
                if self.buffer[after..].starts_with(b"--") {
                    self.ended = true;
                    return Ok(None);
                }
                if let Some(length) = find(&self.buffer[after..], b"\r\n\r\n") {
                    let head = String::from_utf8_lossy(&self.buffer[after..after + length]).into_owned();
                    self.buffer.advance(after + length + 4);
                    self.in_part = true;
                    let disposition = head
                        .lines()
                        .find(|line| line.to_ascii_lowercase().starts_with("content-disposition:"))
                        .unwrap_or_default();
                    return Ok(Some(parameter(disposition, "filename").unwrap_or_default()));
                }
            }
            if self.buffer.len() > HEAD_LIMIT || !self.fill().await? {
                return Err(malformed("the form's parts are not delimited as announced"));
            }
        }
    }

    /// The next piece of the current part; `None` at its end.
    ///
    /// # Errors
    /// The connection broke or the form is malformed.
    pub async fn piece(&mut self) -> Result<Option<Bytes>, Error> {
        while self.in_part {
            if let Some(at) = find(&self.buffer, &self.delimiter) {
                self.in_part = false;
                let piece = self.buffer.split_to(at).freeze();
                return Ok((!piece.is_empty()).then_some(piece));
            }
            // What might be the beginning of a delimiter stays for the next round.
            let sure = self.buffer.len().saturating_sub(self.delimiter.len() - 1);
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            if !self.fill().await? {
                return Err(malformed("the form ends in the middle of a part"));
            }
        }
        Ok(None)
    }

    async fn fill(&mut self) -> Result<bool, Error> {
        let Some(piece) = self.download.piece().await? else { return Ok(false) };
        self.received += piece.len() as u64;
        self.buffer.extend_from_slice(&piece);
        Ok(true)
    }
}

fn malformed(why: &'static str) -> Error {
    let source = std::io::Error::new(std::io::ErrorKind::InvalidData, why);
    Error::Transfer { what: "cannot read the exported image", source }
}

/// Where `needle` begins in `haystack`. The first byte is searched for alone, which keeps this fast on
/// compressed data.
fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    let (&first, rest) = needle.split_first()?;
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|&byte| byte == first) {
        let at = from + at;
        if haystack[at + 1..].starts_with(rest) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}

/// `name="value"` or `name=value` out of a header.
pub(crate) fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').find_map(|piece| {
        let (key, value) = piece.trim().split_once('=')?;
        key.eq_ignore_ascii_case(name).then(|| value.trim_matches('"').to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_with_and_without_quotes() {
        assert_eq!(parameter("form-data; name=\"x\"; filename=\"a.tar\"", "filename").unwrap(), "a.tar");
        assert_eq!(parameter("inline;filename=a.tar", "filename").unwrap(), "a.tar");
        assert_eq!(parameter("multipart/form-data; boundary=abc", "boundary").unwrap(), "abc");
        assert_eq!(parameter("inline", "filename"), None);
    }

    #[test]
    fn finding() {
        assert_eq!(find(b"aab", b"ab"), Some(1));
        assert_eq!(find(b"aa", b"ab"), None);
        assert_eq!(find(b"xx\r\n--b", b"\r\n--b"), Some(2));
    }
}
