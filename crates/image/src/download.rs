//! A file that comes over the network: hashed while it is written, continued when the connection breaks,
//! and taken from another mirror when one fails.

use crate::fingerprint::Hasher;
use bytes::Bytes;
use http::header::{CONTENT_RANGE, CONTENT_TYPE, ETAG, IF_RANGE, RANGE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;
use transport::Dialer;
use transport::dial::DialError;
use transport::get::{Answer, Get, GetError};

/// How often a broken connection is made again without getting on.
const TRIES: u32 = 5;
/// The first pause before that; each is twice the last.
const PAUSE: Duration = Duration::from_millis(250);
/// What counts as getting on, in bytes: a server that sends a little each time is not asked for ever.
const STEP: u64 = 64 << 10;
/// How much is collected before it is written, in bytes.
const BATCH: usize = 512 << 10;

/// Why a file did not come.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// No connection, or it broke and could not be made again.
    #[error(transparent)]
    Get(#[from] GetError),
    /// Everything came, but it is something else.
    #[error("{url}: what the server sent has the SHA-256 {found}, not {expected} as was promised")]
    Lie {
        /// Of what.
        url: String,
        /// The promised one.
        expected: String,
        /// The real one.
        found: String,
    },
    /// More comes than there should be.
    #[error("{url}: the server sends more than the {expected} bytes that were promised")]
    TooMuch {
        /// Of what.
        url: String,
        /// What was promised.
        expected: u64,
    },
    /// The server has less than there should be.
    #[error("{url}: the server has {found} bytes and not the {expected} that were promised")]
    TooLittle {
        /// Of what.
        url: String,
        /// What was promised.
        expected: u64,
        /// What is there.
        found: u64,
    },
    /// A page for people.
    #[error("{url}: the server sends a web page and not a file; does a proxy or a portal stand between?")]
    Page {
        /// Of what.
        url: String,
    },
    /// The server goes on at another place than it was asked to.
    #[error("{url}: the server cannot go on where the connection broke")]
    Place {
        /// Of what.
        url: String,
    },
    /// It cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Every mirror failed.
    #[error("no mirror has it: {0}")]
    Mirrors(String),
}

/// A file to get.
pub struct Wanted<'a> {
    /// With what to connect.
    pub dialer: &'a Dialer,
    /// Where it is, the preferred mirror first.
    pub urls: &'a [Uri],
    /// Its size in bytes, if it is known.
    pub size: Option<u64>,
    /// The most that is taken, in bytes.
    pub limit: u64,
    /// SHA-256 of everything that was hashed once it is there, this file last.
    pub sha256: Option<&'a str>,
}

/// Where a file goes.
pub struct Target {
    path: PathBuf,
    file: Option<File>,
    begin: Hasher,
    hasher: Hasher,
    received: u64,
    tag: Option<HeaderValue>,
}

/// Hears bytes received and their total.
pub type Progress<'a> = &'a mut (dyn FnMut(u64, Option<u64>) + Send);

impl Target {
    /// A new file, whose bytes go on where `hasher` is.
    ///
    /// # Errors
    /// It exists, or there is no room.
    pub fn create(path: &Path, hasher: Hasher) -> Result<Self, DownloadError> {
        let made = File::create_new(path);
        let file = made.map_err(|source| DownloadError::Write { path: path.to_owned(), source })?;
        let begin = hasher.clone();
        Ok(Self { path: path.to_owned(), file: Some(file), begin, hasher, received: 0, tag: None })
    }

    /// Bytes so far.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Adds pieces.
    ///
    /// # Errors
    /// There is no room.
    pub async fn write(&mut self, pieces: Vec<Bytes>) -> Result<(), DownloadError> {
        let hasher = std::mem::take(&mut self.hasher);
        let length: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let work = move |mut file: File| {
            let mut hasher = hasher;
            for piece in pieces {
                hasher.update(&piece);
                file.write_all(&piece)?;
            }
            Ok((file, hasher))
        };
        self.hasher = self.blocking(work).await?;
        self.received += length;
        Ok(())
    }

    /// Forgets what came.
    async fn restart(&mut self) -> Result<(), DownloadError> {
        let work = |file: File| {
            file.set_len(0)?;
            io::Seek::rewind(&mut &file)?;
            Ok((file, ()))
        };
        self.blocking(work).await?;
        (self.hasher, self.received, self.tag) = (self.begin.clone(), 0, None);
        Ok(())
    }

    /// Puts it on disk; gives the hash back, for the next file.
    ///
    /// # Errors
    /// There is no room.
    pub async fn finish(mut self) -> Result<Hasher, DownloadError> {
        self.blocking(|file| file.sync_all().map(|()| (file, ()))).await?;
        Ok(self.hasher)
    }

