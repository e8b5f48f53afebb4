//! Volumes of every kind: subvolumes, made under a temporary name and named when they are whole.

use super::subvolumes::{Copying, set_mode};
use super::trash::{HIDDEN_TRASH, Temporary, beside, rename_new, to_trash};
use super::{HALF_NAMED, State};
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::paths::{PRIVATE, TEMPORARY, mode};
use crate::pool::blocking;
use crate::volume::{Kind, Volume, VolumeSource};
use model::SnapshotName;
use rustix::fs::{CWD, Mode, mkdirat};
use rustix::io::Errno;
use std::path::Path;
use std::sync::Arc;

/// Mode of the root directory of an empty container.
const ROOTFS: Mode = Mode::from_raw_mode(0o755);

impl State {
    pub(super) fn volumes(&self, kind: Kind) -> Result<Vec<Volume>, Error> {
        let part = self.paths.kind(kind);
        let mut volumes = Vec::new();
        for name in names(&part)? {
            if !kind.is_snapshot() {
                volumes.extend(Volume::parse(kind, "", &name));
            } else if !name.starts_with('.') {
                let snapshots = names(&part.join(&name))?;
                volumes.extend(snapshots.iter().filter_map(|own| Volume::parse(kind, &name, own)));
            }
        }
        volumes.sort();
        Ok(volumes)
    }

    pub(super) fn has(&self, volume: &Volume) -> Result<bool, Error> {
        let path = self.paths.volume(volume);
        path.try_exists().map_err(io_error("look at", path))
    }

    pub(super) fn expect(&self, volume: &Volume) -> Result<(), Error> {
        if self.paths.volume(volume).is_dir() {
            Ok(())
        } else {
            Err(Error::NoVolume { pool: self.pool.clone(), volume: volume.clone() })
        }
    }

    pub(super) fn exists(&self, volume: &Volume) -> Error {
        Error::VolumeExists { pool: self.pool.clone(), volume: volume.clone() }
    }

    pub(super) fn snapshots(&self, of: &Volume) -> Result<Vec<SnapshotName>, Error> {
        let mut snapshots: Vec<SnapshotName> = names(&self.paths.snapshots(of))?
            .iter()
            .filter_map(|name| SnapshotName::parse(name).ok())
            .collect();
        snapshots.sort();
        Ok(snapshots)
    }

    pub(super) async fn make(
        self: &Arc<Self>,
        volume: &Volume,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        if self.has(volume)? {
            return Err(self.exists(volume));
        }
        if let Some(parent) = volume.parent() {
            make_private(&self.paths.snapshots(&parent))?;
        }
        let made = Temporary::of(self, volume);
        self.fill(&made.path, &source, volume.kind()).await?;
        if matches!((&source, volume), (VolumeSource::Empty, Volume::Container(_))) {
            let volume = made.path.clone();
            blocking(move || make_rootfs(&volume)).await?;
        }
        if !volume.kind().is_snapshot() && config.size.is_some() {
            self.limit_path(&made.path, config.size).await?;
        }
        let along = self.copy_snapshots(volume, &source).await?;
        self.name_all(&made.path, along.as_ref().map(|along| along.path.as_path()), volume)?;
        made.keep();
        if let Some(along) = along {
            along.keep();
        }
        Ok(())
    }

    /// Names a volume and the snapshots that were made with it. Between the two the volume has a name
    /// that tells [`repair`](Self::repair) that they are not all there.
    pub(super) fn name_all(
        self: &Arc<Self>,
        made: &Path,
        along: Option<&Path>,
        volume: &Volume,
    ) -> Result<(), Error> {
        let Some(along) = along else { return self.name(made, volume) };
        if self.has(volume)? || !self.snapshots(volume)?.is_empty() {
            return Err(self.exists(volume));
        }
        let half = self.paths.kind(volume.kind()).join(format!("{HALF_NAMED}{}", volume.name()));
        rename_new(made, &half).map_err(io_error("rename a volume to", &half))?;
        let named = self.name_snapshots(along, volume);
        named.and_then(|()| self.name(&half, volume)).inspect_err(|_| {
            self.forget_snapshots(volume);
            self.remove_later(half);
        })
    }

    /// Gives a volume that is whole its name.
    fn name(&self, made: &Path, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.volume(volume);
        match rename_new(made, &path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(self.exists(volume)),
            Err(errno) => Err(io_error("make", path)(errno)),
        }
    }

