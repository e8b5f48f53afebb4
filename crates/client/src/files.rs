//! Files inside containers.

use crate::{Body, Client, Download, Error, containers::at, encode_segment, query::header_value};
use api::files as header;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

/// A path inside a container.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The container.
    pub container: &'a str,
    /// Absolute path inside it.
    pub path: &'a str,
}

/// Who owns a file and who may use it; what is `None` is left to the daemon.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FileMeta {
    /// User id inside the container.
    pub uid: Option<u32>,
    /// Group id inside the container.
    pub gid: Option<u32>,
    /// Permission bits.
    pub mode: Option<u32>,
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
}

/// A file that was asked for.
#[derive(Debug)]
pub enum Entry {
    /// A file, its content still coming.
    File(FileMeta, Download),
    /// A directory and the names in it.
    Directory(FileMeta, Vec<String>),
    /// A link and what it points at.
    Symlink(FileMeta, String),
}

impl Client {
    /// Reads a file, directory or link.
    ///
    /// # Errors
    /// 404 when there is none at this path.
    pub async fn file(&self, place: Place<'_>) -> Result<Entry, Error> {
        let path = path(place);
        let download = self.open(Method::GET, &path, HeaderMap::new(), Body::empty()).await?;
        let headers = download.headers();
        let meta = FileMeta {
            uid: number(headers, header::UID, 10),
            gid: number(headers, header::GID, 10),
            mode: number(headers, header::MODE, 8),
        };
        match headers.get(header::TYPE).map_or(&b"file"[..], HeaderValue::as_bytes) {
            b"directory" => {
                let status = download.status();
                let headers = HeaderMap::new();
                let answer = crate::Answer { status, headers, body: download.bytes().await? };
                Ok(Entry::Directory(meta, crate::query::decode(&path, &answer)?))
            }
            b"symlink" => {
                let target = download.bytes().await?;
                // Servers of level 3.0 add a newline.
                let target = String::from_utf8_lossy(&target).trim_end_matches('\n').to_owned();
                Ok(Entry::Symlink(meta, target))
            }
            _ => Ok(Entry::File(meta, download)),
        }
    }

    /// Writes a file, following links, and replaces what it held.
    ///
    /// # Errors
    /// As the daemon says: no such directory, read-only, out of space.
    pub async fn push_file(&self, place: Place<'_>, meta: FileMeta, content: Body) -> Result<(), Error> {
        self.push(place, EntryKind::File, meta, content).await
    }

    /// Makes a directory; one that is there already takes the owner given.
    ///
    /// # Errors
    /// As the daemon says.
    pub async fn push_directory(&self, place: Place<'_>, meta: FileMeta) -> Result<(), Error> {
        self.push(place, EntryKind::Directory, meta, Body::empty()).await
    }

    /// Makes a symbolic link.
    ///
    /// # Errors
    /// As the daemon says.
    pub async fn push_symlink(&self, place: Place<'_>, meta: FileMeta, target: &str) -> Result<(), Error> {
        self.push(place, EntryKind::Symlink, meta, Body::full(Bytes::copy_from_slice(target.as_bytes())))
            .await
    }

    async fn push(
        &self,
        place: Place<'_>,
        kind: EntryKind,
        meta: FileMeta,
        content: Body,
    ) -> Result<(), Error> {
        let path = path(place);
        let mut headers = HeaderMap::with_capacity(8);
        let kind = match kind {
            EntryKind::File => "file",
            EntryKind::Directory => "directory",
            EntryKind::Symlink => "symlink",
        };
        headers.insert(header::TYPE, HeaderValue::from_static(kind));
        headers.insert(http::header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        if let Some(uid) = meta.uid {
            headers.insert(header::UID, header_value(&path, &uid.to_string())?);
        }
        if let Some(gid) = meta.gid {
            headers.insert(header::GID, header_value(&path, &gid.to_string())?);
        }
        if let Some(mode) = meta.mode {
            headers.insert(header::MODE, header_value(&path, &format!("{mode:04o}"))?);
        }
        let answer = self.raw(Method::POST, &path, headers, content).await?;
        crate::query::decode::<serde::de::IgnoredAny>(&path, &answer).map(drop)
    }

    /// Deletes a file or an empty directory.
    ///
    /// # Errors
    /// 404 when there is none at this path.
    pub async fn delete_file(&self, place: Place<'_>) -> Result<(), Error> {
        self.remove(&path(place)).await
    }
}

fn path(place: Place<'_>) -> String {
    format!("{}/files?path={}", at(place.container), encode_segment(place.path))
}

/// A header as a number; Go servers write modes with a leading `0`.
fn number(headers: &HeaderMap, name: &str, radix: u32) -> Option<u32> {
    u32::from_str_radix(headers.get(name)?.to_str().ok()?, radix).ok()
}