    async fn blocking<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(File) -> io::Result<(File, T)> + Send + 'static,
    ) -> Result<T, DownloadError> {
        let failed = |source| DownloadError::Write { path: self.path.clone(), source };
        let file = self.file.take().ok_or_else(|| failed(io::ErrorKind::BrokenPipe.into()))?;
        let done = tokio::task::spawn_blocking(move || work(file)).await;
        let (file, result) = done.map_err(|error| failed(io::Error::other(error)))?.map_err(failed)?;
        self.file = Some(file);
        Ok(result)
    }
}

/// Gets a file from the first mirror that has it whole and true.
///
/// # Errors
/// None has; there is no room.
pub async fn fetch(
    wanted: &Wanted<'_>,
    target: &mut Target,
    progress: Progress<'_>,
) -> Result<(), DownloadError> {
    let mut failures = Vec::new();
    for url in wanted.urls {
        match from_one(wanted, url, target, progress).await {
            Ok(()) => return Ok(()),
            Err(error @ DownloadError::Write { .. }) => return Err(error),
            Err(error) => failures.push(error),
        }
        // What one mirror sent is not mixed with what another has.
        target.restart().await?;
    }
    match (failures.pop(), failures.is_empty()) {
        (Some(only), true) => Err(only),
        (last, _) => {
            let all = failures.iter().chain(last.as_ref()).map(|error| model::story(error));
            Err(DownloadError::Mirrors(all.collect::<Vec<_>>().join("; ")))
        }
    }
}

async fn from_one(
    wanted: &Wanted<'_>,
    url: &Uri,
    target: &mut Target,
    progress: Progress<'_>,
) -> Result<(), DownloadError> {
    let (mut tries, mut pause, mut mark) = (TRIES, PAUSE, target.received);
    loop {
        let result = match ask(wanted, url, target).await {
            Ok(answer) => take(wanted, answer, target, progress).await,
            Err(error) => Err(error),
        };
        let error = match result {
            Ok(()) => return check(wanted, url, target),
            Err(error) => error,
        };
        if target.received >= mark + STEP {
            (tries, pause, mark) = (TRIES, PAUSE, target.received);
        }
        tries -= 1;
        if tries == 0 || !passes(&error, target.received) {
            return Err(error);
        }
        tracing::info!(%url, received = target.received, error = model::story(&error), "a download is continued");
        tokio::time::sleep(pause).await;
        pause *= 2;
    }
}

/// Whether it may be better in a moment.
fn passes(error: &DownloadError, received: u64) -> bool {
    match error {
        DownloadError::Get(GetError::Broken { .. } | GetError::Short { .. } | GetError::Stalled { .. }) => {
            true
        }
        DownloadError::Get(GetError::Dial(DialError::Connect { .. } | DialError::Silent { .. })) => {
            received > 0
        }
        DownloadError::Get(GetError::Status { status, .. }) => {
            received > 0 && (status.is_server_error() || *status == StatusCode::TOO_MANY_REQUESTS)
        }
        _ => false,
    }
}

fn check(wanted: &Wanted<'_>, url: &Uri, target: &Target) -> Result<(), DownloadError> {
    let Some(expected) = wanted.sha256 else { return Ok(()) };
    let found = target.hasher.clone().finish();
    if found == expected {
        return Ok(());
    }
    Err(DownloadError::Lie { url: url.to_string(), expected: expected.to_owned(), found })
}

async fn ask(wanted: &Wanted<'_>, url: &Uri, target: &Target) -> Result<Answer, DownloadError> {
    let mut get = Get::new(wanted.dialer, url.clone());
    if target.received > 0 {
        let range = HeaderValue::try_from(format!("bytes={}-", target.received));
        get.headers.extend(range.ok().map(|range| (RANGE, range)));
        get.headers.extend(target.tag.clone().map(|tag| (IF_RANGE, tag)));
    }
    Ok(get.send().await?)
}

/// Takes in an answer; what the target has already is passed over if the server sends it again.
///
/// # Errors
/// See [`DownloadError`].
pub async fn take(
    wanted: &Wanted<'_>,
    mut answer: Answer,
    target: &mut Target,
    progress: Progress<'_>,
) -> Result<(), DownloadError> {
    let url = answer.url.to_string();
    if is_page(&answer.headers) {
        return Err(DownloadError::Page { url });
    }
    let partial = answer.status == StatusCode::PARTIAL_CONTENT;
    if partial && start_of(&answer.headers) != Some(target.received) {
        return Err(DownloadError::Place { url });
    }
    target.tag = answer.headers.get(ETAG).filter(|tag| tag.as_bytes().starts_with(b"\"")).cloned();
    let mut again = if partial { 0 } else { target.received };
    let total = answer.length().map(|length| if partial { length + target.received } else { length });
    match (total, wanted.size) {
        (Some(total), Some(expected)) if total > expected => {
            return Err(DownloadError::TooMuch { url, expected });
        }
        (Some(found), Some(expected)) if found < expected => {
            return Err(DownloadError::TooLittle { url, expected, found });
        }
        _ => {}
    }
    let (most, total) = (wanted.size.unwrap_or(wanted.limit), wanted.size.or(total));
    let (mut batch, mut waiting) = (Vec::new(), 0);
    loop {
        let mut piece = match answer.piece().await {
            Ok(Some(piece)) => piece,
            Ok(None) => break,
            Err(error) => {
                target.write(batch).await?;
                return Err(error.into());
            }
        };
        let passed = usize::try_from(again).unwrap_or(usize::MAX).min(piece.len());
        let _ = piece.split_to(passed);
        again -= passed as u64;
        waiting += piece.len();
        if target.received + waiting as u64 > most {
            return Err(DownloadError::TooMuch { url, expected: most });
        }
        batch.push(piece);
        progress(target.received + waiting as u64, total);
        if waiting >= BATCH {
            target.write(std::mem::take(&mut batch)).await?;
            waiting = 0;
        }
    }
    target.write(batch).await?;
    match wanted.size {
        Some(expected) if target.received < expected => {
            Err(GetError::Short { url, received: target.received, expected }.into())
        }
        _ => Ok(()),
    }
}

