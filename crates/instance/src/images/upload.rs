//! Bytes that come in, hashed while they are written; a directory that is gone when nobody keeps it.

use crate::var::Var;
use crate::{Error, full_disk};
use bytes::Bytes;
use image::fingerprint::Hasher;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Names of directories of uploads begin so.
const PREFIX: &str = ".upload-";
/// The largest image that is taken, in bytes: bounded by what a disk holds, not by what a client
/// claims.
pub(super) const LARGEST: u64 = 256 << 30;

/// Which file of an image is being uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The whole image, one tarball.
    Unified,
    /// The metadata tarball of a split image; comes first.
    Metadata,
    /// The root file system of a split image.
    Rootfs,
}

/// An upload under way. Dropped before it is imported, it leaves nothing behind.
pub struct Upload {
    dir: PathBuf,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    parts: Vec<Part>,
    file: Option<std::fs::File>,
    hasher: Hasher,
}

/// A finished upload, or what was made in its directory.
pub(super) struct Received {
    pub(super) metadata: PathBuf,
    pub(super) rootfs: Option<PathBuf>,
    pub(super) fingerprint: String,
    pub(super) size: u64,
}

impl Upload {
    pub(super) fn new(var: &Var) -> Result<Self, Error> {
        let dir = var.images().join(format!("{PREFIX}{}", uuid::Uuid::new_v4()));
        crate::var::directory(&dir, 0o700).map_err(|error| full_disk::explain(error, [var.images()]))?;
        Ok(Self { dir, state: Arc::default() })
    }

    /// Where files may be made that become an image.
    pub(crate) fn directory(&self) -> &std::path::Path {
        &self.dir
    }

    pub(super) fn path(&self, part: Part) -> PathBuf {
        self.dir.join(if part == Part::Rootfs { "rootfs" } else { "metadata" })
    }

    /// Begins a file. Order: `Unified` alone, or `Metadata` and then `Rootfs`.
    ///
    /// # Errors
    /// Out of order; no space.
    pub async fn begin(&mut self, part: Part) -> Result<(), Error> {
        let path = self.path(part);
        self.blocking(move |state| {
            let in_order = match part {
                Part::Unified | Part::Metadata => state.parts.is_empty(),
                Part::Rootfs => state.parts == [Part::Metadata],
            };
            if !in_order {
                return Err(Error::UploadOrder("the metadata comes first, then the root file system"));
            }
            finish(state)?;
            let file = std::fs::File::create_new(&path);
            state.file = Some(file.map_err(|source| Error::Path { doing: "write", path, source })?);
            state.parts.push(part);
            Ok(())
        })
        .await
    }

    /// Adds to the file that was begun last.
    ///
    /// # Errors
    /// Too much; no space.
    pub async fn write(&mut self, data: Bytes) -> Result<(), Error> {
        self.blocking(move |state| {
            if state.hasher.bytes() + data.len() as u64 > LARGEST {
                return Err(Error::UploadTooLarge { limit: LARGEST });
            }
            state.hasher.update(&data);
            match &mut state.file {
                Some(file) => {
                    file.write_all(&data).map_err(|source| Error::Io { doing: "store the image", source })
                }
                None => Err(Error::UploadOrder("no file was begun")),
            }
        })
        .await
    }

    /// The upload is whole: everything is on disk, and this is its fingerprint.
    pub(super) async fn finish(&mut self) -> Result<Received, Error> {
        let (metadata, rootfs) = (self.path(Part::Metadata), self.path(Part::Rootfs));
        self.blocking(move |state| {
            finish(state)?;
            if state.parts.is_empty() || state.parts == [Part::Metadata] {
                return Err(Error::UploadOrder("a part is missing"));
            }
            let hasher = std::mem::take(&mut state.hasher);
            let size = hasher.bytes();
            let rootfs = (state.parts.len() == 2).then_some(rootfs);
            Ok(Received { metadata, rootfs, fingerprint: hasher.finish(), size })
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut State) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let state = self.state.clone();
        let work = move || work(&mut state.lock().unwrap_or_else(PoisonError::into_inner));
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| Error::Shutdown)?;
        done.map_err(|error| full_disk::explain(error, [self.dir.clone()]))
    }
}

fn finish(state: &mut State) -> Result<(), Error> {
    match state.file.take() {
        Some(file) => file.sync_all().map_err(|source| Error::Io { doing: "store the image", source }),
        None => Ok(()),
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        let dir = std::mem::take(&mut self.dir);
        // Two files at most; their parts have been moved away when the image was kept.
        if let Err(error) = std::fs::remove_dir_all(&dir) {
            tracing::warn!(dir = %dir.display(), %error, "cannot remove an upload");
        }
    }
}

/// Removes uploads that an interrupted daemon left: nobody was told that they are kept.
pub(super) fn remove_leftovers(var: &Var) -> Result<(), Error> {
    let images = var.images();
    let failed = |source| Error::Path { doing: "read", path: images.clone(), source };
    for entry in std::fs::read_dir(&images).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_name().to_string_lossy().starts_with(PREFIX) {
            tracing::info!(dir = %entry.path().display(), "removing an interrupted upload");
            std::fs::remove_dir_all(entry.path()).map_err(failed)?;
        }
    }
    Ok(())
}
