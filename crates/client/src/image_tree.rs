//! A directory that any web server makes an image server of the simplestreams kind.
//!
//! Files come first, each image in a directory of its own that appears when it is whole; then the
//! lists are replaced, so that whoever reads them finds all that they name.

use crate::{Client, Error, PartReader, Received};
use api::Time;
use api::images::Image;
use sha2::{Digest, Sha256};
use simplestreams::tree::{INDEX, PRODUCTS, Tree, TreeError, TreeFile, TreeKind};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const IMAGES: &str = "images";

/// Why a directory of images was not changed.
#[derive(Debug, thiserror::Error)]
pub enum ImageTreeError {
    /// The daemon.
    #[error(transparent)]
    Client(#[from] Error),
    /// A file of the directory.
    #[error("cannot {step} {}", path.display())]
    File {
        /// What was being done.
        step: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The lists that are there.
    #[error("{} cannot be extended", path.display())]
    List {
        /// The list.
        path: PathBuf,
        /// Why.
        source: TreeError,
    },
    /// Somebody else is at it.
    #[error("another program is changing {}: try again later", path.display())]
    Busy {
        /// The directory.
        path: PathBuf,
    },
    /// What came is not the image.
    #[error("the server sent an image with the fingerprint {found} instead of {wanted}")]
    Wrong {
        /// What was asked for.
        wanted: String,
        /// What came.
        found: String,
    },
}

/// An image in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The product that it is a version of.
    pub product: String,
    /// Its version.
    pub version: String,
    /// False: its files were there.
    pub is_new: bool,
}

/// A directory of images that nobody else changes meanwhile.
pub struct ImageTree {
    directory: PathBuf,
    tree: Tree,
    _lock: File,
}

impl ImageTree {
    /// Opens a directory; makes it if it is missing.
    ///
    /// # Errors
    /// It cannot be made; somebody else is at it; its lists cannot be read.
    pub fn open(directory: &Path) -> Result<Self, ImageTreeError> {
        for below in [IMAGES, "streams/v1"] {
            let path = directory.join(below);
            fs::create_dir_all(&path).map_err(failed("make", &path))?;
        }
        let path = directory.join(".lock");
        let lock = File::create(&path).map_err(failed("make", &path))?;
        lock.try_lock().map_err(|_| ImageTreeError::Busy { path: directory.to_owned() })?;
        let path = directory.join(PRODUCTS);
        let text = match fs::read(&path) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) => return Err(failed("read", &path)(error)),
        };
        let tree = Tree::parse(text.as_deref()).map_err(|source| ImageTreeError::List { path, source })?;
        Ok(Self { directory: directory.to_owned(), tree, _lock: lock })
    }

    /// Adds an image of a daemon. `store` are all its images. `progress` hears the bytes so far and
    /// their total.
    ///
    /// # Errors
    /// [`ImageTreeError`]; nothing is listed that is not there.
    pub async fn add(
        &mut self,
        client: &Client,
        image: &Image,
        store: &[Image],
        mut progress: impl FnMut(u64, Option<u64>),
    ) -> Result<Listed, ImageTreeError> {
        let others = store.iter().filter(|other| other.fingerprint != image.fingerprint);
        let elsewhere: BTreeSet<String> =
            others.flat_map(|other| &other.aliases).map(|alias| alias.name.clone()).collect();
        let files = if self.has_files(&image.fingerprint) {
            None
        } else {
            Some(self.fetch(client, &image.fingerprint, &mut progress).await?)
        };
        let added = self.tree.add(image, &elsewhere, files.as_deref());
        let (product, version) = added.map_err(|source| self.list_error(source))?;
        Ok(Listed { fingerprint: image.fingerprint.clone(), product, version, is_new: files.is_some() })
    }

    /// Writes the lists.
    ///
    /// # Errors
    /// [`ImageTreeError`]; each list is the old or the new one.
    pub fn save(&self) -> Result<(), ImageTreeError> {
        let (products, index) = self.tree.texts(Time::now());
        self.replace(PRODUCTS, &products)?;
        self.replace(INDEX, &index)
    }

    /// Removes all other images: first from the lists, then their files. Returns how many went.
    ///
    /// # Errors
    /// [`ImageTreeError`].
    pub fn keep_only(&mut self, wanted: &BTreeSet<String>) -> Result<usize, ImageTreeError> {
        self.tree.keep_only(wanted);
        self.save()?;
        let listed = self.tree.images();
        let images = self.directory.join(IMAGES);
        let mut gone = 0;
        for entry in fs::read_dir(&images).map_err(failed("list", &images))? {
            let entry = entry.map_err(failed("list", &images))?;
            // Nothing but what we have made: a directory named after a fingerprint.
            let name = entry.file_name().to_string_lossy().into_owned();
            if is_fingerprint(&name) && !listed.contains(&name) {
                fs::remove_dir_all(entry.path()).map_err(failed("remove", &entry.path()))?;
                gone += 1;
            }
        }
        Ok(gone)
    }

    fn list_error(&self, source: TreeError) -> ImageTreeError {
        ImageTreeError::List { path: self.directory.join(PRODUCTS), source }
    }

    fn has_files(&self, fingerprint: &str) -> bool {
        let whole = |(path, size): &(String, u64)| {
            fs::metadata(self.directory.join(path)).is_ok_and(|found| found.is_file() && found.len() == *size)
        };
        self.tree.files(fingerprint).is_some_and(|files| !files.is_empty() && files.iter().all(whole))
    }

    /// Gets the files of an image into a directory of its own.
    async fn fetch(
        &self,
        client: &Client,
        fingerprint: &str,
        progress: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<Vec<TreeFile>, ImageTreeError> {
        if !is_fingerprint(fingerprint) {
            let found = fingerprint.escape_default().to_string();
            return Err(ImageTreeError::Wrong { wanted: "64 hexadecimal digits".to_owned(), found });
        }
        let temporary = Temporary::make(self.directory.join(IMAGES).join(format!(".new-{fingerprint}")))?;
        let mut whole = Sha256::new();
        let mut files = Vec::new();
        match client.export_image(fingerprint).await? {
            Received::Unified(name, mut download) => {
                let total = download.length();
                let mut file = temporary.begin("lxd_combined", name.as_deref())?;
                while let Some(piece) = download.piece().await? {
                    whole.update(&piece);
                    file.write(&piece)?;
                    progress(file.size, total);
                }
                files.push(file.finish(TreeKind::Unified, fingerprint)?);
            }
            Received::Split(parts) => {
                files = split(parts, &temporary, &mut whole, fingerprint, progress).await?;
            }
        }
        let found = hexadecimal(whole);
        if found != fingerprint {
            return Err(ImageTreeError::Wrong { wanted: fingerprint.to_owned(), found });
        }
        temporary.keep(&self.directory.join(IMAGES).join(fingerprint))?;
        Ok(files)
    }

    /// The new content or the old one, never half of either.
    fn replace(&self, name: &str, text: &str) -> Result<(), ImageTreeError> {
        let path = self.directory.join(name);
        let new = path.with_extension("json.new");
        let write = || {
            let mut file = File::create(&new)?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            fs::rename(&new, &path)
        };
        write().map_err(failed("write", &path))
    }
}