fn is_page(headers: &HeaderMap) -> bool {
    headers.get(CONTENT_TYPE).is_some_and(|value| value.as_bytes().starts_with(b"text/html"))
}

/// Where a part of a file begins.
fn start_of(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_RANGE)?.to_str().ok()?.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use transport::Trust;
    use transport::proxy::Proxies;

    const CONTENT: &str = "0123456789";
    const SHA256: &str = "84d89877f0d4041efb6bf91a16f0248f2fd573e6af05c19f96bedb9f882f7882";

    /// Answers each connection with the next of these; tells what was asked for.
    async fn web(answers: Vec<&'static str>) -> (Uri, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/f", listener.local_addr().unwrap()).parse().unwrap();
        let served = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut tcp, _) = listener.accept().await.unwrap();
                let mut buffer = [0; 4096];
                let length = tcp.read(&mut buffer).await.unwrap();
                asked.push(String::from_utf8_lossy(&buffer[..length]).to_lowercase());
                tcp.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (url, served)
    }

    async fn get(urls: &[Uri], size: Option<u64>) -> (Result<(), DownloadError>, String) {
        let dir = tempfile::tempdir().unwrap();
        let dialer = Dialer::new(&Trust::Anybody, None, Proxies::default()).unwrap();
        let wanted = Wanted { dialer: &dialer, urls, size, limit: 1 << 20, sha256: Some(SHA256) };
        let path = dir.path().join("f");
        let mut target = Target::create(&path, Hasher::new()).unwrap();
        let result = fetch(&wanted, &mut target, &mut |_, _| {}).await;
        let _ = target.finish().await.unwrap();
        (result, std::fs::read_to_string(path).unwrap())
    }

    #[tokio::test]
    async fn a_broken_connection_is_continued() {
        let short = "HTTP/1.1 200 OK\r\nETag: \"a\"\r\nContent-Length: 10\r\n\r\n0123";
        let rest = "HTTP/1.1 206 OK\r\nContent-Range: bytes 4-9/10\r\nContent-Length: 6\r\n\r\n456789";
        let (url, served) = web(vec![short, rest]).await;
        let (result, content) = get(&[url], Some(10)).await;
        assert_eq!((result.is_ok(), content.as_str()), (true, CONTENT));
        let asked = served.await.unwrap();
        assert!(asked[1].contains("range: bytes=4-") && asked[1].contains("if-range: \"a\""), "{asked:?}");
        // A server that knows no ranges sends everything again.
        let (url, _) = web(vec![short, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"]).await;
        assert_eq!(get(&[url], None).await.1, CONTENT);
        let other = "HTTP/1.1 206 OK\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n0123456789";
        let (url, _) = web(vec![short, other]).await;
        assert!(matches!(get(&[url], None).await.0, Err(DownloadError::Place { .. })));
    }

    #[tokio::test]
    async fn each_misbehaviour_is_named_and_a_mirror_helps() {
        let lie = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456780";
        let much = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n01234567890";
        let little = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n012345678";
        let endless = "HTTP/1.1 200 OK\r\n\r\n01234567890";
        let page = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 0\r\n\r\n";
        let none = "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n";
        for (answer, said) in [
            (lie, "not 84d8"),
            (much, "more than the 10 bytes"),
            (endless, "more than the 10 bytes"),
            (little, "has 9 bytes"),
            (page, "web page"),
            (none, "404"),
        ] {
            let (bad, _) = web(vec![answer]).await;
            let error = get(&[bad], Some(10)).await.0.unwrap_err().to_string();
            assert!(error.contains(said), "{error}");
            let (bad, _) = web(vec![answer]).await;
            let (good, _) = web(vec!["HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789"]).await;
            let (result, content) = get(&[bad, good], Some(10)).await;
            assert_eq!((result.is_ok(), content.as_str()), (true, CONTENT), "{answer}");
            let (one, _) = web(vec![answer]).await;
            let (two, _) = web(vec![none]).await;
            let both = get(&[one, two], Some(10)).await.0.unwrap_err().to_string();
            assert!(both.contains(said) && both.contains("404"), "{both}");
        }
    }
}
