//! Plain directories: works everywhere, shares data where the file system can (btrfs, xfs).
//!
//! Every change is made under a temporary name and becomes visible by one `rename(2)`. What must
//! survive a crash of the machine: an image's volume is on disk (`syncfs(2)`) before it gets its
//! name, because nobody would notice later that its files are empty. A container's volume is not
//! waited for: making one would take seconds instead of milliseconds on a busy disk, and after a
//! crash of the machine within seconds of its creation it can be made again.

mod container;
mod image;
mod pool;
mod receive;
mod repair;
mod restore;
mod snapshot;
mod trash;

use super::{Capabilities, Driver, Repaired, Resources, Staged, VolumeSource, Work};
use crate::error::{Error, io_error};
use crate::paths::{PRIVATE, PoolPaths, TEMPORARY};
use crate::pool::blocking;
use crate::tree::Reflink;
use model::{Fingerprint, InstanceName, PoolName, SnapshotName};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fchmod, mkdirat, openat, renameat_with};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The driver of one pool.
pub(crate) struct Dir {
    state: Arc<State>,
}

struct State {
    pool: PoolName,
    source: Option<PathBuf>,
    paths: PoolPaths,
    reflink: Reflink,
    trash: trash::Trash,
}

impl Dir {
    pub(crate) fn new(pool: PoolName, source: Option<PathBuf>, paths: PoolPaths) -> Self {
        let state =
            State { pool, source, paths, reflink: Reflink::default(), trash: trash::Trash::default() };
        Self { state: Arc::new(state) }
    }

    fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&State) -> Result<T, Error> + Send + 'static,
    ) -> Work<'_, T> {
        let state = self.state.clone();
        Box::pin(blocking(move || work(&state)))
    }
}

impl Driver for Dir {
    fn capabilities(&self) -> Capabilities {
        Capabilities { image_volumes: true, copy_on_write: false, quotas: false, usage: false }
    }

    fn create(&self) -> Work<'_, PathBuf> {
        self.work(State::create)
    }

    fn mount(&self) -> Work<'_, bool> {
        self.work(State::mount)
    }

    fn unmount(&self) -> Work<'_, bool> {
        self.work(State::unmount)
    }

    fn delete(&self) -> Work<'_, ()> {
        self.work(State::delete)
    }

    fn resources(&self) -> Work<'_, Resources> {
        self.work(State::resources)
    }

    fn repair(&self) -> Work<'_, Repaired> {
        self.work(State::repair)
    }

    fn settle(&self) -> Work<'_, ()> {
        Box::pin(self.state.trash.settle())
    }

    fn has_image(&self, fingerprint: &Fingerprint) -> Work<'_, bool> {
        let fingerprint = fingerprint.clone();
        self.work(move |state| state.has_image(&fingerprint))
    }

    fn images(&self) -> Work<'_, Vec<Fingerprint>> {
        self.work(State::images)
    }

    fn stage_image(&self, fingerprint: &Fingerprint) -> Work<'_, PathBuf> {
        let fingerprint = fingerprint.clone();
        self.work(move |state| Ok(temporary(&state.paths.part("images"), fingerprint.short())))
    }

    fn commit_image(&self, staged: PathBuf, fingerprint: &Fingerprint) -> Work<'_, ()> {
        let fingerprint = fingerprint.clone();
        self.work(move |state| state.commit_image(&staged, &fingerprint))
    }

    fn discard_image(&self, staged: PathBuf) -> Work<'_, ()> {
        self.work(move |_| Ok(crate::tree::remove_tree(&staged)?))
    }

    fn delete_image(&self, fingerprint: &Fingerprint) -> Work<'_, bool> {
        let fingerprint = fingerprint.clone();
        self.work(move |state| state.delete_image(&fingerprint))
    }

    fn containers(&self) -> Work<'_, Vec<InstanceName>> {
        self.work(State::containers)
    }

    fn create_container(&self, name: &InstanceName, source: VolumeSource) -> Work<'_, ()> {
        let name = name.clone();
        self.work(move |state| state.create_container(&name, &source))
    }

    fn delete_container(&self, name: &InstanceName) -> Work<'_, bool> {
        let name = name.clone();
        self.work(move |state| state.delete_container(&name))
    }

    fn rename_container(&self, old: &InstanceName, new: &InstanceName) -> Work<'_, ()> {
        let (old, new) = (old.clone(), new.clone());
        self.work(move |state| state.rename_container(&old, &new))
    }

    fn stage(&self, name: &InstanceName, source: VolumeSource) -> Work<'_, Staged> {
        let name = name.clone();
        self.work(move |state| state.stage(&name, &source))
    }

    fn commit_staged(&self, name: &InstanceName, staged: Staged) -> Work<'_, ()> {
        let name = name.clone();
        self.work(move |state| state.commit_staged(&name, staged))
    }

    fn discard_staged(&self, name: &InstanceName) -> Work<'_, ()> {
        let name = name.clone();
        self.work(move |state| state.discard_staged(&name))
    }

    fn receive(&self, source: VolumeSource) -> Work<'_, PathBuf> {
        self.work(move |state| state.receive(&source))
    }

    fn discard_received(&self, path: PathBuf) -> Work<'_, ()> {
        self.work(move |_| Ok(crate::tree::remove_tree(&path)?))
    }

    fn snapshotted(&self) -> Work<'_, Vec<InstanceName>> {
        self.work(State::snapshotted)
    }

    fn snapshots(&self, container: &InstanceName) -> Work<'_, Vec<SnapshotName>> {
        let container = container.clone();
        self.work(move |state| state.snapshots(&container))
    }

    fn create_snapshot(
        &self,
        container: &InstanceName,
        name: &SnapshotName,
        source: VolumeSource,
    ) -> Work<'_, ()> {
        let (container, name) = (container.clone(), name.clone());
        self.work(move |state| state.create_snapshot(&container, &name, &source))
    }

    fn delete_snapshot(&self, container: &InstanceName, name: &SnapshotName) -> Work<'_, bool> {
        let (container, name) = (container.clone(), name.clone());
        self.work(move |state| state.delete_snapshot(&container, &name))
    }

    fn delete_snapshots(&self, container: &InstanceName) -> Work<'_, bool> {
        let container = container.clone();
        self.work(move |state| state.delete_snapshots(&container))
    }

    fn rename_snapshot(
        &self,
        container: &InstanceName,
        old: &SnapshotName,
        new: &SnapshotName,
    ) -> Work<'_, ()> {
        let (container, old, new) = (container.clone(), old.clone(), new.clone());
        self.work(move |state| state.rename_snapshot(&container, &old, &new))
    }

    fn rename_snapshots(&self, old: &InstanceName, new: &InstanceName) -> Work<'_, bool> {
        let (old, new) = (old.clone(), new.clone());
        self.work(move |state| state.rename_snapshots(&old, &new))
    }

    fn container_usage(&self, name: &InstanceName) -> Work<'_, u64> {
        let name = name.clone();
        self.work(move |state| state.container_usage(&name))
    }
}