async fn split(
    mut parts: PartReader,
    temporary: &Temporary,
    whole: &mut Sha256,
    fingerprint: &str,
    progress: &mut impl FnMut(u64, Option<u64>),
) -> Result<Vec<TreeFile>, ImageTreeError> {
    let total = parts.length();
    let mut files = Vec::new();
    while let Some(name) = parts.next_part().await? {
        let is_metadata = files.is_empty();
        let mut file = temporary.begin(if is_metadata { "lxd" } else { "rootfs" }, Some(&name))?;
        while let Some(piece) = parts.piece().await? {
            whole.update(&piece);
            file.write(&piece)?;
            progress(parts.received(), total);
        }
        let kind = match (is_metadata, file.is_squashfs()) {
            (true, _) => TreeKind::Metadata,
            (false, true) => TreeKind::Squashfs,
            (false, false) => TreeKind::Tarball,
        };
        files.push(file.finish(kind, fingerprint)?);
    }
    Ok(files)
}

fn failed(step: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ImageTreeError {
    let path = path.to_owned();
    move |source| ImageTreeError::File { step, path, source }
}

fn is_fingerprint(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// `.tar.xz` of `name.tar.xz`, if it is nothing odd.
fn extension(name: Option<&str>) -> &str {
    let from_dot = name.and_then(|name| Some(&name[name.find('.')?..])).unwrap_or_default();
    let plain = from_dot.len() <= 16 && from_dot.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.');
    if plain && !from_dot.contains("..") { from_dot } else { "" }
}

/// A directory that goes away unless it is kept.
struct Temporary(PathBuf);

impl Temporary {
    fn make(path: PathBuf) -> Result<Self, ImageTreeError> {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => {}
        }
        fs::create_dir(&path).map_err(failed("make", &path))?;
        Ok(Self(path))
    }

    fn begin(&self, name: &str, like: Option<&str>) -> Result<Growing, ImageTreeError> {
        let name = format!("{name}{}", extension(like));
        let path = self.0.join(&name);
        let file = File::create(&path).map_err(failed("make", &path))?;
        Ok(Growing { name, path, file, hash: Sha256::new(), size: 0, head: Vec::new() })
    }

    fn keep(mut self, target: &Path) -> Result<(), ImageTreeError> {
        // Of an earlier run that ended before it was listed.
        match fs::remove_dir_all(target) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", target)(error));
            }
            _ => {}
        }
        let sync = || {
            File::open(&self.0)?.sync_all()?;
            fs::rename(&self.0, target)?;
            target.parent().map_or(Ok(()), |parent| File::open(parent)?.sync_all())
        };
        sync().map_err(failed("put into place", target))?;
        self.0 = PathBuf::new();
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // What went wrong before this is what matters.
            let _ = fs::remove_dir_all(&self.0);
        }
    }
}

