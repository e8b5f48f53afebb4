//! What was read of a server, kept on disk: a line of JSON for each image.
//!
//! The time of the last look at the server is the file's. A file is replaced as a whole.

use crate::entry::Entry;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What a server says about a document, to be asked whether it is still the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Version {
    /// The header `ETag`.
    pub(crate) etag: String,
    /// The header `Last-Modified`.
    pub(crate) modified: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    /// Comes first.
    Server {
        server: String,
        index: Version,
    },
    /// A list of products.
    List {
        path: String,
        version: Version,
    },
    Image(Box<Entry>),
}

/// What a file is made of besides images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) index: Version,
    pub(crate) lists: Vec<(String, Version)>,
}

/// The file of one server.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    path: PathBuf,
    server: String,
}

impl Cache {
    pub(crate) fn new(directory: &Path, server: &str) -> Self {
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let name: String = server.trim_start_matches("https://").chars().take(100).map(plain).collect();
        // FNV-1a: tells apart what the name does not.
        let hash = server.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        });
        Self { path: directory.join(format!("{name}-{hash:016x}.jsonl")), server: server.to_owned() }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How long ago the server was looked at. None: never, or in the future.
    pub(crate) fn age(&self) -> Option<Duration> {
        let seen = std::fs::metadata(&self.path).and_then(|meta| meta.modified()).ok()?;
        SystemTime::now().duration_since(seen).ok()
    }

    /// The server was looked at just now and has nothing new.
    pub(crate) fn touch(&self) -> io::Result<()> {
        File::options().append(true).open(&self.path)?.set_modified(SystemTime::now())
    }

    /// Where it came from. None: there is no file, or it cannot be used.
    pub(crate) fn head(&self) -> Option<Head> {
        let mut head = None;
        let line = |line: Line| match (line, &mut head) {
            (Line::Server { server, index }, None) if server == self.server => {
                head = Some(Head { index, lists: Vec::new() });
            }
            (Line::List { path, version }, Some(head)) => head.lists.push((path, version)),
            _ => {}
        };
        self.lines(line).ok()?;
        head
    }

    /// The images that `keep` wants.
    pub(crate) fn entries(&self, keep: impl Fn(&Entry) -> bool) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        self.lines(|line| match line {
            Line::Image(entry) if keep(&entry) => entries.push(*entry),
            _ => {}
        })?;
        Ok(entries)
    }

    fn lines(&self, mut each: impl FnMut(Line)) -> io::Result<()> {
        let mut file = BufReader::new(File::open(&self.path)?);
        let mut text = String::new();
        while file.read_line(&mut text)? > 0 {
            each(serde_json::from_str(&text)?);
            text.clear();
        }
        Ok(())
    }

    /// Begins a new file beside the old one.
    pub(crate) fn begin(&self, index: Version) -> io::Result<Writer> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(directory)?;
        let file = BufWriter::new(tempfile::NamedTempFile::new_in(directory)?);
        let mut writer = Writer { file, path: self.path.clone() };
        writer.line(&Line::Server { server: self.server.clone(), index })?;
        Ok(writer)
    }
}

/// A new file that is being written. Dropped, it is gone.
pub(crate) struct Writer {
    file: BufWriter<tempfile::NamedTempFile>,
    path: PathBuf,
}

impl Writer {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        serde_json::to_writer(&mut self.file, line)?;
        self.file.write_all(b"\n")
    }

    /// The images that follow are of this list.
    pub(crate) fn list(&mut self, path: String, version: Version) -> io::Result<()> {
        self.line(&Line::List { path, version })
    }

    pub(crate) fn image(&mut self, entry: Entry) -> io::Result<()> {
        self.line(&Line::Image(Box::new(entry)))
    }

    /// Everything is there: puts it in the place of the old file.
    pub(crate) fn finish(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_data()?;
        file.persist(&self.path).map(drop).map_err(|error| error.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let cache = Cache::new(&dir.path().join("deep"), "https://a/b");
        assert_eq!((cache.head(), cache.age()), (None, None));
        let version = Version { etag: "\"x\"".to_owned(), modified: String::new() };
        let mut writer = cache.begin(version.clone()).unwrap();
        writer.list("streams/v1/a.json".to_owned(), Version::default()).unwrap();
        drop(writer);
        assert_eq!(cache.head(), None);
        let mut writer = cache.begin(version.clone()).unwrap();
        writer.list("streams/v1/a.json".to_owned(), Version::default()).unwrap();
        writer.finish().unwrap();
        let head = cache.head().unwrap();
        assert_eq!((head.index, head.lists.len()), (version, 1));
        assert!(cache.age().unwrap() < Duration::from_secs(600));
        cache.touch().unwrap();
        std::fs::write(cache.path(), "{\"torn").unwrap();
        assert_eq!(cache.head(), None);
        assert!(cache.entries(|_| true).is_err());
        assert_ne!(
            Cache::new(dir.path(), "https://a-b").path(),
            Cache::new(dir.path(), "https://a/b").path()
        );
    }
}
