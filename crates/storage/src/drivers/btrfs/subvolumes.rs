//! Subvolumes with those inside them: found, copied, removed.

use super::{State, beneath, place};
use crate::error::{Error, io_error};
use crate::pool::blocking;
use crate::tree;
use rustix::fs::{CWD, Mode, OFlags, fchmod, fstat, openat};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tools::{RunError, btrfs};

/// How often something is removed in vain, and what is waited after it.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(100);

/// How a copy of a subvolume is made.
#[derive(Clone, Copy)]
pub(super) struct Copying {
    /// Nobody writes to the copy, nor to the subvolumes in it.
    pub(super) read_only: bool,
    /// The mode of its directory.
    pub(super) mode: Mode,
    /// The original may have subvolumes inside it.
    pub(super) nested: bool,
}

impl State {
    /// Makes an empty subvolume.
    pub(super) async fn create_subvolume(&self, path: &Path, mode: Mode) -> Result<(), Error> {
        btrfs::create(path).await?;
        let path = path.to_owned();
        blocking(move || set_mode(&path, mode)).await
    }

    /// Makes a copy of a volume under a name that nobody uses, and that is removed by whoever asks if this
    /// fails. True: it is a single snapshot, which is on disk.
    pub(super) async fn copy(&self, from: &Path, to: &Path, how: Copying) -> Result<bool, Error> {
        let nested = if how.nested { self.nested(from).await? } else { Vec::new() };
        let plain = nested.is_empty() && mode_of(from)? == how.mode;
        btrfs::snapshot(from, to, how.read_only && plain).await?;
        if !plain {
            let copied = self.copy_nested(from, to, nested, how.read_only).await?;
            let path = to.to_owned();
            blocking(move || set_mode(&path, how.mode)).await?;
            if how.read_only {
                // Those inside others first: nothing can be put into one that is read-only.
                for inner in copied.iter().rev() {
                    btrfs::set_read_only(&to.join(inner)).await?;
                }
                btrfs::set_read_only(to).await?;
            }
        }
        Ok(plain)
    }

    /// Copies subvolumes that lie in one that was copied. Those of a snapshot become writable with
    /// it; others stay as they are. Returns which ones are not read-only yet and were to be.
    async fn copy_nested(
        &self,
        from: &Path,
        to: &Path,
        nested: Vec<PathBuf>,
        read_only: bool,
    ) -> Result<Vec<PathBuf>, Error> {
        let mut later = Vec::new();
        let of_snapshot = beneath::open(from, Path::new(""))?.is_some_and(|top| beneath::is_read_only(&top));
        for (number, inner) in nested.iter().enumerate() {
            let (from, at, path) = (from.to_owned(), to.to_owned(), inner.clone());
            let place = blocking(move || {
                let Some(original) = beneath::open(&from, &path)? else { return Ok(None) };
                Ok(beneath::clear_place(&at, &path)?.then_some(original))
            });
            // It came or went while the copy was made.
            let Some(original) = place.await? else { continue };
            let has_others = nested.iter().skip(number + 1).any(|other| other.starts_with(inner));
            let wanted = read_only || (!of_snapshot && beneath::is_read_only(&original));
            let to = to.join(inner);
            btrfs::snapshot_of(original.into(), &to, wanted && !has_others).await?;
            if wanted && has_others {
                later.push(inner.clone());
            }
        }
        if read_only {
            return Ok(later);
        }
        for inner in later.iter().rev() {
            btrfs::set_read_only(&to.join(inner)).await?;
        }
        Ok(Vec::new())
    }

    /// The subvolumes inside a volume, those that contain others before these.
    pub(super) async fn nested(&self, volume: &Path) -> Result<Vec<PathBuf>, Error> {
        // The list needs a privilege, and whoever names subvolumes in a container can spoil
        // it. Every directory is looked at then.
        match self.listed(volume).await {
            Ok(Some(nested)) => return Ok(nested),
            Ok(None) | Err(Error::Tool(RunError::Failed { .. })) => {}
            Err(error) => return Err(error),
        }
        tracing::debug!(path = %volume.display(), "looking at every directory for subvolumes");
        let volume = volume.to_owned();
        blocking(move || beneath::search(&volume)).await
    }

