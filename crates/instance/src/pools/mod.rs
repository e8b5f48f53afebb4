//! Storage pools and their volumes.

use crate::catalog::{Stamp, Table};
use crate::instances::Registry;
use crate::var::Var;
use crate::{Error, Progress, profiles, volumes};
use api::instances::Instance;
use api::storage::{Amount, Pool, PoolResources, PoolsPost};
use image::{ImageFiles, Limits};
use model::devices::Disk;
use model::names::{Fingerprint, InstanceName, PoolName};
use std::path::PathBuf;
use std::sync::{Arc, Once, OnceLock};
use storage::{Available, DriverKind, EnsureError, Mounted, Volume, VolumeConfig, VolumeSource};
use store::Store;
use store::pools::Pool as Record;

mod adopt;
mod update;
mod watch;

/// A pool that is known, and whether it can be used.
pub(crate) struct Held {
    record: Record,
    pool: storage::Pool,
    /// Why it cannot be used.
    unavailable: Option<String>,
}

/// All pools. Cheap to clone.
#[derive(Clone)]
pub struct Pools {
    var: Var,
    store: Store,
    registry: Registry,
    profiles: profiles::Catalog,
    volumes: volumes::Catalog,
    table: Table<Held>,
    /// Drivers of this host.
    known: Arc<OnceLock<Vec<Available>>>,
    /// They are being asked for.
    learning: Arc<Once>,
}

impl Pools {
    /// Opens every pool. One that cannot be used does not stop the others.
    pub(crate) async fn open(
        var: Var,
        store: Store,
        registry: Registry,
        profiles: profiles::Catalog,
        volumes: volumes::Catalog,
    ) -> Result<Self, Error> {
        let (table, known) = (Table::default(), Arc::new(OnceLock::new()));
        let pools =
            Self { var, store, registry, profiles, volumes, table, known, learning: Arc::new(Once::new()) };
        for record in pools.store.read(store::pools::list).await? {
            let kind = DriverKind::parse(&record.driver).map_err(storage::Error::from)?;
            let pool = storage::Pool::open(pools.var.root(), record.name.clone(), kind, &record.config)?;
            let unavailable = match mount(&pool).await {
                Ok(()) => None,
                Err(error) => {
                    tracing::error!(pool = %record.name, error = %error.story(), "the pool cannot be used");
                    Some(error.story())
                }
            };
            let name = record.name.to_string();
            pools.table.insert(Stamp::take(), &name, Held { record, pool, unavailable });
        }
        Ok(pools)
    }

    /// Every pool by name.
    #[must_use]
    pub fn list(&self) -> Vec<Pool> {
        self.table.all().iter().map(|held| self.show(held)).collect()
    }

    /// One pool.
    ///
    /// # Errors
    /// Not found.
    pub fn get(&self, name: &str) -> Result<Pool, Error> {
        Ok(self.show(&*self.held(name)?))
    }

    fn held(&self, name: &str) -> Result<Arc<Held>, Error> {
        self.table.get(name).ok_or_else(|| Error::not_found("Storage pool", name))
    }

    fn show(&self, held: &Held) -> Pool {
        let record = &held.record;
        Pool {
            config: record.config.clone(),
            description: record.description.clone(),
            name: record.name.to_string(),
            driver: record.driver.clone(),
            used_by: self.users(&record.name),
            status: if held.unavailable.is_some() { "Unavailable" } else { "Created" }.to_owned(),
            reason: held.unavailable.clone().unwrap_or_default(),
            locations: vec!["none".to_owned()],
        }
    }

    /// Containers and custom volumes that are there, and profiles that name it.
    fn users(&self, pool: &PoolName) -> Vec<String> {
        let views = self.registry.all().into_iter().map(|entry| entry.view());
        let containers = views
            .filter(|view| self.of_instance(view).is_ok_and(|found| found == *pool))
            .map(|view| format!("/1.0/containers/{}", view.name));
        let named = |profile: &Arc<store::profiles::Profile>| {
            profile.devices.values().any(|device| {
                device.get("type").is_some_and(|kind| kind == "disk")
                    && device.get("pool").is_some_and(|found| found == pool.as_str())
            })
        };
        let profiles = self.profiles.all().into_iter().filter(named);
        let profiles = profiles.map(|profile| format!("/1.0/profiles/{}", profile.name));
        containers.chain(profiles).chain(self.volumes.urls(pool)).collect()
    }

