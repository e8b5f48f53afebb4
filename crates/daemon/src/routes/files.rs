//! `…/files`: files inside a container, read, written and removed from outside.

use crate::wire::{Answer, Content, Params, Path, Range, Refusal, Segment, done, sync};
use api::files::{GID, MODE, TYPE, UID, WRITE};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;
use instance::files::Ownership;
use instance::instances::Instances;
use model::runtime::protocol::{FileKind, FileReply};
use std::fs::File;
use std::io::{Read as _, Write as _};
use tokio::sync::mpsc;

/// Content up to this size is received before the file is opened, in bytes.
const SMALL: usize = 1024 * 1024;
/// The longest target of a symbolic link (`PATH_MAX`), in bytes.
const TARGET: usize = 4096;
/// How many pieces of a large file may wait to be written.
const AHEAD: usize = 16;

/// Parameters of all three verbs.
#[derive(serde::Deserialize)]
pub(crate) struct FileParams {
    #[serde(default)]
    path: String,
}

impl FileParams {
    /// The path, absolute.
    fn path(self) -> Result<String, Refusal> {
        match self.path.as_str() {
            "" => Err(Refusal::bad_request("Missing the parameter 'path'")),
            path if path.starts_with('/') => Ok(self.path),
            path => Ok(format!("/{path}")),
        }
    }
}

/// `GET …/files?path=`.
pub(crate) async fn get(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<FileParams>,
    request: HeaderMap,
) -> Answer {
    let path = params.path()?;
    let files = instances.files(&name).await?;
    let (reply, file) = files.get(&path).await?;
    let mut response = match (&reply.kind, file) {
        (FileKind::File, Some(file)) => content(&request, &reply, file).await?,
        (FileKind::File, None) => return Err(Refusal::internal(format!("The file {path} cannot be read"))),
        (FileKind::Directory(Some(names)), _) => sync(names)?,
        (FileKind::Directory(None), listing) => sync(&long_listing(listing).await?)?,
        (FileKind::Symlink(target), _) => octets(target.clone().into_bytes().into()),
    };
    let headers = response.headers_mut();
    headers.insert(UID, reply.uid.into());
    headers.insert(GID, reply.gid.into());
    let mode = HeaderValue::from_str(&format!("{:04o}", reply.mode & 0o7777)).map_err(Refusal::unexpected)?;
    headers.insert(MODE, mode);
    let kind = match reply.kind {
        FileKind::File => "file",
        FileKind::Directory(_) => "directory",
        FileKind::Symlink(_) => "symlink",
    };
    headers.insert(TYPE, HeaderValue::from_static(kind));
    if !matches!(reply.kind, FileKind::Directory(_))
        && let Ok(value) = HeaderValue::from_str(&format!("inline;filename={}", base(&path)))
    {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    Ok(response)
}

fn octets(body: Body) -> Response {
    let mut response = Response::new(body);
    let value = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, value);
    response
}

fn base(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or(path)
}

