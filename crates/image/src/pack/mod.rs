//! From a container's files to the files of an image: unified, or split where the root file system
//! becomes a squashfs.
//!
//! One pass: the tree is walked into an archive, the archive runs through the compressor, and what
//! comes out is hashed while it is written. The same files give the same archive.

mod attributes;
mod error;
mod hard_links;
mod metadata;
mod target;
#[cfg(test)]
mod tests;
mod walk;

pub use error::PackError;

use crate::unpack::ImageFiles;
use attributes::Ids;
use metadata::Description;
use model::{Compression, IdMap};
use rustix::fs::{Mode, OFlags};
use rustix::pipe::{PipeFlags, fcntl_setpipe_size, pipe_with};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use target::Target;
use tools::compress::Top;
use walk::Walker;

/// How much a pipe to or from a compressor holds, in bytes.
const PIPE: usize = 1024 * 1024;
const WRITE_BUFFER: usize = 256 * 1024;

/// What becomes an image.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The directory with `rootfs/`, and perhaps `metadata.yaml` and `templates/`.
    pub volume: PathBuf,
    /// The host's ids that the files have; none: they have the container's own.
    pub idmap: Option<IdMap>,
    /// The container's architecture, where the metadata do not say one.
    pub architecture: String,
    /// Properties in place of those in the metadata; empty: those stay.
    pub properties: BTreeMap<String, String>,
    /// When the image should no longer be used, in seconds since 1970; none: as in the metadata.
    pub expires_at: Option<i64>,
}

/// An image on disk, flushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Its files.
    pub files: ImageFiles,
    /// SHA-256 over them.
    pub fingerprint: String,
    /// Bytes of all files.
    pub size: u64,
}

/// Makes an image of a container's files in `directory`, as `metadata` and perhaps `rootfs`.
/// `report` is told how many bytes of the container's files were read so far.
///
/// If the returned future is dropped, the work ends soon after; whoever made `directory` removes it.
///
/// # Errors
/// [`PackError`]; what is in `directory` is of no use then.
pub async fn pack(
    source: Source,
    compression: Compression,
    directory: &Path,
    report: impl Fn(u64) + Send + Sync + 'static,
) -> Result<Packed, PackError> {
    if let Some(program) = compression.program() {
        tools::require(program)?;
    }
    let given_up = GivenUp(Arc::new(AtomicBool::new(false)));
    let flag = given_up.0.clone();
    let job = Arc::new(Job { source, report: Box::new(report), given_up: flag });
    let metadata = directory.join("metadata");
    match compression {
        Compression::None => {
            let target = blocking(move || {
                let target = BufWriter::with_capacity(WRITE_BUFFER, Target::create(metadata)?);
                let written = job.unified(target)?;
                written.into_inner().map_err(|error| target::failed("the image", error.into_error()))
            })
            .await??;
            finish(target, None).await
        }
        Compression::Program { program, options } => {
            let target = compressed(job, program, &options, metadata).await?;
            finish(target, None).await
        }
        Compression::Squashfs { options } => squashfs(job, &options, directory).await,
    }
}

/// Tells the blocking side that nobody waits any more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, PackError> {
    // A blocking task ends without a result only when the runtime is shut down.
    tokio::task::spawn_blocking(work).await.map_err(|_| PackError::GivenUp)
}

/// The walking side.
struct Job {
    source: Source,
    report: Box<dyn Fn(u64) + Send + Sync>,
    given_up: Arc<AtomicBool>,
}

impl Job {
    fn report(&self) -> impl FnMut(u64) -> bool {
        |bytes| {
            (self.report)(bytes);
            !self.given_up.load(Ordering::Relaxed)
        }
    }

    /// The whole image as one archive, `metadata.yaml` first.
    fn unified<W: Write>(&self, to: W) -> Result<W, PackError> {
        let mut report = self.report();
        let mut walker = Walker::new(to, Ids(self.source.idmap.as_ref()), &mut report);
        self.description()?.put(&mut walker.archive)?;
        walker.tree(&self.source.volume.join("rootfs"), b"rootfs/")?;
        walker.ids = Ids(None);
        self.templates(&mut walker)?;
        walker.archive.finish().map_err(|source| target::failed("the end of the archive", source))
    }

    /// What belongs to the host: metadata and templates.
    fn metadata<W: Write>(&self, to: W) -> Result<W, PackError> {
        let mut report = self.report();
        let mut walker = Walker::new(to, Ids(None), &mut report);
        self.description()?.put(&mut walker.archive)?;
        self.templates(&mut walker)?;
        walker.archive.finish().map_err(|source| target::failed("the end of the archive", source))
    }