    /// Makes the subvolume for a volume of some kind at a path where nothing is. True: it is on disk.
    pub(super) async fn fill(
        self: &Arc<Self>,
        path: &Path,
        source: &VolumeSource,
        kind: Kind,
    ) -> Result<bool, Error> {
        let mut how = Copying { read_only: kind.is_snapshot(), mode: mode(kind), nested: true };
        match source {
            VolumeSource::Empty => self.create_subvolume(path, how.mode).await.map(|()| false),
            VolumeSource::Volume { volume, .. } => {
                self.expect(volume)?;
                // What is unpacked makes no subvolumes.
                how.nested = volume.kind() != Kind::Image;
                self.copy(&self.paths.volume(volume), path, how).await
            }
            VolumeSource::Draft(draft) => self.copy(&draft.path, path, how).await,
        }
    }

    /// Copies the snapshots that come along with their volume.
    async fn copy_snapshots(
        self: &Arc<Self>,
        volume: &Volume,
        source: &VolumeSource,
    ) -> Result<Option<Temporary>, Error> {
        let VolumeSource::Volume { volume: of, snapshots, .. } = source else { return Ok(None) };
        if volume.snapshot_kind().is_none() || snapshots.is_empty() {
            return Ok(None);
        }
        let all = Temporary::beside(self, &self.paths.snapshots(volume));
        make_private(&all.path)?;
        let how = Copying { read_only: true, mode: PRIVATE, nested: true };
        for name in snapshots {
            let Some(from) = of.snapshot(name) else { continue };
            self.expect(&from)?;
            self.copy(&self.paths.volume(&from), &all.path.join(name), how).await?;
        }
        Ok(Some(all))
    }

    /// Gives snapshots that were made together the place that they have for a volume.
    fn name_snapshots(&self, all: &Path, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.snapshots(volume);
        // A place without snapshots in it is in nobody's way.
        let _ = std::fs::remove_dir(&path);
        match rename_new(all, &path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(self.exists(volume)),
            Err(errno) => Err(io_error("make", path)(errno)),
        }
    }

    /// Takes the snapshots away of a volume that could not be made.
    fn forget_snapshots(self: &Arc<Self>, volume: &Volume) {
        if let Err(error) = self.delete_snapshots(volume) {
            tracing::warn!(%volume, error = &error as &dyn std::error::Error, "cannot remove the snapshots of a failed volume");
        }
    }

    /// The snapshots first: a volume without them is still a volume, they are nothing without it.
    pub(super) async fn delete_volume(self: &Arc<Self>, volume: &Volume) -> Result<bool, Error> {
        let path = self.paths.volume(volume);
        let Some(parent) = volume.parent() else {
            self.delete_snapshots(volume)?;
            return self.take(&path);
        };
        let Some(trash) = to_trash(&path, HIDDEN_TRASH)? else { return Ok(false) };
        // The directory that it is in may get another name at any time, and is to go with the last one.
        self.remove(&trash).await?;
        let _ = std::fs::remove_dir(self.paths.snapshots(&parent));
        Ok(true)
    }

    fn delete_snapshots(self: &Arc<Self>, of: &Volume) -> Result<(), Error> {
        if of.snapshot_kind().is_none() {
            return Ok(());
        }
        self.take(&self.paths.snapshots(of)).map(drop)
    }

    /// The volume first, then its snapshots: whoever finds the first done goes on with the second.
    pub(super) fn rename(&self, old: &Volume, new: &Volume) -> Result<(), Error> {
        let (from, to) = (self.paths.volume(old), self.paths.volume(new));
        let moved = !from.is_dir() && to.is_dir();
        if !moved {
            self.expect(old)?;
            match rename_new(&from, &to) {
                Ok(()) => {}
                Err(Errno::EXIST | Errno::NOTEMPTY) => return Err(self.exists(new)),
                Err(errno) => return Err(io_error("rename a volume to", to)(errno)),
            }
        }
        if old.snapshot_kind().is_none() {
            return Ok(());
        }
        let (from, to) = (self.paths.snapshots(old), self.paths.snapshots(new));
        if !from.is_dir() {
            return Ok(());
        }
        let _ = std::fs::remove_dir(&to);
        rename_new(&from, &to).map_err(io_error("rename snapshots to", to))
    }
}

fn make_rootfs(volume: &Path) -> Result<(), Error> {
    let rootfs = volume.join("rootfs");
    mkdirat(CWD, &rootfs, Mode::RWXU).map_err(io_error("make", &rootfs))?;
    set_mode(&rootfs, ROOTFS)
}

/// Makes a directory for root alone, if it is not there.
pub(super) fn make_private(path: &Path) -> Result<(), Error> {
    match mkdirat(CWD, path, PRIVATE) {
        Ok(()) | Err(Errno::EXIST) => Ok(()),
        Err(errno) => Err(io_error("make", path)(errno)),
    }
}

/// The name of a draft in the directory of drafts.
pub(super) fn draft_path(drafts: &Path) -> std::path::PathBuf {
    beside(&drafts.join("draft"), TEMPORARY)
}

/// Names in a directory; none if it is not there.
pub(super) fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", directory)(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(io_error("read", directory))?.file_name().into_string());
    }
    Ok(names)
}