/// A file's content, or the part that is asked for.
async fn content(request: &HeaderMap, reply: &FileReply, file: File) -> Answer {
    let size = reply.size;
    if size == 0 {
        return unsized_content(file).await;
    }
    let range = Range::requested(request, size).map_err(|error| Refusal::range(error.to_string()))?;
    let (start, length) = range.map_or((0, size), |range| (range.start, range.length));
    let (body, length) = Content::of(vec![Segment::File { file, start, length }]).await?;
    let mut response = octets(body);
    let headers = response.headers_mut();
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(header::CONTENT_LENGTH, length.into());
    if let Some(range) = range {
        let value = HeaderValue::from_str(&range.content_range(size)).map_err(Refusal::unexpected)?;
        headers.insert(header::CONTENT_RANGE, value);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The content of a file that says it is empty: those of /proc and /sys are not. Bounded, because
/// nothing says where it ends.
async fn unsized_content(file: File) -> Answer {
    let read = move || {
        let mut bytes = Vec::new();
        file.take(SMALL as u64).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = tokio::task::spawn_blocking(read).await.map_err(Refusal::unexpected)??;
    Ok(octets(bytes.into()))
}

/// A listing that did not fit a packet.
async fn long_listing(listing: Option<File>) -> Result<Vec<String>, Refusal> {
    let Some(mut file) = listing else {
        return Err(Refusal::internal("The directory's listing did not come"));
    };
    let read = move || {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = tokio::task::spawn_blocking(read).await.map_err(Refusal::unexpected)??;
    serde_json::from_slice(&bytes).map_err(Refusal::unexpected)
}

/// What a request's headers say about a file to make.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    File { append: bool },
    Directory,
    Symlink,
}

impl Wanted {
    fn of(headers: &HeaderMap) -> Result<Self, Refusal> {
        let text = |name| headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        let append = match text(WRITE).as_deref() {
            None | Some("" | "overwrite") => false,
            Some("append") => true,
            Some(other) => return Err(Refusal::bad_request(format!("Bad file write mode: {other}"))),
        };
        match text(TYPE).as_deref() {
            None | Some("" | "file") => Ok(Self::File { append }),
            Some("directory") => Ok(Self::Directory),
            Some("symlink") => Ok(Self::Symlink),
            Some(other) => Err(Refusal::bad_request(format!("Bad file type: {other}"))),
        }
    }
}

/// Owner and mode in a request's headers; what is not understood is ignored, as it always was.
fn ownership(headers: &HeaderMap) -> Ownership {
    let number = |name| -> Option<u32> { headers.get(name)?.to_str().ok()?.trim().parse().ok() };
    let mode = headers.get(MODE).and_then(|value| value.to_str().ok()).and_then(mode);
    Ownership { uid: number(UID), gid: number(GID), mode }
}

/// Permission bits: octal when they begin with a zero, else decimal, as programs of 2016 read them.
fn mode(text: &str) -> Option<u32> {
    let text = text.trim();
    let (digits, radix) = match text.as_bytes() {
        [b'0', b'x' | b'X', ..] => (&text[2..], 16),
        [b'0', b'o' | b'O', ..] => (&text[2..], 8),
        [b'0', b'b' | b'B', ..] => (&text[2..], 2),
        [b'0', _, ..] => (&text[1..], 8),
        _ => (text, 10),
    };
    u32::from_str_radix(digits, radix).ok().map(|mode| mode & 0o7777)
}

/// `POST …/files?path=`.
pub(crate) async fn post(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<FileParams>,
    headers: HeaderMap,
    mut body: Body,
) -> Answer {
    let path = params.path()?;
    let (wanted, owner) = (Wanted::of(&headers)?, ownership(&headers));
    let files = instances.files(&name).await?;
    match wanted {
        Wanted::File { append } => {
            let (first, complete) = receive(&mut body, SMALL).await?;
            let put = files.put(&path, append, owner).await.map_err(|error| instances.explain(error))?;
            let written = write(put.file, first, (!complete).then_some(body), &path).await;
            if let Err(failed) = written {
                if put.is_new {
                    // Half a file is worse than none. That it cannot be removed is the smaller news.
                    let _ = files.remove(&path).await;
                }
                return Err(match failed {
                    Interrupted::Disk(error) => instances.explain(error).into(),
                    Interrupted::Client(refusal) => refusal,
                });
            }
        }
        Wanted::Directory => files.make_dir(&path, owner).await?,
        Wanted::Symlink => {
            let (target, complete) = receive(&mut body, TARGET).await?;
            let target = String::from_utf8(target.concat())
                .map_err(|_| Refusal::bad_request("The target of a symbolic link is not text"))?;
            if !complete || target.len() >= TARGET {
                return Err(Refusal::bad_request("The target of a symbolic link is too long"));
            }
            files.symlink(&path, &target, owner).await?;
        }
    }
    done()
}

/// Receives about `limit` bytes of a body, and whether that is all of it.
async fn receive(body: &mut Body, limit: usize) -> Result<(Vec<Bytes>, bool), Refusal> {
    let (mut pieces, mut size) = (Vec::new(), 0);
    while size < limit {
        match next(body).await? {
            Some(piece) => {
                size += piece.len();
                pieces.push(piece);
            }
            None => return Ok((pieces, true)),
        }
    }
    Ok((pieces, false))
}

/// The next piece of a body.
async fn next(body: &mut Body) -> Result<Option<Bytes>, Refusal> {
    while let Some(frame) = body.frame().await {
        let frame =
            frame.map_err(|error| Refusal::bad_request(format!("The file did not arrive whole: {error}")))?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

/// Why a file is not there as a whole.
#[derive(Debug)]
enum Interrupted {
    /// The container's file system said no.
    Disk(instance::Error),
    /// The rest did not arrive.
    Client(Refusal),
}

/// Writes what has arrived, and then the rest as it arrives.
async fn write(mut file: File, first: Vec<Bytes>, rest: Option<Body>, path: &str) -> Result<(), Interrupted> {
    let (sender, mut receiver) = mpsc::channel::<Bytes>(AHEAD);
    let writing = tokio::task::spawn_blocking(move || {
        for piece in first {
            file.write_all(&piece)?;
        }
        while let Some(piece) = receiver.blocking_recv() {
            file.write_all(&piece)?;
        }
        Ok::<_, std::io::Error>(())
    });
    let mut arrived = Ok(());
    if let Some(mut body) = rest {
        loop {
            match next(&mut body).await {
                Ok(Some(piece)) => {
                    if sender.send(piece).await.is_err() {
                        break;
                    }
                }
                Ok(None) => break,
                Err(refusal) => {
                    arrived = Err(Interrupted::Client(refusal));
                    break;
                }
            }
        }
    }
    drop(sender);
    let written = writing.await.map_err(|error| Interrupted::Client(Refusal::unexpected(error)))?;
    written.map_err(|source| Interrupted::Disk(instance::Error::Write { path: path.to_owned(), source }))?;
    arrived
}

/// `DELETE …/files?path=`.
pub(crate) async fn delete(
    State(instances): State<Instances>,
    Path(name): Path<String>,
    Params(params): Params<FileParams>,
) -> Answer {
    let path = params.path()?;
    instances.files(&name).await?.remove(&path).await?;
    done()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_octal_when_they_begin_with_a_zero() {
        assert_eq!(mode("0644"), Some(0o644));
        assert_eq!(mode("0"), Some(0));
        assert_eq!(mode("644"), Some(644));
        assert_eq!(mode("0o755"), Some(0o755));
        assert_eq!(mode("0x1ff"), Some(0o777));
        assert_eq!(mode("0104755"), Some(0o4755));
        for bad in ["", "rw", "-1", "0888", "0x", "99999999999"] {
            assert_eq!(mode(bad), None, "{bad}");
        }
    }

    #[test]
    fn headers_say_what_to_make() {
        let wanted = |headers: &[(&'static str, &'static str)]| {
            let map = headers
                .iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), HeaderValue::from_static(value)));
            Wanted::of(&map.collect())
        };
        assert_eq!(wanted(&[]).unwrap(), Wanted::File { append: false });
        assert_eq!(wanted(&[(WRITE, "append")]).unwrap(), Wanted::File { append: true });
        assert_eq!(wanted(&[(TYPE, "directory")]).unwrap(), Wanted::Directory);
        assert_eq!(wanted(&[(TYPE, "symlink")]).unwrap(), Wanted::Symlink);
        assert_eq!(wanted(&[(TYPE, "fifo")]).unwrap_err().code(), 400);
        assert_eq!(wanted(&[(WRITE, "truncate")]).unwrap_err().code(), 400);
    }

    #[test]
    fn paths_are_absolute_and_given() {
        let path = |path: &str| FileParams { path: path.to_owned() }.path();
        assert_eq!(path("etc/hosts").unwrap(), "/etc/hosts");
        assert_eq!(path("/etc/hosts").unwrap(), "/etc/hosts");
        assert_eq!(path("").unwrap_err().code(), 400);
        assert_eq!(base("/etc/hosts"), "hosts");
        assert_eq!(base("/etc/"), "etc");
    }

    #[tokio::test]
    async fn files_of_every_size_arrive_whole() {
        for size in [0, 1, SMALL, 3 * SMALL + 5] {
            let content: Vec<u8> = (0..size).map(|i| (i % 253) as u8).collect();
            let pieces: Vec<_> = content
                .chunks(100_000)
                .map(|piece| Ok::<_, std::io::Error>(Bytes::copy_from_slice(piece)))
                .collect();
            let mut body = Body::from_stream(futures_util::stream::iter(pieces));
            let file = tempfile::NamedTempFile::new().unwrap();
            let (first, complete) = receive(&mut body, SMALL).await.unwrap();
            write(file.reopen().unwrap(), first, (!complete).then_some(body), "/x").await.unwrap();
            assert!(std::fs::read(file.path()).unwrap() == content, "{size}");
        }
    }
}
