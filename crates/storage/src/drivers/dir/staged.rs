//! Another content for a volume: made beside it, then exchanged with it.

use super::{State, Temporary, set_mode};
use crate::error::{Error, io_error};
use crate::paths::STAGED;
use crate::paths::mode;
use crate::volume::{Staged, Volume, VolumeSource};
use model::units::Bytes;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, RenameFlags, openat, renameat_with, statat, syncfs};
use rustix::io::Errno;
use std::path::{Path, PathBuf};

impl State {
    fn staged(&self, volume: &Volume) -> PathBuf {
        self.paths.kind(volume.kind()).join(format!("{STAGED}{}", volume.name()))
    }

    /// The new content is on disk before it replaces the old one, which goes at once.
    pub(super) fn stage(
        &self,
        volume: &Volume,
        source: &VolumeSource,
        size: Option<Bytes>,
    ) -> Result<Staged, Error> {
        self.discard_staged(volume)?;
        let path = self.staged(volume);
        let made = Temporary::make(path.clone())?;
        self.begin_quota(&path, size)?;
        self.fill(&path, source)?;
        set_mode(&path, mode(volume.kind()))?;
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = openat(CWD, &path, flags, Mode::empty()).map_err(io_error("open", &path))?;
        syncfs(&directory).map_err(io_error("write to disk", &path))?;
        let number = inode(&path)?.ok_or_else(|| io_error("find", &path)(Errno::NOENT))?;
        made.keep();
        Ok(Staged(number))
    }

    /// Both are directories with numbers of their own, so that however far an earlier call came,
    /// it is known which is the new one.
    pub(super) fn commit_staged(&self, volume: &Volume, staged: &Staged) -> Result<(), Error> {
        let (path, new) = (self.paths.volume(volume), self.staged(volume));
        let (present, beside) = (inode(&path)?, inode(&new)?);
        if present != Some(staged.0) {
            if beside != Some(staged.0) {
                return Err(Error::NotStaged { pool: self.pool.clone(), volume: volume.clone() });
            }
            self.exchange(&new, &path, volume, present.is_some())?;
        }
        // It is done; that the old content takes space is no reason to take it back.
        if let Err(error) = self.discard_staged(volume) {
            tracing::warn!(%volume, error = &error as &dyn std::error::Error, "cannot remove the old content");
        }
        Ok(())
    }

    fn exchange(&self, new: &Path, path: &Path, volume: &Volume, present: bool) -> Result<(), Error> {
        tools::crash::step();
        let failed = |errno: Errno| io_error("put the new content in the place of", path)(errno);
        if !present {
            return rustix::fs::rename(new, path).map_err(failed);
        }
        match renameat_with(CWD, new, CWD, path, RenameFlags::EXCHANGE) {
            // Some network file systems lack the flag: then there is a moment without either.
            Err(Errno::INVAL) => {
                self.trash.take(&self.paths.kind(volume.kind()), path, volume.name())?;
                rustix::fs::rename(new, path).map_err(failed)
            }
            result => result.map_err(failed),
        }
    }

    pub(super) fn discard_staged(&self, volume: &Volume) -> Result<(), Error> {
        self.end_quota(&self.staged(volume));
        self.trash.take(&self.paths.kind(volume.kind()), &self.staged(volume), volume.name()).map(drop)
    }
}

/// The number of a directory; none if it is not there.
fn inode(path: &Path) -> Result<Option<u64>, Error> {
    match statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(Some(stat.st_ino)),
        Err(Errno::NOENT) => Ok(None),
        Err(errno) => Err(io_error("look at", path)(errno)),
    }
}
