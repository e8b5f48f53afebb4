//! Volumes in the making: filled by whoever asked for them, then finished or discarded.

use super::{Pool, blocking};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::volume::{Draft, Volume, VolumeSource};
use model::SnapshotName;

impl Pool {
    /// Makes a draft, filled with something of the pool or empty. Whatever owners and modes its files
    /// get, only root can reach them. It becomes a volume by [`finish`](Self::finish); a crash of the
    /// daemon removes it.
    ///
    /// # Errors
    /// [`Error`]; nothing remains then.
    pub async fn draft(&self, source: VolumeSource, config: &VolumeConfig) -> Result<Draft, Error> {
        let _turn = match &source {
            VolumeSource::Volume { volume, .. } => Some(self.inner.turns.take(volume).await),
            VolumeSource::Empty | VolumeSource::Draft(_) => None,
        };
        self.inner.driver.draft(source, &self.resolve(config)).await
    }

    /// Removes what belongs to no container from a draft that another daemon filled, and looks at the rest.
    ///
    /// # Errors
    /// [`Error`]: it is no container's volume.
    pub async fn tidy(&self, draft: &Draft) -> Result<(), Error> {
        let path = draft.path.clone();
        blocking(move || crate::received::tidy(&path)).await
    }

    /// Removes everything from a draft.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn clear(&self, draft: &Draft) -> Result<(), Error> {
        let path = draft.path.clone();
        blocking(move || crate::received::clear(&path)).await
    }

    /// Takes a snapshot of what a draft holds, which becomes one of the volume that the draft becomes.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn draft_snapshot(&self, draft: &Draft, name: &SnapshotName) -> Result<(), Error> {
        self.inner.driver.draft_snapshot(draft, name).await
    }

    /// Makes a draft a volume, with its snapshots.
    ///
    /// # Errors
    /// [`Error::VolumeExists`], others; nothing of the draft remains then.
    pub async fn finish(&self, draft: Draft, volume: &Volume) -> Result<(), Error> {
        let _turn = self.inner.turns.take(volume).await;
        if let Err(error) = self.inner.driver.finish(draft.clone(), volume).await {
            self.discard(draft).await?;
            return Err(error);
        }
        let snapshots = volume.snapshot_kind().is_some() && !self.snapshots(volume).await?.is_empty();
        self.link_new(volume, snapshots).await
    }

    /// Removes a draft. Nothing happens when it is gone.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn discard(&self, draft: Draft) -> Result<(), Error> {
        self.inner.driver.discard(draft).await
    }
}
