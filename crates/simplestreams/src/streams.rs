//! A server: its lists are fetched when those on disk are old.

use crate::cache::{Cache, Head, Version, Writer};
use crate::catalog::{self, Catalog, FindError, Listed};
use crate::entry::File;
use crate::mirrors::{MirrorError, Mirrors};
use crate::{index, products};
use bytes::Bytes;
use http::header::{ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED};
use http::{HeaderMap, StatusCode, Uri};
use model::arch::Architecture;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;
use transport::Dialer;
use transport::get::{Answer, Get, GetError};

/// How long lists count as new.
const FRESH: Duration = Duration::from_secs(3600);
/// The longest index, in bytes.
const INDEX: usize = 8 << 20;
/// The longest list of products, in bytes.
const LIST: u64 = 256 << 20;
/// How many pieces of a list may wait for being read.
const PIECES: usize = 16;

/// How new the lists have to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Those of the last hour will do.
    Recent,
    /// The server is asked.
    Now,
}

/// What went wrong with a server.
#[derive(Debug, thiserror::Error)]
pub enum StreamsError {
    /// The address.
    #[error(transparent)]
    Address(#[from] MirrorError),
    /// A document could not be fetched.
    #[error("cannot read the list of images")]
    Get(#[from] GetError),
    /// A document is not what it should be.
    #[error("{url} is not what an image server has there; is it one of the simplestreams kind?")]
    Odd {
        /// Which.
        url: String,
        /// Where it goes wrong.
        source: serde_json::Error,
    },
    /// A document is too long.
    #[error("{url} is longer than {limit} bytes")]
    TooLong {
        /// Which.
        url: String,
        /// What would be taken.
        limit: u64,
    },
    /// Lists cannot be kept.
    #[error("cannot keep the list of images in {}", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No such image.
    #[error(transparent)]
    Find(#[from] FindError),
}

/// An image of a server.
#[derive(Clone, Debug)]
pub struct Found {
    /// The image.
    pub listed: Listed,
    /// It was asked for by a name, not by its fingerprint.
    pub by_name: bool,
    /// Why the server could not be asked; then this is what it last said.
    pub stale: Option<String>,
}

/// An image server. Cheap to clone; holds no lists in memory.
#[derive(Clone, Debug)]
pub struct Streams {
    mirrors: Mirrors,
    dialer: Dialer,
    cache: Cache,
    native: Architecture,
    stripped: &'static str,
}

impl Streams {
    /// A server at an address, or several addresses of it separated by commas or blanks. What it lists
    /// is kept in `cache_dir`, which is made when it is missing.
    ///
    /// # Errors
    /// The address is none.
    pub fn new(server: &str, dialer: Dialer, cache_dir: &Path) -> Result<Self, StreamsError> {
        let mirrors = Mirrors::parse(server)?;
        // Ubuntu's own server calls its images ubuntu/16.04, and people call them ubuntu:16.04.
        let ubuntu = server.starts_with("https://cloud-images.ubuntu.com");
        Ok(Self {
            mirrors,
            dialer,
            cache: Cache::new(cache_dir, server),
            native: native(),
            stripped: if ubuntu { "ubuntu/" } else { "" },
        })
    }

    /// For a host of another architecture than this program was made for.
    #[must_use]
    pub fn with_native(self, native: Architecture) -> Self {
        Self { native, ..self }
    }

    /// Where a file of an image is, on each of the server's addresses.
    #[must_use]
    pub fn urls(&self, file: &File) -> Vec<Uri> {
        self.mirrors.of(&file.path)
    }

    /// All images, and why the server could not be asked if it could not.
    ///
    /// # Errors
    /// There is no list on disk either.
    pub async fn catalog(&self, look: Look) -> Result<(Catalog, Option<String>), StreamsError> {
        let stale = self.prepare(look).await?;
        let (cache, native) = (self.cache.clone(), self.native);
        let read = move || cache.entries(|_| true).map(|entries| Catalog::new(entries, native));
        let catalog = blocking(read).await.map_err(|source| self.cache_error(source))?;
        Ok((catalog, stale))
    }

    /// The image that a name, or the beginning of a fingerprint, means. The server is asked again before
    /// it is said to have none.
    ///
    /// # Errors
    /// There is none, or several; there are no lists.
    pub async fn find(&self, name: &str, look: Look) -> Result<Found, StreamsError> {
        let age = self.cache.age();
        let stale = self.prepare(look).await?;
        match self.find_in_cache(name, stale).await {
            // The lists may be up to an hour old.
            Err(StreamsError::Find(FindError::None(_)))
                if look == Look::Recent && age.is_some_and(|age| age < FRESH) =>
            {
                let stale = self.prepare(Look::Now).await?;
                self.find_in_cache(name, stale).await
            }
            result => result,
        }
    }

    async fn find_in_cache(&self, name: &str, stale: Option<String>) -> Result<Found, StreamsError> {
        let (cache, native, wanted) = (self.cache.clone(), self.native, name.to_owned());
        let read = move || cache.entries(|entry| catalog::may_be(entry, &wanted, native));
        let entries = blocking(read).await.map_err(|source| self.cache_error(source))?;
        let (entry, by_name) = catalog::choose(entries, name, self.native)?;
        let names = if by_name { vec![name.to_owned()] } else { Vec::new() };
        Ok(Found { listed: entry.listed(names), by_name, stale })
    }

    /// Brings the lists on disk up to date. Some: why that was not possible.
    async fn prepare(&self, look: Look) -> Result<Option<String>, StreamsError> {
        let recent = self.cache.age().is_some_and(|age| age < FRESH);
        let cache = self.cache.clone();
        let head = tokio::task::spawn_blocking(move || cache.head()).await.unwrap_or_default();
        if recent && head.is_some() && look == Look::Recent {
            return Ok(None);
        }
        match (self.refresh(head.clone().unwrap_or_default()).await, head) {
            (Ok(()), _) => Ok(None),
            (Err(error), Some(_)) => {
                let story = model::story(&error);
                tracing::warn!(error = story, "the image server cannot be asked; what it last said is used");
                Ok(Some(story))
            }
            (Err(error), None) => Err(error),
        }
    }

    async fn refresh(&self, head: Head) -> Result<(), StreamsError> {
        let mut first = None;
        for base in self.mirrors.all() {
            match self.refresh_from(base, &head).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::debug!(%base, error = model::story(&error), "an address of an image server failed");
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| MirrorError(String::new()).into()))
    }

    /// Fetches what changed. When a list changed, all are fetched.
    async fn refresh_from(&self, base: &Uri, head: &Head) -> Result<(), StreamsError> {
        let (version, paths) = match self.ask(base, "streams/v1/index.json", &head.index).await? {
            Some(answer) => {
                let (url, version) = (answer.url.to_string(), version(&answer.headers));
                let text = answer.text(INDEX).await?;
                let text = text.ok_or(StreamsError::TooLong { url: url.clone(), limit: INDEX as u64 })?;
                (version, index::parse(&text).map_err(|source| StreamsError::Odd { url, source })?)
            }
            None => (head.index.clone(), head.lists.iter().map(|(path, _)| path.clone()).collect()),
        };
        let known: Vec<&String> = head.lists.iter().map(|(path, _)| path).collect();
        let mut answers = Vec::new();
        if paths.iter().eq(known.iter().copied()) && !paths.is_empty() {
            for (path, version) in &head.lists {
                match self.ask(base, path, version).await? {
                    None => answers.push(None),
                    answer => {
                        answers.push(answer);
                        break;
                    }
                }
            }
            if answers.iter().all(Option::is_none) && version == head.index {
                return self.cache.touch().map_err(|source| self.cache_error(source));
            }
        }
        let mut writer = self.cache.begin(version).map_err(|source| self.cache_error(source))?;
        for (place, path) in paths.iter().enumerate() {
            let answer = match answers.get_mut(place).and_then(Option::take) {
                Some(answer) => Some(answer),
                None => self.ask(base, path, &Version::default()).await?,
            };
            if let Some(answer) = answer {
                writer = self.list(writer, path, answer).await?;
            }
        }
        blocking(move || writer.finish()).await.map_err(|source| self.cache_error(source))
    }

    /// Asks for a document. None: it is still the version that is known.
    async fn ask(&self, base: &Uri, path: &str, known: &Version) -> Result<Option<Answer>, StreamsError> {
        let url = Mirrors::parse(&base.to_string())?.of(path).pop();
        let mut get = Get::new(&self.dialer, url.ok_or_else(|| MirrorError(path.to_owned()))?);
        set(&mut get.headers, IF_NONE_MATCH, &known.etag);
        set(&mut get.headers, IF_MODIFIED_SINCE, &known.modified);
        match get.send().await {
            Ok(answer) => Ok(Some(answer)),
            Err(GetError::Status { status: StatusCode::NOT_MODIFIED, .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads a list while it comes in.
    async fn list(&self, mut writer: Writer, path: &str, mut answer: Answer) -> Result<Writer, StreamsError> {
        let (sender, receiver) = mpsc::channel(PIECES);
        let (stripped, path, version) = (self.stripped, path.to_owned(), version(&answer.headers));
        let reading = tokio::task::spawn_blocking(move || {
            writer.list(path, version).map_err(Unread::Full)?;
            let pieces = io::BufReader::new(Pieces { receiver, piece: Bytes::new() });
            read_list(&mut writer, pieces, stripped).map(|()| writer)
        });
        let (url, mut length) = (answer.url.to_string(), 0);
        let mut failed = None;
        loop {
            let piece = match answer.piece().await {
                Ok(Some(piece)) => piece,
                Ok(None) => break,
                Err(error) => {
                    failed = Some(StreamsError::from(error));
                    break;
                }
            };
            length += piece.len() as u64;
            if length > LIST {
                failed = Some(StreamsError::TooLong { url: url.clone(), limit: LIST });
                break;
            }
            // Whoever reads has failed and says why below.
            if sender.send(piece).await.is_err() {
                break;
            }
        }
        drop(sender);
        let read = reading.await.map_err(|error| self.cache_error(io::Error::other(error)))?;
        match (failed, read) {
            (Some(error), _) => Err(error),
            (None, Ok(writer)) => Ok(writer),
            (None, Err(Unread::Full(source))) => Err(self.cache_error(source)),
            (None, Err(Unread::Odd(source))) => Err(StreamsError::Odd { url, source }),
        }
    }

    fn cache_error(&self, source: io::Error) -> StreamsError {
        StreamsError::Cache { path: self.cache.path().to_owned(), source }
    }
}

/// What reading a list fails with.
#[derive(Debug)]
enum Unread {
    Odd(serde_json::Error),
    Full(io::Error),
}

/// Reads a list into the file.
fn read_list(writer: &mut Writer, from: impl Read, stripped: &str) -> Result<(), Unread> {
    let mut full = None;
    let mut keep = |entry| {
        writer.image(entry).map_err(|error| {
            let told = io::Error::from(error.kind());
            full = Some(error);
            told
        })
    };
    let read = products::read(from, stripped, &mut keep);
    match (read, full) {
        (_, Some(error)) => Err(Unread::Full(error)),
        (read, None) => read.map_err(Unread::Odd),
    }
}

/// The pieces of a body, for a reader that waits.
struct Pieces {
    receiver: mpsc::Receiver<Bytes>,
    piece: Bytes,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.receiver.blocking_recv() {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = self.piece.len().min(buffer.len());
        buffer[..count].copy_from_slice(&self.piece.split_to(count));
        Ok(count)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Some(value) = Some(value).filter(|value| !value.is_empty()).and_then(|value| value.parse().ok()) {
        headers.insert(name, value);
    }
}

fn version(headers: &HeaderMap) -> Version {
    let get = |name| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let short = |text: &str| if text.len() > 256 { String::new() } else { text.to_owned() };
    Version { etag: short(get(ETAG)), modified: short(get(LAST_MODIFIED)) }
}

/// The architecture that this program was made for.
fn native() -> Architecture {
    let name = match std::env::consts::ARCH {
        "x86" => "i686",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        "powerpc64" => "ppc64",
        name => name,
    };
    Architecture::parse(name).unwrap_or(Architecture::X86_64)
}
