//! Another content for a volume: made beside it, then exchanged with it.

use super::State;
use super::draft::sync_all;
use super::trash::Temporary;
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::paths::STAGED;
use crate::pool::blocking;
use crate::volume::{Staged, Volume, VolumeSource};
use rustix::fs::{CWD, RenameFlags, renameat_with};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tools::btrfs;

impl State {
    fn staged(&self, volume: &Volume) -> PathBuf {
        self.paths.kind(volume.kind()).join(format!("{STAGED}{}", volume.name()))
    }

    /// The new content is on disk before it replaces the old one, which goes at once.
    pub(super) async fn stage(
        self: &Arc<Self>,
        volume: &Volume,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Staged, Error> {
        self.discard_staged(volume).await?;
        let path = self.staged(volume);
        let made = Temporary::adopt(self, path.clone());
        let is_written = self.fill(&path, &source, volume.kind()).await?;
        if config.size.is_some() {
            self.limit_path(&path, config.size).await?;
        }
        if !is_written {
            let path = path.clone();
            blocking(move || sync_all(&path)).await?;
        }
        let number = btrfs::id(&path).await?;
        made.keep();
        Ok(Staged(number))
    }

    /// Both are subvolumes with numbers of their own, so that however far an earlier call came, it is
    /// known which is the new one.
    pub(super) async fn commit_staged(
        self: &Arc<Self>,
        volume: &Volume,
        staged: Staged,
    ) -> Result<(), Error> {
        let (path, new) = (self.paths.volume(volume), self.staged(volume));
        let present = number(&path).await?;
        if present != Some(staged.0) {
            if number(&new).await? != Some(staged.0) {
                return Err(Error::NotStaged { pool: self.pool.clone(), volume: volume.clone() });
            }
            let flags = if present.is_some() { RenameFlags::EXCHANGE } else { RenameFlags::NOREPLACE };
            let exchange = move || {
                renameat_with(CWD, &new, CWD, &path, flags)
                    .map_err(io_error("put the new content in the place of", path))?;
                tools::crash::step();
                Ok(())
            };
            blocking(exchange).await?;
        }
        // It is done; that the old content takes space is no reason to take it back.
        if let Err(error) = self.discard_staged(volume).await {
            tracing::warn!(%volume, error = &error as &dyn std::error::Error, "cannot remove the old content");
        }
        Ok(())
    }

    pub(super) async fn discard_staged(self: &Arc<Self>, volume: &Volume) -> Result<(), Error> {
        self.take(&self.staged(volume)).map(drop)
    }
}

/// The number of a subvolume; none if it is not there.
async fn number(path: &Path) -> Result<Option<u64>, Error> {
    if path.symlink_metadata().is_err() { Ok(None) } else { Ok(Some(btrfs::id(path).await?)) }
}