    /// Makes a pool.
    ///
    /// # Errors
    /// The name is bad or taken; unknown driver; anything wrong with its configuration.
    pub async fn create(&self, post: PoolsPost) -> Result<(), Error> {
        let name = PoolName::parse(&post.name)?;
        if self.table.get(name.as_str()).is_some() {
            return Err(Error::Exists { what: "Storage pool", name: name.to_string() });
        }
        let kind = DriverKind::parse(&post.driver).map_err(storage::Error::from)?;
        let (pool, config) = storage::Pool::create(self.var.root(), name.clone(), kind, &post.config).await?;
        let record =
            Record { name: name.clone(), driver: post.driver, description: post.description, config };
        let stored = record.clone();
        let write = self.store.write(move |tx| store::pools::insert(tx, &stored).map(|()| Stamp::take()));
        let stamp = match write.await {
            Ok(stamp) => stamp,
            Err(error) => {
                if let Err(error) = pool.delete().await {
                    tracing::error!(pool = %name, error = &error as &dyn std::error::Error, "cannot take a pool back");
                }
                return Err(error.into());
            }
        };
        self.table.insert(stamp, name.as_str(), Held { record, pool, unavailable: None });
        Ok(())
    }

    /// Removes an empty pool.
    ///
    /// # Errors
    /// Not found; something lives there.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let held = self.held(name)?;
        if let Some(user) = self.show(&held).used_by.first() {
            return Err(Error::InUse { what: "Storage pool", name: name.to_owned(), by: user.clone() });
        }
        held.pool.delete().await?;
        let pool = held.record.name.clone();
        let write = self.store.write(move |tx| store::pools::delete(tx, &pool).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.table.remove(stamp, name);
        Ok(())
    }

    /// Space and inodes.
    ///
    /// # Errors
    /// Not found.
    pub async fn resources(&self, name: &str) -> Result<PoolResources, Error> {
        let pool = PoolName::parse(name)?;
        self.held(name)?;
        let resources = self.usable(&pool)?.resources().await?;
        Ok(PoolResources {
            space: Amount { used: resources.space_used, total: resources.space_total },
            inodes: Amount { used: resources.inodes_used, total: resources.inodes_total },
        })
    }

