//! What can be done with a volume.

use super::{Pool, blocking};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::volume::{Kind, Resized, Staged, Volume, VolumeSource};
use model::{InstanceName, SnapshotName};
use std::path::PathBuf;

impl Pool {
    /// All volumes of a kind that are on disk, sorted, whatever the database says.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn volumes(&self, kind: Kind) -> Result<Vec<Volume>, Error> {
        self.inner.driver.volumes(kind).await
    }

    /// True if a volume is there.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn has(&self, volume: &Volume) -> Result<bool, Error> {
        self.inner.driver.has(volume).await
    }

    /// Where a volume's files are while it is mounted (see [`mount_volume`](Self::mount_volume)):
    /// `metadata.yaml`, `templates/` and `rootfs/` for a container.
    #[must_use]
    pub fn volume_path(&self, volume: &Volume) -> PathBuf {
        self.inner.paths.volume(volume)
    }

    /// A container's root file system, while its volume is mounted.
    #[must_use]
    pub fn rootfs_path(&self, name: &InstanceName) -> PathBuf {
        self.volume_path(&Volume::Container(name.clone())).join("rootfs")
    }

    /// Makes a container's or custom volume or a snapshot, and the links that lead to it. A snapshot's
    /// source is the volume that it is taken of, or whatever else it is to hold.
    ///
    /// # Errors
    /// [`Error::VolumeExists`], others; nothing of it remains then.
    pub async fn make(
        &self,
        volume: &Volume,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let config = self.resolve(config);
        let _turns = match &source {
            VolumeSource::Volume { volume: of, .. } => self.inner.turns.take_both(volume, of).await,
            VolumeSource::Empty | VolumeSource::Draft(_) => (self.inner.turns.take(volume).await, None),
        };
        let with_snapshots =
            matches!(&source, VolumeSource::Volume { snapshots, .. } if !snapshots.is_empty());
        if let Err(error) = self.inner.driver.make(volume, source, &config).await {
            return Err(self.no_room(error, volume, None).await);
        }
        self.link_new(volume, with_snapshots).await
    }

    /// Links a volume that has just been made, or takes it back.
    pub(super) async fn link_new(&self, volume: &Volume, with_snapshots: bool) -> Result<(), Error> {
        let (inner, of) = (self.inner.clone(), volume.clone());
        if let Err(error) = blocking(move || inner.link(&of, with_snapshots)).await {
            self.inner.driver.delete_volume(volume).await?;
            return Err(error);
        }
        Ok(())
    }

    /// Makes the links to a container's volume again, wherever they lead now.
    ///
    /// # Errors
    /// [`Error::InTheWay`], others.
    pub async fn relink(&self, volume: &Volume) -> Result<(), Error> {
        let snapshots = !self.snapshots(volume).await?.is_empty();
        let (inner, of) = (self.inner.clone(), volume.clone());
        blocking(move || inner.link(&of, snapshots)).await
    }

    /// Removes a volume with its snapshots and its links. False: it had none. The name is free at once;
    /// the space is freed in the background, see [`settle`](Self::settle).
    ///
    /// # Errors
    /// [`Error`].
    pub async fn delete_volume(&self, volume: &Volume) -> Result<bool, Error> {
        let _turn = self.inner.turns.take(volume).await;
        let (inner, of) = (self.inner.clone(), volume.clone());
        blocking(move || inner.unlink(&of)).await?;
        let found = self.inner.driver.delete_volume(volume).await?;
        if let Volume::ContainerSnapshot(of, _) = volume
            && self.snapshots(&Volume::Container(of.clone())).await?.is_empty()
        {
            let (inner, of) = (self.inner.clone(), of.clone());
            blocking(move || inner.remove_link(Kind::ContainerSnapshot.part(), &of)).await?;
        }
        Ok(found)
    }

    /// Gives a volume another name; its snapshots go with it. What was interrupted is finished by the
    /// same call.
    ///
    /// # Errors
    /// [`Error::NoVolume`], [`Error::VolumeExists`], others.
    pub async fn rename(&self, old: &Volume, new: &Volume) -> Result<(), Error> {
        let _turns = self.inner.turns.take_both(old, new).await;
        self.inner.driver.rename(old, new).await?;
        let snapshots = !old.kind().is_snapshot() && !self.snapshots(new).await?.is_empty();
        let (inner, old, new) = (self.inner.clone(), old.clone(), new.clone());
        blocking(move || {
            inner.link(&new, snapshots)?;
            if old.kind().is_snapshot() { Ok(()) } else { inner.unlink(&old) }
        })
        .await
    }

    /// A volume's snapshots on disk, sorted by name, whatever the database says.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn snapshots(&self, of: &Volume) -> Result<Vec<SnapshotName>, Error> {
        self.inner.driver.snapshots(of).await
    }

    /// Gives a volume the size of its configuration; none: no limit, or the driver's default size.
    ///
    /// # Errors
    /// What is in it does not fit; others. It has its old size then.
    pub async fn resize(&self, volume: &Volume, config: &VolumeConfig) -> Result<Resized, Error> {
        let _turn = self.inner.turns.take(volume).await;
        self.inner.driver.resize(volume, &self.resolve(config)).await
    }

    /// How many bytes a volume takes on disk.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn usage(&self, volume: &Volume) -> Result<u64, Error> {
        if let Some(bytes) = self.inner.driver.usage(volume).await? {
            return Ok(bytes);
        }
        let mounted = self.mount_volume(volume, &VolumeConfig::default()).await?;
        let path = mounted.path().to_owned();
        blocking(move || Ok(crate::tree::usage(&path)?)).await
    }

    /// How many bytes a volume takes on disk; `None`: not known without a look at every file.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn known_usage(&self, volume: &Volume) -> Result<Option<u64>, Error> {
        self.inner.driver.usage(volume).await
    }

    /// Makes another content for a volume, beside the one that it has. Nothing is seen of it until
    /// [`commit_staged`](Self::commit_staged); it survives a crash.
    ///
    /// # Errors
    /// [`Error`]; nothing of it remains then.
    pub async fn stage(
        &self,
        volume: &Volume,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Staged, Error> {
        let _turn = self.inner.turns.take(volume).await;
        match self.inner.driver.stage(volume, source, &self.resolve(config)).await {
            Ok(staged) => Ok(staged),
            Err(error) => Err(self.no_room(error, volume, None).await),
        }
    }

    /// Puts what was staged in the place of a volume's content. Whoever does not know whether an
    /// earlier call was finished may call again.
    ///
    /// # Errors
    /// [`Error::NotStaged`], others; the volume has its old content then.
    pub async fn commit_staged(&self, volume: &Volume, staged: Staged) -> Result<(), Error> {
        let _turn = self.inner.turns.take(volume).await;
        self.inner.driver.commit_staged(volume, staged).await?;
        let (inner, of) = (self.inner.clone(), volume.clone());
        blocking(move || inner.link(&of, false)).await
    }

    /// Removes what was staged for a volume, if there is anything.
    ///
    /// # Errors
    /// [`Error`].
    pub async fn discard_staged(&self, volume: &Volume) -> Result<(), Error> {
        let _turn = self.inner.turns.take(volume).await;
        self.inner.driver.discard_staged(volume).await
    }

    /// What is asked of a volume, with what the pool says of volumes that say nothing else.
    pub(super) fn resolve(&self, config: &VolumeConfig) -> VolumeConfig {
        config.or(&self.inner.config.volume)
    }
}
