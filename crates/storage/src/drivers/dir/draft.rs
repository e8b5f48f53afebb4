//! Volumes in the making: directories that only root comes to, named when they are whole. The
//! snapshots of one lie beside it.

use super::{State, Temporary, make_private, set_mode, temporary};
use crate::error::{Error, io_error};
use crate::paths::mode;
use crate::tree;
use crate::volume::{Draft, Volume, VolumeSource};
use model::SnapshotName;
use model::units::Bytes;
use rustix::fs::{CWD, Mode, OFlags, fsync, openat, syncfs};
use std::path::{Path, PathBuf};

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl State {
    pub(super) fn draft(&self, source: &VolumeSource, size: Option<Bytes>) -> Result<Draft, Error> {
        let made = Temporary::make(temporary(&self.paths.drafts(), "draft"))?;
        self.begin_quota(&made.path, size)?;
        self.fill(&made.path, source)?;
        let path = made.path.clone();
        made.keep();
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Ok(Draft { name, path })
    }

    pub(super) fn draft_snapshot(&self, draft: &Draft, name: &SnapshotName) -> Result<(), Error> {
        let all = snapshots(draft);
        make_private(&all)?;
        let path = all.join(name);
        make_private(&path)?;
        self.fill(&path, &VolumeSource::Draft(draft.clone()))
    }

    /// An image's volume is on disk before it has its name: later nobody would notice that files are
    /// missing or empty.
    pub(super) fn finish(&self, draft: &Draft, volume: &Volume) -> Result<(), Error> {
        let made = Temporary::adopt(draft.path.clone());
        set_mode(&made.path, mode(volume.kind()))?;
        if matches!(volume, Volume::Image(_)) {
            let directory =
                openat(CWD, &made.path, FLAGS, Mode::empty()).map_err(io_error("open", &made.path))?;
            syncfs(&directory).map_err(io_error("write to disk", &made.path))?;
            return match self.name(made, volume) {
                // Somebody whose work was not waited for has finished it; one is as good as the other.
                Err(Error::VolumeExists { .. }) => Ok(()),
                Err(error) => Err(error),
                Ok(()) => sync(&self.paths.kind(volume.kind())),
            };
        }
        if self.has(volume)? {
            return Err(self.exists(volume));
        }
        let all = snapshots(draft);
        let along = all.is_dir().then(|| Temporary::adopt(all));
        self.name_all(made, along, volume)
    }

    pub(super) fn discard(draft: &Draft) -> Result<(), Error> {
        tree::remove_tree(&snapshots(draft))?;
        Ok(tree::remove_tree(&draft.path)?)
    }
}

/// Where a draft's snapshots are.
fn snapshots(draft: &Draft) -> PathBuf {
    draft.path.with_file_name(format!("{}.snapshots", draft.name))
}

fn sync(path: &Path) -> Result<(), Error> {
    let directory = openat(CWD, path, FLAGS, Mode::empty()).map_err(io_error("open", path))?;
    fsync(directory).map_err(io_error("write to disk", path))
}
