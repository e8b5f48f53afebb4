//! From image files to a directory with `metadata.yaml`, `templates/` and `rootfs/`.
//!
//! Tar archives are unpacked by our own extractor: every name is resolved beneath the directory
//! with `openat2(2)` and never through a link, ids are taken as numbers, and devices exist only
//! below the container's `/dev`. A root file system that comes as a squashfs is unpacked by
//! `unsquashfs` and looked at afterwards. Whatever goes wrong, the directory is removed.

mod acl;
mod attributes;
mod error;
mod extract;
mod limits;
mod names;
mod pipe;
mod shape;
mod squashfs;
#[cfg(test)]
pub(crate) mod tests;
mod tree;

pub(crate) use attributes::is_wanted;
pub use error::{Refusal, UnpackError};
pub use limits::Limits;

use crate::archive::Reader;
use crate::decompress;
use crate::format::Format;
use crate::metadata::{FILE_NAME, Metadata, MetadataError};
use limits::Budget;
use rustix::fs::{CWD, Mode, mkdirat, statvfs};
use rustix::io::Errno;
use shape::Shape;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// The files of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFiles {
    /// The only file of a unified image, the metadata tarball of a split one.
    pub metadata: PathBuf,
    /// The root file system of a split image: a tarball of the root directory, or a squashfs.
    pub rootfs: Option<PathBuf>,
}

/// What was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// From `metadata.yaml`, validated.
    pub metadata: Metadata,
    /// Members of all archives.
    pub entries: u64,
    /// Bytes of all files.
    pub bytes: u64,
}

/// Unpacks an image into `dest`, an empty directory, or none: then it is made with mode 0700.
///
/// If the returned future is dropped, the work ends soon after and `dest` is as it was.
///
/// # Errors
/// [`UnpackError`]; `dest` is as it was then.
pub async fn unpack(files: ImageFiles, dest: PathBuf, limits: Limits) -> Result<Unpacked, UnpackError> {
    let wanted = limits.total_bytes;
    let place = if dest.is_dir() { dest.clone() } else { dest.parent().unwrap_or(&dest).to_owned() };
    let limits = blocking(move || within_free_space(limits, &place)).await??;
    let unpacked = unpack_within(files, dest.clone(), limits).await;
    // The bound that was passed was the disk's.
    unpacked.map_err(|error| match error {
        error if error.is_too_large() && limits.total_bytes < wanted => UnpackError::NoRoom {
            dest,
            bytes: limits.total_bytes,
            source: io::Error::from_raw_os_error(Errno::NOSPC.raw_os_error()),
        },
        error => error,
    })
}

async fn unpack_within(files: ImageFiles, dest: PathBuf, limits: Limits) -> Result<Unpacked, UnpackError> {
    let given_up = GivenUp(Arc::new(AtomicBool::new(false)));
    let (target, flag, archives) = (dest.clone(), given_up.0.clone(), files.clone());
    let (mut destination, mut unpacked) =
        blocking(move || unpack_tarballs(&archives, &target, limits, &flag)).await??;
    if let Some(rootfs) = &files.rootfs
        && format_of(rootfs)? == Format::Squashfs
    {
        let contents = squashfs::extract(rootfs, &dest.join("rootfs"), &limits).await?;
        unpacked.entries += contents.entries;
        unpacked.bytes += contents.bytes;
        let target = dest.join("rootfs");
        // The guard goes along, so that a directory is never removed while it is walked.
        destination = blocking(move || squashfs::check(&target).map(|()| destination)).await??;
    }
    let flag = given_up.0.clone();
    blocking(move || {
        if flag.load(Ordering::Relaxed) {
            return Err(UnpackError::GivenUp);
        }
        destination.keep();
        Ok(unpacked)
    })
    .await?
}

/// Tells the blocking side that nobody waits any more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, UnpackError> {
    // A blocking task ends without a result only when the runtime is shut down.
    tokio::task::spawn_blocking(work).await.map_err(|_| UnpackError::GivenUp)
}

/// A directory that goes away unless it is kept.
struct Destination {
    path: PathBuf,
    /// It was not there before.
    made: bool,
    kept: bool,
}

impl Destination {
    fn make(path: PathBuf) -> Result<Self, UnpackError> {
        match mkdirat(CWD, &path, Mode::RWXU) {
            Ok(()) => Ok(Self { path, made: true, kept: false }),
            Err(Errno::EXIST) if is_empty(&path) => Ok(Self { path, made: false, kept: false }),
            Err(errno) => Err(prepare("make", &path, errno.into())),
        }
    }