    /// Names and versions of the drivers in use, as the server shows them.
    pub(crate) fn drivers(&self) -> (String, String) {
        let mut kinds: Vec<DriverKind> = Vec::new();
        for held in self.table.all() {
            if !kinds.contains(&held.pool.kind()) {
                kinds.push(held.pool.kind());
            }
        }
        let known = self.supported();
        let version = |kind: &DriverKind| {
            if *kind == DriverKind::Dir {
                return "1".to_owned();
            }
            let mut all = known.into_iter().flatten();
            all.find(|driver| driver.kind == *kind).map(|driver| driver.version.clone()).unwrap_or_default()
        };
        let names = kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" | ");
        (names, kinds.iter().map(version).collect::<Vec<_>>().join(" | "))
    }

    /// Drivers that this host can run; `None`: their versions are still being asked for.
    pub(crate) fn supported(&self) -> Option<&[Available]> {
        // Programs are asked for their versions: not before somebody wants to know, and nobody waits.
        self.learning.call_once(|| {
            let learned = self.known.clone();
            tokio::spawn(async move { learned.set(storage::with_versions().await) });
        });
        self.known.get().map(Vec::as_slice)
    }

    /// The pool of a container: that of its root device.
    pub(crate) fn of_instance(&self, view: &Instance) -> Result<PoolName, Error> {
        let root = view.expanded_devices.values().find(|device| {
            device.get("type").is_some_and(|kind| kind == "disk")
                && device.get("path").is_some_and(|path| path == "/")
        });
        match root.and_then(|device| device.get("pool")) {
            Some(pool) => Ok(PoolName::parse(pool)?),
            None => Err(Error::NoPool),
        }
    }

    /// How many bytes per second of a pool may be sent to other servers; none: as many as there can be.
    pub(crate) fn send_limit(&self, name: &PoolName) -> Option<u64> {
        let held = self.held(name.as_str()).ok()?;
        storage::PoolConfig::parse(held.pool.kind(), &held.record.config).ok()?.rsync_bwlimit
    }

    /// A pool that can be used.
    pub(crate) fn usable(&self, name: &PoolName) -> Result<storage::Pool, Error> {
        let held = self.held(name.as_str())?;
        match &held.unavailable {
            None => Ok(held.pool.clone()),
            Some(reason) => Err(Error::PoolUnavailable { pool: name.to_string(), reason: reason.clone() }),
        }
    }

    /// A container's volume, mounted for as long as the result lives.
    pub(crate) async fn container(&self, pool: &PoolName, name: &InstanceName) -> Result<Mounted, Error> {
        let volume = Volume::Container(name.clone());
        Ok(self.usable(pool)?.mount_volume(&volume, &VolumeConfig::default()).await?)
    }

    /// Refuses a size of a container's root that nothing in this pool would enforce.
    pub(crate) fn check_root(&self, pool: &PoolName, config: &VolumeConfig) -> Result<(), Error> {
        let held = self.held(pool.as_str())?;
        // One that cannot be used cannot be asked either.
        if config.size.is_none() || held.unavailable.is_some() || held.pool.capabilities().quotas {
            return Ok(());
        }
        Err(Error::NoQuota { pool: pool.to_string(), driver: held.pool.kind().name() })
    }

    /// What is asked of the volume of a container whose root device this is.
    pub(crate) fn root_config(root: &Disk) -> VolumeConfig {
        VolumeConfig { size: root.size, ..VolumeConfig::default() }
    }

    /// Removes a volume that was made by work that failed afterwards.
    pub(crate) async fn take_back(volumes: &storage::Pool, volume: &Volume) {
        if let Err(error) = volumes.delete_volume(volume).await {
            tracing::error!(%volume, error = &error as &dyn std::error::Error, "cannot remove a volume that was made in vain");
        }
    }

    /// Makes a container's volume from an image, which is unpacked if this is its first use here.
    pub(crate) async fn create_from_image(
        &self,
        (pool, config): (&PoolName, &VolumeConfig),
        name: &InstanceName,
        fingerprint: &Fingerprint,
        files: ImageFiles,
        progress: &Progress,
    ) -> Result<(), Error> {
        let pool = self.usable(pool)?;
        self.ensure_image(&pool, fingerprint, files, progress).await?;
        let image = VolumeSource::still(Volume::Image(fingerprint.clone()));
        Ok(pool.make(&Volume::Container(name.clone()), image, config).await?)
    }

    /// Sees to it that an image is unpacked in a pool.
    pub(crate) async fn ensure_image(
        &self,
        pool: &storage::Pool,
        fingerprint: &Fingerprint,
        files: ImageFiles,
        progress: &Progress,
    ) -> Result<(), Error> {
        let progress = progress.clone();
        let fill = |dest: PathBuf| async move {
            progress.show("create_instance_from_image_unpack_progress", "Unpacking image");
            image::unpack::unpack(files, dest, Limits::default()).await.map(drop)
        };
        let ensured = pool.ensure_image(fingerprint, fill).await;
        ensured.map(drop).map_err(|error| match error {
            EnsureError::Fill(error) => Error::Image(error.into()),
            EnsureError::Storage(error) => Error::Storage(error),
        })
    }

    /// An empty volume.
    pub(crate) async fn create_empty(
        &self,
        (pool, config): (&PoolName, &VolumeConfig),
        name: &InstanceName,
    ) -> Result<(), Error> {
        let container = Volume::Container(name.clone());
        Ok(self.usable(pool)?.make(&container, VolumeSource::Empty, config).await?)
    }

    /// Removes a container's volume and its snapshots; having none is fine.
    pub(crate) async fn remove_container(&self, pool: &PoolName, name: &InstanceName) -> Result<(), Error> {
        self.usable(pool)?.delete_volume(&Volume::Container(name.clone())).await?;
        Ok(())
    }

    /// Gives a container's volume and its snapshots another name.
    pub(crate) async fn rename_container(
        &self,
        pool: &PoolName,
        old: &InstanceName,
        new: &InstanceName,
    ) -> Result<(), Error> {
        let (old, new) = (Volume::Container(old.clone()), Volume::Container(new.clone()));
        Ok(self.usable(pool)?.rename(&old, &new).await?)
    }

    /// Every pool that can be used.
    pub(crate) fn all_usable(&self) -> Vec<storage::Pool> {
        self.table
            .all()
            .iter()
            .filter(|held| held.unavailable.is_none())
            .map(|held| held.pool.clone())
            .collect()
    }
}

async fn mount(pool: &storage::Pool) -> Result<(), Error> {
    pool.mount().await?;
    let repaired = pool.repair().await?;
    for path in repaired.removed.iter().chain(&repaired.links) {
        tracing::info!(path = %path.display(), "repaired what an interrupted daemon had left");
    }
    for (path, error) in &repaired.failed {
        tracing::error!(path = %path.display(), error = error as &dyn std::error::Error, "cannot repair");
    }
    Ok(())
}
