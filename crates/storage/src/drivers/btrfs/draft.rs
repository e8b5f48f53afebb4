//! Volumes in the making: subvolumes that only root comes to, named when they are whole. The snapshots of
//! one lie beside it, in a subvolume of their own: that can be moved to where snapshots of any kind are, while
//! a directory cannot leave the subvolume that it is in, nor a read-only subvolume its directory.

use super::State;
use super::subvolumes::{Copying, set_mode};
use super::trash::{Temporary, rename_new};
use super::volume::draft_path;
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::paths::PRIVATE;
use crate::paths::mode;
use crate::pool::blocking;
use crate::volume::{Draft, Kind, Volume, VolumeSource};
use model::{Fingerprint, SnapshotName};
use rustix::fs::{CWD, Mode, OFlags, fsync, openat, syncfs};
use rustix::io::Errno;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tools::btrfs;

const FLAGS: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

impl State {
    pub(super) async fn draft(
        self: &Arc<Self>,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Draft, Error> {
        let draft = self.draft_for_streams();
        let made = Temporary::adopt(self, draft.path.clone());
        // It is filled like a container, whatever it becomes.
        self.fill(&draft.path, &source, Kind::Container).await?;
        if config.size.is_some() {
            self.limit_path(&draft.path, config.size).await?;
        }
        made.keep();
        Ok(draft)
    }

    /// Nothing is there yet.
    pub(super) fn draft_for_streams(&self) -> Draft {
        let path = draft_path(&self.paths.drafts());
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        Draft { name, path }
    }

    pub(super) async fn draft_snapshot(
        self: &Arc<Self>,
        draft: &Draft,
        name: &SnapshotName,
    ) -> Result<(), Error> {
        let all = self.draft_snapshots(draft).await?;
        let how = Copying { read_only: true, mode: PRIVATE, nested: true };
        self.copy(&draft.path, &all.join(name), how).await.map(drop)
    }

    /// Where a draft's snapshots are; made if it is not there.
    pub(super) async fn draft_snapshots(&self, draft: &Draft) -> Result<PathBuf, Error> {
        let all = snapshots(draft);
        if all.symlink_metadata().is_err() {
            self.create_subvolume(&all, PRIVATE).await?;
        }
        Ok(all)
    }

    /// The draft stays where something fails: whoever has it discards it.
    pub(super) async fn finish(self: &Arc<Self>, draft: Draft, volume: &Volume) -> Result<(), Error> {
        let (path, kind) = (draft.path.clone(), volume.kind());
        blocking(move || set_mode(&path, mode(kind))).await?;
        if let Volume::Image(fingerprint) = volume {
            return self.finish_image(&draft.path, fingerprint, &self.paths.volume(volume)).await;
        }
        if self.has(volume)? {
            return Err(self.exists(volume));
        }
        let all = snapshots(&draft);
        let along = all.is_dir().then_some(all.as_path());
        self.name_all(&draft.path, along, volume)
    }

    /// An image's volume is on disk before it has its name: later nobody would notice that files are
    /// missing or empty. It becomes read-only in its own directory, which it cannot come to then.
    async fn finish_image(
        self: &Arc<Self>,
        draft: &Path,
        fingerprint: &Fingerprint,
        path: &Path,
    ) -> Result<(), Error> {
        let of = draft.to_owned();
        blocking(move || sync_all(&of)).await?;
        let made = Temporary::beside(self, &path.with_file_name(fingerprint.short()));
        rename_new(draft, &made.path).map_err(io_error("make", &made.path))?;
        btrfs::set_read_only(&made.path).await?;
        match rename_new(&made.path, path) {
            Ok(()) => made.keep(),
            // Somebody whose work was not waited for has finished it; one is as good as the other.
            Err(Errno::EXIST | Errno::NOTEMPTY) => {}
            Err(errno) => return Err(io_error("make", path)(errno)),
        }
        let directory = self.paths.kind(Kind::Image);
        blocking(move || sync_directory(&directory)).await
    }

    pub(super) async fn discard(self: &Arc<Self>, draft: Draft) -> Result<(), Error> {
        self.remove(&snapshots(&draft)).await?;
        self.remove(&draft.path).await
    }
}

/// Where a draft's snapshots are.
pub(super) fn snapshots(draft: &Draft) -> PathBuf {
    draft.path.with_file_name(format!("{}.snapshots", draft.name))
}

/// Writes everything in the file system to disk.
pub(super) fn sync_all(path: &Path) -> Result<(), Error> {
    let directory = openat(CWD, path, FLAGS, Mode::empty()).map_err(io_error("open", path))?;
    syncfs(&directory).map_err(io_error("write to disk", path))
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = openat(CWD, path, FLAGS, Mode::empty()).map_err(io_error("open", path))?;
    fsync(directory).map_err(io_error("write to disk", path))
}
