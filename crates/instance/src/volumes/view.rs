//! Volumes as clients see them: custom ones, and those that containers and images have.

use super::catalog::Held;
use super::{Place, Volumes};
use crate::Error;
use crate::pools::Pools;
use api::Config;
use api::storage::{Volume, VolumeSnapshot};
use model::devices::{Device, Disk};
use model::names::{Fingerprint, PoolName};
use std::sync::Arc;
use storage::Kind;
use store::volume_snapshots::Snapshot;

/// What a volume holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub enum VolumeKind {
    Container,
    Custom,
    Image,
}

impl VolumeKind {
    /// Reads a word of a request, in the plural or not.
    ///
    /// # Errors
    /// No such kind.
    pub fn parse(word: &str) -> Result<Self, Error> {
        match word {
            "container" | "containers" => Ok(Self::Container),
            "custom" => Ok(Self::Custom),
            "image" | "images" => Ok(Self::Image),
            other => Err(Error::Unknown {
                field: "type of a storage volume",
                value: other.to_owned(),
                allowed: "container, image, custom",
            }),
        }
    }

    /// The word in objects.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Custom => "custom",
            Self::Image => "image",
        }
    }

    /// What can be done only to custom volumes.
    pub(super) fn must_be_custom(self, hint: &'static str) -> Result<(), Error> {
        match self {
            Self::Custom => Ok(()),
            Self::Container | Self::Image => Err(Error::NotCustom { kind: self.name(), hint }),
        }
    }
}

const FILESYSTEM: &str = "filesystem";

fn volume(kind: VolumeKind, name: String, used_by: Vec<String>) -> Volume {
    Volume {
        kind: kind.name().to_owned(),
        name,
        used_by,
        location: "none".to_owned(),
        content_type: FILESYSTEM.to_owned(),
        ..Volume::default()
    }
}

/// A snapshot with both names.
pub(super) fn snapshot(held: &Held, snapshot: &Snapshot) -> VolumeSnapshot {
    VolumeSnapshot {
        config: snapshot.config.clone(),
        description: snapshot.description.clone(),
        name: format!("{}/{}", held.place.name, snapshot.name),
        content_type: FILESYSTEM.to_owned(),
        created_at: snapshot.created_at,
        expires_at: Some(snapshot.expires_at).filter(|time| time.is_set()),
    }
}

/// What the root of a container says about its volume.
fn root_config(root: &Disk) -> Config {
    let size = root.size.map(|size| ("size".to_owned(), size.0.to_string()));
    size.into_iter().collect()
}

/// The root among expanded devices.
pub(super) fn root(devices: &model::devices::Devices) -> Option<Disk> {
    devices.iter().find_map(|(name, properties)| match Device::parse(name, properties) {
        Ok(Device::Disk(disk)) if disk.is_root() => Some(disk),
        _ => None,
    })
}

impl Volumes {
    /// Everything in a pool, snapshots too; of one kind, or all.
    ///
    /// # Errors
    /// No such pool, or it cannot be used.
    pub async fn list(&self, pool: &str, kind: Option<VolumeKind>) -> Result<Vec<Volume>, Error> {
        let pool = PoolName::parse(pool)?;
        self.inner.pools.get(pool.as_str())?;
        let wanted = |one| kind.is_none_or(|kind| kind == one);
        let mut all = Vec::new();
        if wanted(VolumeKind::Container) {
            all.extend(self.of_containers(&pool));
        }
        if wanted(VolumeKind::Custom) {
            for held in self.inner.catalog.of_pool(&pool) {
                all.push(self.custom(&held));
                all.extend(held.snapshots.iter().map(|snapshot| custom_snapshot(&held, snapshot)));
            }
        }
        // One that cannot be used does not tell which images it has.
        if wanted(VolumeKind::Image)
            && let Ok(usable) = self.inner.pools.usable(&pool)
        {
            for image in usable.volumes(Kind::Image).await? {
                all.push(of_image(image.name()));
            }
        }
        Ok(all)
    }

    /// One volume.
    ///
    /// # Errors
    /// Not found.
    pub async fn get(&self, pool: &str, kind: VolumeKind, name: &str) -> Result<Volume, Error> {
        match kind {
            VolumeKind::Custom => {
                let place = Place::parse(pool, name)?;
                self.inner.pools.get(pool)?;
                Ok(self.custom(&*self.inner.catalog.get(&place)?))
            }
            VolumeKind::Container => {
                let pool = PoolName::parse(pool)?;
                let found = self.of_containers(&pool).into_iter().find(|volume| volume.name == name);
                found.ok_or_else(|| Error::not_found("Storage volume", &format!("{pool}/container/{name}")))
            }
            VolumeKind::Image => {
                let image = self.image(pool, name).await?;
                Ok(of_image(image.as_str()))
            }
        }
    }

    /// The image of a volume that is there.
    pub(super) async fn image(&self, pool: &str, name: &str) -> Result<Fingerprint, Error> {
        let image = Fingerprint::parse(name)?;
        let pool = self.inner.pools.usable(&PoolName::parse(pool)?)?;
        if pool.has(&storage::Volume::Image(image.clone())).await? {
            return Ok(image);
        }
        Err(Error::not_found("Storage volume", &format!("{}/image/{name}", pool.name())))
    }

    fn custom(&self, held: &Held) -> Volume {
        let record = &held.record;
        Volume {
            config: record.config.clone(),
            description: record.description.clone(),
            created_at: record.created_at,
            ..volume(VolumeKind::Custom, record.name.clone(), self.used_by(&held.place))
        }
    }

    /// Those of containers and their snapshots.
    fn of_containers(&self, pool: &PoolName) -> Vec<Volume> {
        let mut all = Vec::new();
        for entry in self.inner.registry.all() {
            let view = entry.view();
            if self.inner.pools.of_instance(&view).ok().as_ref() != Some(pool) {
                continue;
            }
            let config = root(&view.expanded_devices).map(|root| root_config(&root)).unwrap_or_default();
            let used_by = vec![format!("/1.0/containers/{}", view.name)];
            all.push(Volume {
                config: config.clone(),
                created_at: view.created_at,
                ..volume(VolumeKind::Container, view.name.clone(), used_by)
            });
            for snapshot in Arc::unwrap_or_clone(entry.snapshots()) {
                let name = format!("{}/{}", view.name, snapshot.name);
                let used_by = vec![format!("/1.0/containers/{}/snapshots/{}", view.name, snapshot.name)];
                all.push(Volume {
                    config: config.clone(),
                    created_at: snapshot.created_at,
                    ..volume(VolumeKind::Container, name, used_by)
                });
            }
        }
        all
    }

    /// What is asked of a container's volume.
    pub(super) fn container_config(root: &Disk) -> storage::VolumeConfig {
        Pools::root_config(root)
    }
}

fn custom_snapshot(held: &Held, snapshot: &Snapshot) -> Volume {
    Volume {
        config: snapshot.config.clone(),
        description: snapshot.description.clone(),
        created_at: snapshot.created_at,
        ..volume(VolumeKind::Custom, format!("{}/{}", held.place.name, snapshot.name), Vec::new())
    }
}

fn of_image(fingerprint: &str) -> Volume {
    volume(VolumeKind::Image, fingerprint.to_owned(), vec![format!("/1.0/images/{fingerprint}")])
}
