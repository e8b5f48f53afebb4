//! What a new dataset begins with.

use super::names::{copy_of, image_snapshot, snapshot};
use super::{State, stream};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::volume::{Volume, VolumeSource};
use model::units::Bytes;
use tools::zfs::{self, Below, Types};

/// A snapshot to make something of.
pub(super) struct Origin {
    pub(super) name: String,
    /// It was made for this, and goes as soon as nothing is made of it.
    temporary: bool,
}

/// Every dataset has it: nobody but us mounts it.
pub(super) const UNMOUNTED: &str = "canmount=noauto";

/// Properties of a dataset for a volume of this size.
pub(super) fn properties(config: &VolumeConfig) -> Vec<String> {
    let mut properties = vec![UNMOUNTED.to_owned()];
    if let Some(Bytes(size)) = config.size {
        let name = if config.use_refquota == Some(true) { "refquota" } else { "quota" };
        properties.push(format!("{name}={size}"));
    }
    properties
}

/// Both limits, for one that may have another one.
pub(super) fn limits(config: &VolumeConfig) -> Vec<String> {
    let size = config.size.map_or_else(|| "none".to_owned(), |Bytes(size)| size.to_string());
    let none = "none".to_owned();
    let (quota, refquota) = if config.use_refquota == Some(true) { (none, size) } else { (size, none) };
    vec![format!("quota={quota}"), format!("refquota={refquota}")]
}

impl State {
    /// The snapshot that holds what a source holds. One of a volume is taken now; a user's is where most are.
    pub(super) async fn origin(&self, of: &Volume) -> Result<Origin, Error> {
        let dataset = self.names.volume(of);
        match of {
            Volume::Image(_) => Ok(Origin { name: image_snapshot(&dataset), temporary: false }),
            Volume::ContainerSnapshot(_, name) | Volume::CustomSnapshot(_, name) => {
                Ok(Origin { name: snapshot(&dataset, name), temporary: false })
            }
            Volume::Container(_) | Volume::Custom(_) => {
                self.origin_of(&dataset).await.map_err(|error| match error {
                    Error::Tool(error) if zfs::missing(&error) => self.no(of),
                    other => other,
                })
            }
        }
    }

    /// The same, after a look at where it is.
    pub(super) async fn certain_origin(&self, of: &Volume) -> Result<Origin, Error> {
        if !of.kind().is_snapshot() {
            return self.origin(of).await;
        }
        let name = self.find(of).await?.ok_or_else(|| self.no(of))?.name;
        Ok(Origin { name, temporary: false })
    }

    async fn origin_of(&self, dataset: &str) -> Result<Origin, Error> {
        let (name, _) = copy_of(dataset);
        zfs::snapshot(&name).await?;
        Ok(Origin { name, temporary: true })
    }

    /// Lets go of a snapshot that something was made of.
    pub(super) async fn leave(&self, origin: Origin) {
        if !origin.temporary {
            return;
        }
        if let Err(error) = zfs::destroy_deferred(&origin.name).await {
            tracing::warn!(
                snapshot = origin.name,
                error = &error as &dyn std::error::Error,
                "cannot let go of a snapshot; the next start will"
            );
        }
    }

    /// Makes a dataset that begins as a source does, which is not [`VolumeSource::Empty`].
    pub(super) async fn fill(
        &self,
        dataset: &str,
        source: &VolumeSource,
        properties: &[String],
        copy: Copy,
    ) -> Result<(), Error> {
        let origin = match source {
            VolumeSource::Empty => return Ok(zfs::create(dataset, properties).await?),
            VolumeSource::Volume { volume, .. } => self.origin(volume).await?,
            VolumeSource::Draft(draft) => self.origin_of(&self.names.draft(&draft.name)).await?,
        };
        let made = self.fill_from(&origin.name, dataset, properties, copy).await;
        self.leave(origin).await;
        match (made, source) {
            (Err(Error::Tool(error)), VolumeSource::Volume { volume, .. }) if zfs::missing(&error) => {
                if !volume.kind().is_snapshot() {
                    return Err(self.no(volume));
                }
                // It lies on a shelf, if it is there.
                let origin = self.certain_origin(volume).await?;
                self.fill_from(&origin.name, dataset, properties, copy).await
            }
            (made, _) => made,
        }
    }

    async fn fill_from(
        &self,
        origin: &str,
        dataset: &str,
        properties: &[String],
        copy: Copy,
    ) -> Result<(), Error> {
        match copy {
            Copy::Clone => Ok(zfs::clone(origin, dataset, properties).await?),
            Copy::Whole => self.copy_whole(origin, dataset, properties).await,
        }
    }

    /// A copy that shares nothing with what it is made of.
    async fn copy_whole(&self, origin: &str, dataset: &str, properties: &[String]) -> Result<(), Error> {
        let (target, _) = copy_of(dataset);
        let (reader, writer) = stream::pipe()?;
        let sent = async { Ok::<_, Error>(zfs::send(origin, None, writer.into()).await?) };
        let received = async { Ok(zfs::receive(&target, properties, reader.into()).await?) };
        tokio::try_join!(sent, received)?;
        Ok(zfs::destroy(&target).await?)
    }

    /// How a copy of a source is to be made. Containers always share data with their image.
    pub(super) fn copies(&self, source: &VolumeSource) -> Copy {
        match source {
            VolumeSource::Volume { volume, .. }
                if !self.config.zfs_clone_copy && !matches!(volume, Volume::Image(_)) =>
            {
                Copy::Whole
            }
            VolumeSource::Empty | VolumeSource::Volume { .. } | VolumeSource::Draft(_) => Copy::Clone,
        }
    }

    /// Says in time that a copy that shares nothing has no room.
    pub(super) async fn expect_room(&self, volume: &Volume, source: &VolumeSource) -> Result<(), Error> {
        let VolumeSource::Volume { volume: of, .. } = source else { return Ok(()) };
        if self.copies(source) == Copy::Clone {
            return Ok(());
        }
        let name = match self.find(of).await? {
            Some(row) => row.name,
            None => self.names.volume(of),
        };
        let rows = zfs::list(&name, Below::Itself, Types::Anything, &["referenced"]).await?;
        let needed = rows.and_then(|rows| rows.first()?.first()?.parse::<u64>().ok()).unwrap_or(0);
        let Bytes(free) = self.available().await?;
        if needed <= free {
            return Ok(());
        }
        Err(Error::Full { pool: self.pool.clone(), volume: volume.clone(), missing: Bytes(needed - free) })
    }

    /// Takes a user's snapshot of a dataset.
    pub(super) async fn take(&self, dataset: &str, name: &model::SnapshotName) -> Result<(), Error> {
        Ok(zfs::snapshot(&snapshot(dataset, name)).await?)
    }
}

/// How something is made of something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Copy {
    /// They share what neither changes.
    Clone,
    /// They share nothing.
    Whole,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_one_of_two_limits() {
        let mut config = VolumeConfig::default();
        assert_eq!(properties(&config), ["canmount=noauto"]);
        assert_eq!(limits(&config), ["quota=none", "refquota=none"]);
        config.size = Some(Bytes(10));
        assert_eq!(properties(&config), ["canmount=noauto", "quota=10"]);
        assert_eq!(limits(&config), ["quota=10", "refquota=none"]);
        config.use_refquota = Some(true);
        assert_eq!(properties(&config), ["canmount=noauto", "refquota=10"]);
        assert_eq!(limits(&config), ["quota=none", "refquota=10"]);
    }
}
