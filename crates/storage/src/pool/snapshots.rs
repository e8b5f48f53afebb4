//! Snapshots of containers, and containers that become what a snapshot was.

use super::{Pool, blocking};
use crate::drivers::{Staged, VolumeSource};
use crate::error::Error;
use model::{InstanceName, SnapshotName};
use std::path::PathBuf;

const PART: &str = "snapshots";

impl Pool {
    /// The volume of a snapshot.
    #[must_use]
    pub fn snapshot_path(&self, container: &InstanceName, name: &SnapshotName) -> PathBuf {
        self.inner.paths.snapshot(container, name)
    }

    /// Snapshots that a container has on disk, sorted by name, whatever the database says.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn snapshots(&self, container: &InstanceName) -> Result<Vec<SnapshotName>, Error> {
        self.inner.driver.snapshots(container).await
    }

    /// Makes a snapshot's volume, of a container or of another snapshot.
    ///
    /// # Errors
    /// [`Error::SnapshotExists`], others; nothing of it remains then.
    pub async fn create_snapshot(
        &self,
        container: &InstanceName,
        name: &SnapshotName,
        source: VolumeSource,
    ) -> Result<(), Error> {
        self.inner.driver.create_snapshot(container, name, source).await?;
        let (inner, of) = (self.inner.clone(), container.clone());
        if let Err(error) = blocking(move || inner.make_link(PART, &of)).await {
            self.delete_snapshot(container, name).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Removes a snapshot's volume. False: it had none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_snapshot(
        &self,
        container: &InstanceName,
        name: &SnapshotName,
    ) -> Result<bool, Error> {
        let found = self.inner.driver.delete_snapshot(container, name).await?;
        if self.inner.driver.snapshots(container).await?.is_empty() {
            let (inner, of) = (self.inner.clone(), container.clone());
            blocking(move || inner.remove_link(PART, &of)).await?;
        }
        Ok(found)
    }

    /// Removes all snapshots of a container. False: it had none.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_snapshots(&self, container: &InstanceName) -> Result<bool, Error> {
        let (inner, of) = (self.inner.clone(), container.clone());
        blocking(move || inner.remove_link(PART, &of)).await?;
        self.inner.driver.delete_snapshots(container).await
    }

    /// Gives a snapshot's volume another name.
    ///
    /// # Errors
    /// [`Error::NoSnapshot`], [`Error::SnapshotExists`], others.
    pub async fn rename_snapshot(
        &self,
        container: &InstanceName,
        old: &SnapshotName,
        new: &SnapshotName,
    ) -> Result<(), Error> {
        self.inner.driver.rename_snapshot(container, old, new).await
    }

    /// Gives all snapshots of a container to another name of the container. Having none is fine.
    ///
    /// # Errors
    /// The new name has snapshots; others.
    pub async fn rename_snapshots(&self, old: &InstanceName, new: &InstanceName) -> Result<(), Error> {
        let moved = self.inner.driver.rename_snapshots(old, new).await?;
        let (inner, old, new) = (self.inner.clone(), old.clone(), new.clone());
        blocking(move || {
            if moved {
                inner.make_link(PART, &new)?;
            }
            inner.remove_link(PART, &old)
        })
        .await
    }

    /// Makes another content for a container, beside the one that it has. Nothing is seen of it
    /// until [`commit_staged`](Self::commit_staged); it survives a crash.
    ///
    /// # Errors
    /// [`Error`]; nothing of it remains then.
    pub async fn stage(&self, name: &InstanceName, source: VolumeSource) -> Result<Staged, Error> {
        self.inner.driver.stage(name, source).await
    }

    /// Puts what was staged in the place of a container's content. Whoever does not know whether an
    /// earlier call was finished may call again.
    ///
    /// # Errors
    /// [`Error::NotStaged`], others; the container has its old content then.
    pub async fn commit_staged(&self, name: &InstanceName, staged: Staged) -> Result<(), Error> {
        self.inner.driver.commit_staged(name, staged).await?;
        let (inner, of) = (self.inner.clone(), name.clone());
        blocking(move || inner.make_link("containers", &of)).await
    }

    /// Removes what was staged for a container, if there is anything.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn discard_staged(&self, name: &InstanceName) -> Result<(), Error> {
        self.inner.driver.discard_staged(name).await
    }
}
