//! Volumes in the making: devices under names of drafts, mounted where only root comes.

use super::build::Base;
use super::mounts::set_mode;
use super::{State, is, names};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::paths::mode;
use crate::pool::blocking;
use crate::volume::{Draft, Volume, VolumeSource};
use model::SnapshotName;
use rustix::io::Errno;
use std::sync::Arc;

impl State {
    fn new_draft(&self) -> Draft {
        let name = names::draft();
        let path = self.paths.drafts().join(names::draft_directory(&name));
        Draft { name, path }
    }

    pub(super) async fn draft(
        self: &Arc<Self>,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Draft, Error> {
        let draft = self.new_draft();
        let result = match self.base_of(source).await? {
            None => {
                self.make_empty(&draft.name, config).await?;
                Ok(())
            }
            Some(base) => self.draft_of(&draft, &base, config).await,
        };
        let result = match source {
            VolumeSource::Volume { volume, .. } => self.expected(volume, result).await,
            VolumeSource::Empty | VolumeSource::Draft(_) => result,
        };
        let options = config.mount_options.as_deref();
        let mounted = match result {
            Ok(()) => self.mount_draft(&draft.name, &draft.path, options).await,
            error => error,
        };
        self.or_retire(&draft.name, mounted).await?;
        Ok(draft)
    }

    async fn draft_of(&self, draft: &Draft, base: &Base, config: &VolumeConfig) -> Result<(), Error> {
        let copied = self.copy_base(base, &draft.name).await;
        if copied.is_err() || self.copies_data(base) {
            self.forget_base(base).await;
        }
        copied?;
        let path = self.map(&draft.name).await?;
        block::make_unique(&path).await?;
        if let Some(size) = config.size {
            self.resize_device(&draft.name, None, size).await?;
        }
        Ok(())
    }

    pub(super) async fn draft_for_streams(&self) -> Result<Draft, Error> {
        let draft = self.new_draft();
        self.rbd.create(&draft.name, 0).await?;
        Ok(draft)
    }

    pub(super) async fn draft_snapshot(&self, draft: &Draft, name: &SnapshotName) -> Result<(), Error> {
        self.sync(draft.path.clone()).await?;
        Ok(self.rbd.snap_create(&draft.name, &names::snapshot(name)).await?)
    }

    /// Unmounting writes everything to the cluster.
    pub(super) async fn finish(self: &Arc<Self>, draft: &Draft, volume: &Volume) -> Result<(), Error> {
        if block::is_mounted(&draft.path)? {
            let path = draft.path.clone();
            let mode = mode(volume.kind());
            blocking(move || set_mode(&path, mode)).await?;
            self.unmount_draft(&draft.name, &draft.path).await?;
        } else {
            // It came as a stream and looks the same as what it was sent of.
            let path = self.map(&draft.name).await?;
            block::make_unique(&path).await?;
        }
        self.unmap_for_good(&draft.name).await?;
        let image = matches!(volume, Volume::Image(_));
        if image {
            self.rbd.snap_create(&draft.name, names::READONLY).await?;
            self.rbd.snap_protect(&draft.name, names::READONLY).await?;
        }
        self.make_mount_point(volume).await?;
        let result = self.rbd.rename(&draft.name, &names::device(volume)).await;
        if !is(&result, Errno::EXIST) {
            return Ok(result?);
        }
        if !image {
            return Err(self.exists(volume));
        }
        // Somebody whose work was not waited for has finished it; one is as good as the other.
        self.retire(&draft.name).await.map(drop)
    }

    pub(super) async fn discard(self: &Arc<Self>, draft: &Draft) -> Result<(), Error> {
        self.unmount_draft(&draft.name, &draft.path).await?;
        self.retire(&draft.name).await.map(drop)
    }
}