    /// The same from the file system's own list. `None`: it cannot be used.
    async fn listed(&self, volume: &Path) -> Result<Option<Vec<PathBuf>>, Error> {
        let mut found = vec![PathBuf::new()];
        let mut top = None;
        let mut next = 0;
        while let Some(inner) = found.get(next).cloned() {
            next += 1;
            let path = volume.to_owned();
            let directory = blocking(move || {
                let directory = beneath::open_file(&path, &inner)?;
                Ok(directory.map(|directory| (beneath::may_have_others(&directory), directory)))
            });
            // Nearly always there are none, and with thousands of volumes the list takes its time.
            let Some((may_have_others, directory)) = directory.await? else { return Ok(None) };
            if !may_have_others {
                continue;
            }
            let Some(children) = btrfs::children(directory).await? else { return Ok(None) };
            if children.is_empty() {
                continue;
            }
            if top.is_none() {
                let path = volume.to_owned();
                top = blocking(move || Ok(place::inside(&path))).await?;
            }
            let Some(top) = &top else { return Ok(None) };
            for child in children {
                let Ok(inner) = child.strip_prefix(top) else { return Ok(None) };
                if inner.as_os_str().is_empty() || found.iter().any(|known| known == inner) {
                    return Ok(None);
                }
                found.push(inner.to_owned());
            }
        }
        found.remove(0);
        Ok(Some(found))
    }

    /// Removes a subvolume with those inside it, or a directory of ours with those in it. One that is not
    /// there is fine. Programs outlive a daemon that was killed, and may be at work there for a while.
    pub(super) async fn remove(&self, path: &Path) -> Result<(), Error> {
        for _ in 0..TRIES {
            match self.try_to_remove(path).await {
                Ok(()) => return Ok(()),
                Err(error) => tracing::debug!(path = %path.display(), %error, "removing it once more"),
            }
            tokio::time::sleep(PAUSE).await;
        }
        self.try_to_remove(path).await
    }

    async fn try_to_remove(&self, path: &Path) -> Result<(), Error> {
        let of = path.to_owned();
        for subvolume in blocking(move || outermost(&of)).await? {
            self.remove_subvolume(&subvolume).await?;
        }
        let path = path.to_owned();
        blocking(move || Ok(tree::remove_tree(&path)?)).await
    }

    async fn remove_subvolume(&self, path: &Path) -> Result<(), Error> {
        self.removed().await;
        match btrfs::delete(path).await {
            // Nearly always that there are others inside: it is tried first, because it is rare.
            Err(RunError::Failed { .. }) => {}
            result => return Ok(result?),
        }
        let nested = self.nested(path).await?;
        // One that is read-only lets nothing be removed from it.
        for inner in [Path::new("")].into_iter().chain(nested.iter().map(PathBuf::as_path)) {
            let Some(directory) = beneath::open(path, inner)? else { continue };
            if beneath::is_read_only(&directory) {
                btrfs::set_writable(directory.into()).await?;
            }
        }
        for inner in nested.iter().rev() {
            let Some(directory) = beneath::open_file(path, inner)? else { continue };
            // A path could lead elsewhere by the time that it is used; the number does not.
            let id = btrfs::id_of(directory).await?;
            btrfs::delete_by_id(id, &self.paths.mount).await?;
        }
        match btrfs::delete(path).await {
            // Where that is not allowed, inside of a container, an empty one can be removed all the same.
            Err(error @ RunError::Failed { .. }) => {
                let of = path.to_owned();
                blocking(move || Ok(tree::remove_tree(&of).is_ok())).await?.then_some(()).ok_or(error.into())
            }
            result => Ok(result?),
        }
    }
}

/// Gives a directory a mode.
pub(super) fn set_mode(path: &Path, mode: Mode) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))?;
    fchmod(directory, mode).map_err(io_error("set the mode of", path))
}

fn mode_of(path: &Path) -> Result<Mode, Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))?;
    let stat = fstat(directory).map_err(io_error("look at", path))?;
    Ok(Mode::from_raw_mode(stat.st_mode & 0o7777))
}

/// A subvolume itself, or those in a directory and its directories; none if it is not there.
fn outermost(path: &Path) -> Result<Vec<PathBuf>, Error> {
    if beneath::is_subvolume(path)? {
        return Ok(vec![path.to_owned()]);
    }
    let entries = match std::fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", path)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.map_err(io_error("read", path))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(outermost(&entry.path())?);
        }
    }
    Ok(found)
}
