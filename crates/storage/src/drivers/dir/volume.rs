//! Volumes of every kind: directories, made under a temporary name and named when they are whole.

use super::{HALF_NAMED, State, Temporary, make_private, rename_new, set_mode, temporary};
use crate::error::{Error, io_error};
use crate::paths::mode;
use crate::tree::{self, CopyOptions};
use crate::volume::{Kind, Volume, VolumeSource};
use model::SnapshotName;
use model::units::Bytes;
use rustix::fs::{CWD, Mode, mkdirat};
use rustix::io::Errno;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

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

    pub(super) fn snapshots(&self, of: &Volume) -> Result<Vec<SnapshotName>, Error> {
        let mut snapshots: Vec<SnapshotName> = names(&self.paths.snapshots(of))?
            .iter()
            .filter_map(|name| SnapshotName::parse(name).ok())
            .collect();
        snapshots.sort();
        Ok(snapshots)
    }

    /// Half-made ones lie beside the others, or for snapshots beside the places of all snapshots of one
    /// volume, where none can have their name.
    pub(super) fn make(
        &self,
        volume: &Volume,
        source: &VolumeSource,
        size: Option<Bytes>,
    ) -> Result<(), Error> {
        if self.has(volume)? {
            return Err(self.exists(volume));
        }
        let made = Temporary::make(temporary(&self.paths.kind(volume.kind()), volume.name()))?;
        if !volume.kind().is_snapshot() {
            self.begin_quota(&made.path, size)?;
        }
        if matches!((source, volume), (VolumeSource::Empty, Volume::Container(_))) {
            make_rootfs(&made.path)?;
        }
        self.fill(&made.path, source)?;
        set_mode(&made.path, mode(volume.kind()))?;
        let along = self.copy_snapshots(volume, source)?;
        if let Some(parent) = volume.parent() {
            make_private(&self.paths.snapshots(&parent))?;
        }
        self.name_all(made, along, volume)
    }

    /// Names a volume and the snapshots that were made with it. Between the two the volume has a name
    /// that tells [`repair`](Self::repair) that they are not all there.
    pub(super) fn name_all(
        &self,
        mut made: Temporary,
        along: Option<Temporary>,
        volume: &Volume,
    ) -> Result<(), Error> {
        let Some(along) = along else { return self.name(made, volume) };
        if !self.snapshots(volume)?.is_empty() {
            return Err(self.exists(volume));
        }
        let half = self.paths.kind(volume.kind()).join(format!("{HALF_NAMED}{}", volume.name()));
        rename_new(&made.path, &half).map_err(io_error("rename a volume to", &half))?;
        made.path = half;
        self.name_snapshots(along, volume)?;
        self.name(made, volume).inspect_err(|_| self.forget_snapshots(volume))
    }

    pub(super) fn name(&self, made: Temporary, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.volume(volume);
        match made.name(&path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(self.exists(volume)),
            Err(errno) => Err(io_error("make", path)(errno)),
        }
    }

    /// Fills an empty directory with what a volume is made of.
    pub(super) fn fill(&self, path: &Path, source: &VolumeSource) -> Result<(), Error> {
        match source {
            VolumeSource::Empty => Ok(()),
            VolumeSource::Volume { volume, running, .. } => {
                self.expect(volume)?;
                self.copy(&self.paths.volume(volume), path, *running)
            }
            VolumeSource::Draft(draft) => self.copy(&draft.path, path, false),
        }
    }

    fn copy(&self, from: &Path, to: &Path, live: bool) -> Result<(), Error> {
        tree::copy_tree(from, to, CopyOptions { live, reflink: &self.reflink })?;
        Ok(())
    }

    /// Copies the snapshots that come along with their volume.
    fn copy_snapshots(&self, volume: &Volume, source: &VolumeSource) -> Result<Option<Temporary>, Error> {
        let VolumeSource::Volume { volume: of, snapshots, .. } = source else { return Ok(None) };
        let (Some(kind), false) = (volume.snapshot_kind(), snapshots.is_empty()) else { return Ok(None) };
        let all = Temporary::make(temporary(&self.paths.kind(kind), volume.name()))?;
        for name in snapshots {
            let Some(from) = of.snapshot(name) else { continue };
            self.expect(&from)?;
            let to = all.path.join(name);
            make_private(&to)?;
            self.copy(&self.paths.volume(&from), &to, false)?;
        }
        Ok(Some(all))
    }

    /// Gives snapshots that were made together the place that they have for a volume.
    fn name_snapshots(&self, all: Temporary, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.snapshots(volume);
        // A place without snapshots in it is in nobody's way.
        let _ = std::fs::remove_dir(&path);
        match all.name(&path) {
            Ok(()) => Ok(()),
            Err(Errno::EXIST | Errno::NOTEMPTY) => Err(self.exists(volume)),
            Err(errno) => Err(io_error("make", path)(errno)),
        }
    }

    /// Takes the snapshots away of a volume that could not be made.
    fn forget_snapshots(&self, volume: &Volume) {
        if let Err(error) = self.delete_snapshots(volume) {
            tracing::warn!(%volume, error = &error as &dyn std::error::Error, "cannot remove the snapshots of a failed volume");
        }
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

    /// The snapshots first: a volume without them is still a volume, they are nothing without it.
    pub(super) fn delete_volume(&self, volume: &Volume) -> Result<bool, Error> {
        self.delete_snapshots(volume)?;
        self.end_quota(&self.paths.volume(volume));
        let found =
            self.trash.take(&self.paths.kind(volume.kind()), &self.paths.volume(volume), volume.name())?;
        if let Some(parent) = volume.parent() {
            // Others are in it, or there was none at all.
            let _ = std::fs::remove_dir(self.paths.snapshots(&parent));
        }
        Ok(found)
    }

    fn delete_snapshots(&self, of: &Volume) -> Result<(), Error> {
        let Some(kind) = of.snapshot_kind() else { return Ok(()) };
        self.trash.take(&self.paths.kind(kind), &self.paths.snapshots(of), of.name()).map(drop)
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
        let path = self.paths.snapshots(new);
        let _ = std::fs::remove_dir(&path);
        match rename_new(&self.paths.snapshots(old), &path) {
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(errno) => Err(io_error("rename snapshots to", path)(errno)),
        }
    }
}

fn make_rootfs(volume: &Path) -> Result<(), Error> {
    let rootfs = volume.join("rootfs");
    mkdirat(CWD, &rootfs, Mode::RWXU).map_err(io_error("make", &rootfs))?;
    set_mode(&rootfs, ROOTFS)
}

/// Names in a directory; none if it is not there.
fn names(directory: &Path) -> Result<Vec<String>, Error> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", directory)(error)),
    };
    let read = |entry: std::io::Result<std::fs::DirEntry>| -> Result<OsString, Error> {
        Ok(entry.map_err(io_error("read", PathBuf::from(directory)))?.file_name())
    };
    let names = entries.map(read).collect::<Result<Vec<_>, _>>()?;
    Ok(names.into_iter().filter_map(|name| name.into_string().ok()).collect())
}
