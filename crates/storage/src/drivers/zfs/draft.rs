//! Volumes in the making: datasets in the part `snapshots`, mounted where only root comes to. Their snapshots
//! are their own, so that they go along when a draft gets its name.

use super::fill::properties;
use super::names::{image_snapshot, unique};
use super::{State, mounts};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::paths::{PRIVATE, TEMPORARY};
use crate::volume::{Draft, Volume, VolumeSource};
use model::SnapshotName;
use tools::zfs;

impl State {
    /// A draft that has nothing yet.
    pub(super) fn new_draft(&self) -> Draft {
        let name = format!("{TEMPORARY}{}", unique());
        let path = self.paths.drafts().join(&name);
        Draft { name, path }
    }

    pub(super) async fn draft(&self, source: &VolumeSource, config: &VolumeConfig) -> Result<Draft, Error> {
        let draft = self.new_draft();
        match self.make_draft(&draft, source, config).await {
            Ok(()) => Ok(draft),
            Err(error) => {
                self.discard(&draft).await?;
                Err(error)
            }
        }
    }

    async fn make_draft(
        &self,
        draft: &Draft,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let dataset = self.names.draft(&draft.name);
        self.fill(&dataset, source, &properties(config), self.copies(source)).await?;
        if let VolumeSource::Volume { volume, snapshots, .. } = source {
            for name in snapshots {
                let Some(from) = volume.snapshot(name) else { continue };
                self.copy_snapshot(&dataset, name, &VolumeSource::still(from)).await?;
            }
        }
        mounts::make(&draft.path, PRIVATE)?;
        self.mount_dataset(&dataset, &draft.path).await?;
        mounts::set_mode(&draft.path, PRIVATE)
    }

    pub(super) async fn draft_snapshot(&self, draft: &Draft, name: &SnapshotName) -> Result<(), Error> {
        self.take(&self.names.draft(&draft.name), name).await.map_err(|error| match error {
            Error::Tool(error) => self.explain(error, || format!("keep the snapshot {name}")),
            other => other,
        })
    }

    /// Snapshots are on disk when they are there.
    pub(super) async fn finish(&self, draft: &Draft, volume: &Volume) -> Result<(), Error> {
        self.check_length(volume)?;
        let dataset = self.names.draft(&draft.name);
        if crate::block::is_mounted(&draft.path)? {
            mounts::set_mode(&draft.path, crate::paths::mode(volume.kind()))?;
        }
        mounts::unmount(&draft.path).await?;
        let image = matches!(volume, Volume::Image(_));
        if image {
            zfs::snapshot(&image_snapshot(&dataset)).await?;
        }
        match zfs::rename(&dataset, &self.names.volume(volume)).await {
            Ok(()) => {}
            // Somebody whose work was not waited for has finished it; one is as good as the other.
            Err(error) if image && zfs::taken(&error) => return self.discard(draft).await,
            Err(error) => return Err(self.explain_new(error.into(), volume)),
        }
        let _ = std::fs::remove_dir(&draft.path);
        if image { Ok(()) } else { self.make_mount_point(volume) }
    }

    pub(super) async fn discard(&self, draft: &Draft) -> Result<(), Error> {
        mounts::unmount(&draft.path).await?;
        let _ = std::fs::remove_dir(&draft.path);
        match zfs::rename(&self.names.draft(&draft.name), &self.names.ghost()).await {
            Ok(()) => self.sweep_later(),
            Err(error) if zfs::missing(&error) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}