    /// The root file system with its root at the top.
    fn rootfs<W: Write>(&self, to: W) -> Result<W, PackError> {
        let mut report = self.report();
        let mut walker = Walker::new(to, Ids(self.source.idmap.as_ref()), &mut report);
        walker.tree(&self.source.volume.join("rootfs"), b"")?;
        walker.archive.finish().map_err(|source| target::failed("the end of the archive", source))
    }

    fn description(&self) -> Result<Description, PackError> {
        Description::of(&self.source)
    }

    fn templates<W: Write>(&self, walker: &mut Walker<'_, W>) -> Result<(), PackError> {
        let path = self.source.volume.join("templates");
        match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => walker.tree(&path, b"templates/"),
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(PackError::Read { step: "look at", path, source: error })
            }
            _ => Ok(()),
        }
    }

    /// Owner, mode and time of the container's root directory.
    fn top(&self) -> Result<Top, PackError> {
        let path = self.source.volume.join("rootfs");
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let look = || rustix::fs::fstat(rustix::fs::open(&path, flags, Mode::empty())?);
        let stat = look().map_err(|errno| PackError::Read {
            step: "look at",
            path: path.clone(),
            source: errno.into(),
        })?;
        let ids = Ids(self.source.idmap.as_ref());
        Ok(Top {
            mode: stat.st_mode & 0o7777,
            uid: ids.uid(stat.st_uid),
            gid: ids.gid(stat.st_gid),
            mtime: stat.st_mtime,
        })
    }
}

fn pipe() -> Result<(File, File), PackError> {
    let made = pipe_with(PipeFlags::CLOEXEC);
    let (reader, writer) = made.map_err(|errno| target::failed("a pipe", errno.into()))?;
    // A smaller one works as well.
    let _ = fcntl_setpipe_size(&writer, PIPE);
    Ok((File::from(reader), File::from(writer)))
}

/// Writes into a pipe, whose other end sees the end however this ends.
fn into_pipe(
    pipe: File,
    write: impl FnOnce(BufWriter<File>) -> Result<BufWriter<File>, PackError>,
) -> Result<(), PackError> {
    let written = write(BufWriter::with_capacity(WRITE_BUFFER, pipe))?;
    written.into_inner().map(drop).map_err(|error| target::failed("the archive", error.into_error()))
}

/// A unified image through a program.
async fn compressed(
    job: Arc<Job>,
    program: &str,
    options: &[String],
    path: PathBuf,
) -> Result<Target, PackError> {
    let ((input, archive), (result, output)) = (pipe()?, pipe()?);
    let packing = blocking(move || into_pipe(archive, |pipe| job.unified(pipe)));
    let storing = blocking(move || Target::create(path)?.fill(result));
    let running = tools::compress::stream(program, options, input, output);
    let (packed, stored, ran) = tokio::join!(packing, storing, running);
    let target = stored??;
    verdict(packed?, ran)?;
    Ok(target)
}

/// A split image: the metadata, compressed here, and a squashfs.
async fn squashfs(job: Arc<Job>, options: &[String], directory: &Path) -> Result<Packed, PackError> {
    let (metadata, rootfs) = (directory.join("metadata"), directory.join("rootfs"));
    let writing = job.clone();
    let first = blocking(move || {
        let target = Target::create(metadata)?;
        let compressor = flate2::write::GzEncoder::new(target, flate2::Compression::best());
        writing.metadata(compressor)?.finish().map_err(|source| target::failed("the metadata", source))
    })
    .await??;
    let top = job.top()?;
    let (input, archive) = pipe()?;
    let packing = blocking(move || into_pipe(archive, |pipe| job.rootfs(pipe)));
    let running = tools::compress::squashfs(options, input, &rootfs, top);
    let (packed, ran) = tokio::join!(packing, running);
    verdict(packed?, ran)?;
    finish(first, Some(rootfs)).await
}

/// Of two failures, the one that is the cause: a program that ends lets the pipe break.
fn verdict(packed: Result<(), PackError>, ran: Result<(), tools::RunError>) -> Result<(), PackError> {
    match packed {
        Err(PackError::Write { source, .. })
            if source.kind() == io::ErrorKind::BrokenPipe && ran.is_err() => {}
        packed => packed?,
    }
    Ok(ran?)
}

/// Flushes the files and tells the fingerprint.
async fn finish(target: Target, rootfs: Option<PathBuf>) -> Result<Packed, PackError> {
    blocking(move || target::packed(target, rootfs)).await?
}