/// A name that nothing has, in a directory of volumes.
fn unused(directory: &Path, prefix: &str, what: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Another daemon may have been here before, with the same process id and an unrepaired crash.
    let process = std::process::id();
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = directory.join(format!("{prefix}{what}-{process}-{number}"));
        if path.symlink_metadata().is_err() {
            return path;
        }
    }
}

fn temporary(directory: &Path, what: &str) -> PathBuf {
    unused(directory, TEMPORARY, what)
}

/// A directory under a temporary name, which is removed unless it gets its own.
struct Temporary {
    path: PathBuf,
    named: bool,
}

impl Temporary {
    fn make(path: PathBuf) -> Result<Self, Error> {
        mkdirat(CWD, &path, PRIVATE).map_err(io_error("make", &path))?;
        Ok(Self { path, named: false })
    }

    /// Takes over a directory that was made already.
    fn adopt(path: PathBuf) -> Self {
        Self { path, named: false }
    }

    /// It stays under this name.
    fn keep(mut self) {
        self.named = true;
    }

    /// Gives it its own name. `EEXIST`: the name is taken.
    fn name(mut self, path: &Path) -> Result<(), Errno> {
        rename_new(&self.path, path)?;
        self.named = true;
        Ok(())
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        if !self.named
            && let Err(error) = crate::tree::remove_tree(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "cannot remove a half-made volume; the next start will");
        }
    }
}

/// Renames without replacing anything.
fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some network file systems lack the flag. A directory never replaces a full one.
        Err(Errno::INVAL) if to.symlink_metadata().is_err() => rustix::fs::rename(from, to),
        result => result,
    }
}

/// Gives a directory a mode.
fn set_mode(path: &Path, mode: Mode) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))?;
    fchmod(directory, mode).map_err(io_error("set the mode of", path))
}

/// Makes a directory for root alone, if it is not there.
fn make_private(path: &Path) -> Result<(), Error> {
    match mkdirat(CWD, path, PRIVATE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(io_error("make", path)(errno)),
    }
}

/// Names in a directory of volumes that are volumes.
fn volumes<N: Ord>(directory: &Path, parse: impl Fn(&str) -> Option<N>) -> Result<Vec<N>, Error> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(directory).map_err(io_error("read", directory))? {
        let entry = entry.map_err(io_error("read", directory))?;
        names.extend(entry.file_name().to_str().and_then(&parse));
    }
    names.sort();
    Ok(names)
}
