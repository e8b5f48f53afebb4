//! Deleting in two steps: a volume loses its name at once and its files afterwards. And names that are
//! nobody's yet.

use super::State;
use crate::block;
use crate::error::{Error, io_error};
use crate::paths::{TEMPORARY, TRASH};
use crate::volume::Volume;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;
use tools::btrfs;

/// What is being made beside snapshots. Their names may begin with a dot, but have no control characters.
pub(super) const HIDDEN_TEMPORARY: &str = "\u{1}tmp-";
/// What is being removed beside snapshots.
pub(super) const HIDDEN_TRASH: &str = "\u{1}trash-";
/// How often it is looked whether the file system has freed what was removed, and how many times.
const PAUSE: Duration = Duration::from_millis(50);
const LOOKS: u32 = 1200;
/// What counted removed subvolumes is removed after so many of them: it can be only when they were freed.
const TIDY: u64 = 32;

/// Removals that go on in the background.
#[derive(Default)]
pub(super) struct Trash {
    running: Mutex<Vec<JoinHandle<Result<(), Error>>>>,
    /// Something was removed whose space the file system may not have freed yet.
    unfreed: AtomicBool,
    removals: AtomicU64,
}

impl State {
    /// Waits for everything that is being removed, and for its space.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        let running = std::mem::take(&mut *self.trash.running.lock().unwrap_or_else(PoisonError::into_inner));
        for removal in running {
            removal.await.map_err(|_| Error::ShuttingDown)??;
        }
        if !self.trash.unfreed.swap(false, Ordering::Relaxed) || !block::is_mounted(&self.paths.mount)? {
            return Ok(());
        }
        // That begins it; otherwise it would half a minute later.
        btrfs::sync(&self.paths.mount).await?;
        for _ in 0..LOOKS {
            if !btrfs::is_freeing(&self.paths.mount).await? {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.forget_stale().await;
        Ok(())
    }

    /// A subvolume was removed, whose space will be free soon.
    pub(super) async fn removed(&self) {
        self.trash.unfreed.store(true, Ordering::Relaxed);
        if self.trash.removals.fetch_add(1, Ordering::Relaxed).is_multiple_of(TIDY) {
            self.forget_stale().await;
        }
    }

    /// Takes a volume's name away and starts removing it. False: there is no such volume.
    pub(super) fn take(self: &Arc<Self>, path: &Path) -> Result<bool, Error> {
        let Some(trash) = to_trash(path, TRASH)? else { return Ok(false) };
        self.remove_later(trash);
        Ok(true)
    }

    /// Removes what has no name of its own in the background. Without a runtime the next start does.
    pub(super) fn remove_later(self: &Arc<Self>, path: PathBuf) {
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let state = self.clone();
        let removal = runtime.spawn(async move {
            state.remove(&path).await.inspect_err(|error| {
                tracing::warn!(path = %path.display(), error = error as &dyn std::error::Error, "cannot remove a deleted volume; the next start tries again");
            })
        });
        let mut running = self.trash.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|removal| !removal.is_finished());
        running.push(removal);
    }
}

/// Takes a volume's name away. It stays in its directory: a read-only subvolume cannot leave it.
pub(super) fn to_trash(path: &Path, prefix: &str) -> Result<Option<PathBuf>, Error> {
    loop {
        let trash = beside(path, prefix);
        match rename_new(path, &trash) {
            Ok(()) => return Ok(Some(trash)),
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(io_error("delete", path)(errno)),
        }
    }
}

/// A name that nothing has, in the directory of what it is for.
pub(super) fn beside(path: &Path, prefix: &str) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    // Another daemon may have been here before, with the same process id and an unrepaired crash.
    let process = std::process::id();
    // A name may be as long as names can be.
    let what = path.file_name().unwrap_or_default().to_string_lossy();
    let what: String = what.chars().take(32).collect();
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let unused = path.with_file_name(format!("{prefix}{what}-{process}-{number}"));
        if unused.symlink_metadata().is_err() {
            return unused;
        }
    }
}

/// Renames without replacing anything.
pub(super) fn rename_new(from: &Path, to: &Path) -> Result<(), Errno> {
    renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?;
    tools::crash::step();
    Ok(())
}

/// A subvolume or directory under a temporary name, which is removed unless it gets its own.
pub(super) struct Temporary {
    pub(super) path: PathBuf,
    state: Arc<State>,
    named: bool,
}

impl Temporary {
    /// One for what will be at a path; it is not made yet.
    pub(super) fn beside(state: &Arc<State>, path: &Path) -> Self {
        Self::adopt(state, beside(path, TEMPORARY))
    }

    /// The same for a volume.
    pub(super) fn of(state: &Arc<State>, volume: &Volume) -> Self {
        let prefix = if volume.kind().is_snapshot() { HIDDEN_TEMPORARY } else { TEMPORARY };
        Self::adopt(state, beside(&state.paths.volume(volume), prefix))
    }

    /// Takes over what was made already, or is about to be.
    pub(super) fn adopt(state: &Arc<State>, path: PathBuf) -> Self {
        Self { path, state: state.clone(), named: false }
    }

    /// It has its own name now, or stays under this one.
    pub(super) fn keep(mut self) {
        self.named = true;
    }
}

impl Drop for Temporary {
    fn drop(&mut self) {
        // It may be there a moment later only: a program that was killed ends what it has begun.
        if !self.named {
            self.state.remove_later(self.path.clone());
        }
    }
}