/// A file that comes in.
struct Growing {
    name: String,
    path: PathBuf,
    file: File,
    hash: Sha256,
    size: u64,
    head: Vec<u8>,
}

impl Growing {
    fn write(&mut self, piece: &[u8]) -> Result<(), ImageTreeError> {
        self.file.write_all(piece).map_err(failed("write", &self.path))?;
        self.hash.update(piece);
        self.size += piece.len() as u64;
        let missing = 4_usize.saturating_sub(self.head.len()).min(piece.len());
        self.head.extend_from_slice(&piece[..missing]);
        Ok(())
    }

    fn is_squashfs(&self) -> bool {
        self.head == b"hsqs"
    }

    fn finish(self, kind: TreeKind, fingerprint: &str) -> Result<TreeFile, ImageTreeError> {
        self.file.sync_all().map_err(failed("write", &self.path))?;
        let path = format!("{IMAGES}/{fingerprint}/{}", self.name);
        Ok(TreeFile { kind, path, sha256: hexadecimal(self.hash), size: self.size })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_servers_stay_in_their_directory() {
        assert_eq!(extension(Some("meta-0123.tar.xz")), ".tar.xz");
        assert_eq!(extension(Some("0123.squashfs")), ".squashfs");
        for odd in [None, Some("x"), Some("a/../../b"), Some("a.tar/../x"), Some("a..b"), Some("a.\n")] {
            assert_eq!(extension(odd), "", "{odd:?}");
        }
    }

    #[test]
    fn one_program_at_a_time_changes_a_directory() {
        let temp = tempfile::tempdir().unwrap();
        let first = ImageTree::open(temp.path()).unwrap();
        assert!(matches!(ImageTree::open(temp.path()), Err(ImageTreeError::Busy { .. })));
        first.save().unwrap();
        drop(first);
        let mut second = ImageTree::open(temp.path()).unwrap();
        fs::create_dir(temp.path().join(IMAGES).join("a".repeat(64))).unwrap();
        fs::create_dir(temp.path().join(IMAGES).join("notes")).unwrap();
        assert_eq!(second.keep_only(&BTreeSet::new()).unwrap(), 1);
        assert!(temp.path().join("images/notes").exists());
        fs::write(temp.path().join(PRODUCTS), "[]").unwrap();
        drop(second);
        assert!(matches!(ImageTree::open(temp.path()), Err(ImageTreeError::List { .. })));
    }
}