    fn keep(mut self) {
        self.kept = true;
    }

    fn remove(&self) -> io::Result<()> {
        if self.made {
            return std::fs::remove_dir_all(&self.path);
        }
        for entry in std::fs::read_dir(&self.path)? {
            let entry = entry?;
            if entry.file_name() == CHECK {
                continue;
            } else if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

/// What a file system of its own has from the start, for what its check finds.
const CHECK: &str = "lost+found";

fn is_empty(path: &Path) -> bool {
    let Ok(mut entries) = std::fs::read_dir(path) else { return false };
    entries.all(|entry| entry.is_ok_and(|entry| entry.file_name() == CHECK))
}

impl Drop for Destination {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = self.remove()
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove what was unpacked of an image");
        }
    }
}

fn prepare(step: &'static str, path: &Path, source: io::Error) -> UnpackError {
    UnpackError::Prepare { step, path: path.to_owned(), source }
}

fn format_of(file: &Path) -> Result<Format, UnpackError> {
    Format::of_file(file).map_err(|source| UnpackError::Format { file: file.to_owned(), source })
}

/// Everything but a squashfs.
fn unpack_tarballs(
    files: &ImageFiles,
    dest: &Path,
    limits: Limits,
    given_up: &AtomicBool,
) -> Result<(Destination, Unpacked), UnpackError> {
    let destination = Destination::make(dest.to_owned())?;
    let mut budget = Budget::new(limits);
    let shape = if files.rootfs.is_some() { Shape::Metadata } else { Shape::Unified };
    unpack_tarball(shape, &files.metadata, dest, &limits, &mut budget, given_up)?;
    let metadata = read_metadata(dest)?;
    let rootfs = dest.join("rootfs");
    if let Some(file) = &files.rootfs {
        // Made here for both kinds, so that it is never visible with an archive's mode alone.
        mkdirat(CWD, &rootfs, Mode::RWXU).map_err(|errno| prepare("make", &rootfs, errno.into()))?;
        if format_of(file)? != Format::Squashfs {
            unpack_tarball(Shape::Rootfs, file, &rootfs, &limits, &mut budget, given_up)?;
        }
    } else if !rootfs.is_dir() {
        return Err(UnpackError::NoRootfs { file: files.metadata.clone() });
    }
    let unpacked = Unpacked { metadata, entries: budget.entries, bytes: budget.bytes };
    Ok((destination, unpacked))
}

fn unpack_tarball(
    shape: Shape,
    file: &Path,
    dest: &Path,
    limits: &Limits,
    budget: &mut Budget,
    given_up: &AtomicBool,
) -> Result<(), UnpackError> {
    let format = format_of(file)?;
    if format == Format::Squashfs {
        return Err(MetadataError::NotATarball.into());
    }
    let source = decompress::open(file, format).map_err(|e| prepare("read", file, e))?;
    let pipe = pipe::start(source).map_err(|e| prepare("start a thread for", file, e))?;
    extract::Extractor::new(shape, file, dest, budget, given_up)?.run(Reader::new(pipe, limits.total_bytes))
}

/// What an archive becomes must fit, and leave room for others.
fn within_free_space(limits: Limits, dest: &Path) -> Result<Limits, UnpackError> {
    let space = statvfs(dest).map_err(|errno| prepare("ask for the free space of", dest, errno.into()))?;
    let bytes = |blocks: u64| blocks.saturating_mul(space.f_frsize);
    Ok(limits.on_disk(bytes(space.f_blocks), bytes(space.f_bavail)))
}

fn read_metadata(dest: &Path) -> Result<Metadata, UnpackError> {
    let path = dest.join(FILE_NAME);
    let bytes = match std::fs::metadata(&path) {
        Ok(stat) => stat.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(MetadataError::Missing.into()),
        Err(error) => return Err(prepare("look at", &path, error)),
    };
    if bytes > crate::metadata::MAX_BYTES {
        return Err(MetadataError::TooLarge { bytes }.into());
    }
    let bytes = std::fs::read(&path).map_err(|e| prepare("read", &path, e))?;
    let text = String::from_utf8(bytes).map_err(|_| MetadataError::NotText)?;
    let metadata = Metadata::parse(&text)?;
    metadata.validate()?;
    Ok(metadata)
}
