//! Plain directories: works everywhere, shares data where the file system can (btrfs, xfs).
//!
//! Every change is made under a temporary name and becomes visible by one `rename(2)`. What must
//! survive a crash of the machine: an image's volume is on disk (`syncfs(2)`) before it gets its
//! name, because nobody would notice later that its files are empty. A container's volume is not
//! waited for: making one would take seconds instead of milliseconds on a busy disk, and after a
//! crash of the machine within seconds of its creation it can be made again.

mod draft;
mod pool;
mod quota;
mod repair;
mod staged;
mod trash;
mod volume;

use super::{Capabilities, Driver, Repaired, Resources, Work};
use crate::config::{PoolConfig, VolumeConfig};
use crate::error::{Error, io_error};
use crate::paths::{PRIVATE, PoolPaths, TEMPORARY};
use crate::pool::blocking;
use crate::tree::Reflink;
use crate::volume::{Draft, Kind, Resized, Staged, Volume, VolumeSource};
use model::{PoolName, SnapshotName};
use rustix::fs::{CWD, Mode, OFlags, RenameFlags, fchmod, mkdirat, openat, renameat_with};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// A volume whose snapshots are about to get their names; it gets its own when they have theirs.
const HALF_NAMED: &str = ".named-";

/// The driver of one pool.
pub(crate) struct Dir {
    state: Arc<State>,
}

struct State {
    pool: PoolName,
    source: Option<String>,
    paths: PoolPaths,
    reflink: Reflink,
    trash: trash::Trash,
    /// Whether volumes can have sizes; none: nobody has looked.
    quotas: Mutex<Option<bool>>,
}

impl Dir {
    pub(crate) fn new(pool: PoolName, config: &PoolConfig, paths: PoolPaths) -> Self {
        let (source, reflink, trash) = (config.source.clone(), Reflink::default(), trash::Trash::default());
        let quotas = Mutex::default();
        Self { state: Arc::new(State { pool, source, paths, reflink, trash, quotas }) }
    }

    fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&State) -> Result<T, Error> + Send + 'static,
    ) -> Work<'_, T> {
        let state = self.state.clone();
        Box::pin(blocking(move || work(&state)))
    }

    fn with<T: Send + 'static>(
        &self,
        volume: &Volume,
        work: impl FnOnce(&State, &Volume) -> Result<T, Error> + Send + 'static,
    ) -> Work<'_, T> {
        let volume = volume.clone();
        self.work(move |state| work(state, &volume))
    }
}

impl Driver for Dir {
    fn capabilities(&self) -> Capabilities {
        let keeps = self.state.keeps_quotas();
        Capabilities { quotas: keeps, usage: keeps, ..Capabilities::default() }
    }

    fn create(&self) -> Work<'_, BTreeMap<String, String>> {
        self.work(|state| {
            let source = state.create()?;
            Ok(BTreeMap::from([("source".to_owned(), source.display().to_string())]))
        })
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

    /// Nothing that may change is known to the file system.
    fn update<'a>(&'a self, _new: &'a PoolConfig) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
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

    fn volumes(&self, kind: Kind) -> Work<'_, Vec<Volume>> {
        self.work(move |state| state.volumes(kind))
    }

    fn has<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        self.with(volume, State::has)
    }

    fn make<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, ()> {
        if let Err(error) = self.refuse_size(volume, config) {
            return Box::pin(async { Err(error) });
        }
        let size = config.size;
        self.with(volume, move |state, volume| state.make(volume, &source, size))
    }

    fn delete_volume<'a>(&'a self, volume: &'a Volume) -> Work<'a, bool> {
        self.with(volume, State::delete_volume)
    }

    fn rename<'a>(&'a self, old: &'a Volume, new: &'a Volume) -> Work<'a, ()> {
        let new = new.clone();
        self.with(old, move |state, old| state.rename(old, &new))
    }

    fn snapshots<'a>(&'a self, of: &'a Volume) -> Work<'a, Vec<SnapshotName>> {
        self.with(of, State::snapshots)
    }

    fn mount_volume<'a>(&'a self, volume: &'a Volume, _config: &'a VolumeConfig) -> Work<'a, ()> {
        self.with(volume, State::expect)
    }

    fn unmount_volume<'a>(&'a self, _volume: &'a Volume) -> Work<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn resize<'a>(&'a self, volume: &'a Volume, config: &'a VolumeConfig) -> Work<'a, Resized> {
        if let Err(error) = self.refuse_size(volume, config) {
            return Box::pin(async { Err(error) });
        }
        let size = config.size;
        self.with(volume, move |state, volume| state.resize(volume, size).map(|()| Resized::Now))
    }

    fn usage<'a>(&'a self, volume: &'a Volume) -> Work<'a, Option<u64>> {
        self.with(volume, State::counted)
    }

    fn draft<'a>(&'a self, source: VolumeSource, config: &'a VolumeConfig) -> Work<'a, Draft> {
        let size = config.size;
        self.work(move |state| state.draft(&source, size))
    }

    fn draft_snapshot<'a>(&'a self, draft: &'a Draft, name: &'a SnapshotName) -> Work<'a, ()> {
        let (draft, name) = (draft.clone(), name.clone());
        self.work(move |state| state.draft_snapshot(&draft, &name))
    }

    fn finish<'a>(&'a self, draft: Draft, volume: &'a Volume) -> Work<'a, ()> {
        self.with(volume, move |state, volume| state.finish(&draft, volume))
    }

    fn discard(&self, draft: Draft) -> Work<'_, ()> {
        self.work(move |_| State::discard(&draft))
    }

    fn stage<'a>(
        &'a self,
        volume: &'a Volume,
        source: VolumeSource,
        config: &'a VolumeConfig,
    ) -> Work<'a, Staged> {
        let size = config.size;
        self.with(volume, move |state, volume| state.stage(volume, &source, size))
    }

    fn commit_staged<'a>(&'a self, volume: &'a Volume, staged: Staged) -> Work<'a, ()> {
        self.with(volume, move |state, volume| state.commit_staged(volume, &staged))
    }

    fn discard_staged<'a>(&'a self, volume: &'a Volume) -> Work<'a, ()> {
        self.with(volume, State::discard_staged)
    }
}

impl Dir {
    /// A size that nothing would enforce is refused.
    fn refuse_size(&self, volume: &Volume, config: &VolumeConfig) -> Result<(), Error> {
        if config.size.is_none() || volume.kind().is_snapshot() || self.state.keeps_quotas() {
            return Ok(());
        }
        Err(Error::Cannot {
            pool: self.state.pool.clone(),
            driver: "dir",
            what: format!("give the {volume} a size"),
            why: "its file system keeps no quotas (ext4 and XFS do when mounted with prjquota); leave the size out, or use another pool".to_owned(),
        })
    }
}

/// A name that nothing has, in a directory of volumes.
fn unused(directory: &Path, prefix: &str, what: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Another daemon may have been here before, with the same process id and an unrepaired crash.
    let process = std::process::id();
    // The longest names leave no room for more; the number tells them apart.
    let what: String = what.chars().take(40).collect();
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
        tools::crash::step();
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
    tools::crash::step();
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
