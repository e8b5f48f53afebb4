//! Containers that are on a pool and not in the database are taken over again, from what is written
//! beside their files.

use super::Instances;
use super::backup::Backup;
use super::gate;
use super::owner::{Owner, Request as Ask};
use crate::Error;
use crate::volumes::Place;
use api::Config;
use api::instances::{Instance, Snapshot as ApiSnapshot};
use api::storage::PoolsPost;
use model::arch::Architecture;
use model::expand::expand;
use model::names::{InstanceName, PoolName, ProfileName, SnapshotName};
use model::power::LastPower;
use model::state::InstanceState;
use serde::{Deserialize, Serialize};
use storage::{Kind, Volume, VolumeConfig};
use store::instances::{NewInstance, Update};
use store::snapshots::Snapshot;
use store::volumes::VolumeKind;

/// Pools that the database does not know, with the configuration that it had recorded of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Request {
    /// The pools.
    pub pools: Vec<PoolsPost>,
}

/// A volume that the database does not know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its pool.
    pub pool: String,
    /// `container` or `custom`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// How many snapshots it has.
    pub snapshots: usize,
    /// Why it cannot be taken over; empty: it can.
    pub problem: String,
}

/// What is to be written into the database.
enum Known {
    Container { record: Box<NewInstance>, snapshots: Vec<Snapshot> },
    Custom,
}

impl Instances {
    /// What is on the pools and not in the database; nothing is changed.
    ///
    /// # Errors
    /// A pool cannot be used.
    pub async fn unknown(&self, request: &Request) -> Result<Vec<Found>, Error> {
        let mut found = Vec::new();
        let context = &self.context;
        let mut pools: Vec<(storage::Pool, bool)> =
            context.pools.all_usable().into_iter().map(|pool| (pool, false)).collect();
        for post in &request.pools {
            let pool = context.pools.open_unknown(post).await?;
            let mounted = pool.mount().await?;
            pools.push((pool, mounted));
        }
        for (pool, mounted) in pools {
            for (one, _) in self.scan(&pool).await? {
                found.push(one);
            }
            if mounted {
                pool.unmount().await?;
            }
        }
        Ok(found)
    }

    /// Takes over everything that can be, and says what it was.
    ///
    /// # Errors
    /// A pool cannot be used; the database. What was taken over before stays.
    pub async fn recover(&self, request: &Request) -> Result<Vec<Found>, Error> {
        for post in &request.pools {
            self.context.pools.adopt(post.clone()).await?;
        }
        let mut all = Vec::new();
        for pool in self.context.pools.all_usable() {
            for (found, known) in self.scan(&pool).await? {
                if let Some(known) = known {
                    self.take_over(&pool, &found, known).await?;
                }
                all.push(found);
            }
        }
        Ok(all)
    }

    /// Takes over one container, and its pool with it, from what is below the daemon's directory.
    /// Snapshots that are missing or too many are refused unless `force` is set: then those that are
    /// there and known are taken.
    ///
    /// # Errors
    /// Nothing of that name is there; it is known already; it does not fit.
    pub async fn import(&self, name: &str, force: bool) -> Result<(), Error> {
        let name = InstanceName::parse(name)?;
        if self.context.registry.get(name.as_str()).is_ok() {
            return Err(Error::Exists { what: "Container", name: name.to_string() });
        }
        let (var, wanted) = (self.context.var.root().to_owned(), name.clone());
        let look = move || {
            let pools = std::fs::read_dir(var.join("storage-pools")).into_iter().flatten().flatten();
            let places = pools.map(|pool| pool.path().join("containers").join(&wanted));
            places.filter_map(|place| Backup::read(&place).ok().flatten()).collect::<Vec<_>>()
        };
        let backups = tokio::task::spawn_blocking(look).await.map_err(|_| Error::Shutdown)?;
        let Some(backup) = backups.into_iter().next() else {
            return Err(Error::not_found("Description (backup.yaml) of the container", name.as_str()));
        };
        let pool = PoolName::parse(&backup.pool.name)?;
        if self.context.pools.get(pool.as_str()).is_err() {
            let pool = backup.pool.clone();
            let (name, driver, config) = (pool.name, pool.driver, pool.config);
            let description = pool.description;
            self.context.pools.adopt(PoolsPost { name, driver, config, description }).await?;
        }
        let pool = self.context.pools.usable(&pool)?;
        for (found, known) in self.scan(&pool).await? {
            if found.kind != "container" || found.name != name.as_str() {
                continue;
            }
            let listed = backup.snapshots.len();
            if listed != found.snapshots && !force {
                let why = format!(
                    "it has {} snapshots on the storage pool and {listed} are listed; take over those that are both with --force",
                    found.snapshots
                );
                return Err(Error::NotRecovered { name: name.to_string(), why });
            }
            let Some(known) = known else {
                return Err(Error::NotRecovered { name: name.to_string(), why: found.problem });
            };
            return self.take_over(&pool, &found, known).await;
        }
        Err(Error::not_found("Volume of the container", name.as_str()))
    }

    /// Volumes of a pool that the database does not know.
    async fn scan(&self, pool: &storage::Pool) -> Result<Vec<(Found, Option<Known>)>, Error> {
        let mut all = Vec::new();
        for volume in pool.volumes(Kind::Container).await? {
            if self.context.registry.get(volume.name()).is_ok() {
                continue;
            }
            let snapshots = pool.snapshots(&volume).await?;
            let known = self.understand(pool, &volume, &snapshots).await;
            let (known, problem) = match known {
                Ok(known) => (Some(known), String::new()),
                Err(problem) => (None, problem),
            };
            all.push((found(pool, "container", &volume, snapshots.len(), problem), known));
        }
        let of = pool.name().clone();
        let listed = self.context.store.read(move |conn| match store::volumes::list(conn, &of) {
            Err(store::Error::NotFound { .. }) => Ok(Vec::new()),
            result => result,
        });
        let listed = listed.await?;
        for volume in pool.volumes(Kind::Custom).await? {
            if listed.iter().any(|known| known.kind == VolumeKind::Custom && known.name == volume.name()) {
                continue;
            }
            let count = pool.snapshots(&volume).await?.len();
            all.push((found(pool, "custom", &volume, count, String::new()), Some(Known::Custom)));
        }
        Ok(all)
    }

    /// What a container's description comes to here, or why it cannot be taken over.
    async fn understand(
        &self,
        pool: &storage::Pool,
        volume: &Volume,
        snapshots: &[SnapshotName],
    ) -> Result<Known, String> {
        let mounted = pool.mount_volume(volume, &VolumeConfig::default()).await.map_err(|e| e.to_string())?;
        let read = tokio::task::spawn_blocking(move || Backup::read(mounted.path()));
        let backup = read.await.map_err(|error| error.to_string())??;
        let backup = backup.ok_or_else(|| "it has no description (backup.yaml)".to_owned())?;
        let record = self.record(pool.name(), volume.name(), backup.container).map_err(|e| e.story())?;
        let listed = backup.snapshots.iter().filter_map(|told| self.snapshot_record(told));
        let there = listed.filter(|snapshot| snapshots.contains(&snapshot.name)).collect();
        Ok(Known::Container { record: Box::new(record), snapshots: there })
    }

    fn record(&self, pool: &PoolName, name: &str, told: Instance) -> Result<NewInstance, Error> {
        let profiles = gate::profiles(&self.context, &told.profiles)?;
        let layers = self.context.profiles.layers(&profiles);
        let mut devices = told.devices;
        let expanded = expand((&told.config, &devices), layers.iter().map(|p| (&p.config, &p.devices)));
        super::relocate_pool::put_root_on(&mut devices, &expanded.devices, pool);
        let mut config: Config = told.config;
        config.insert(model::power::KEY.to_owned(), LastPower::Stopped.value().to_owned());
        let expanded = expand((&config, &devices), layers.iter().map(|p| (&p.config, &p.devices)));
        expanded.check(&self.context.platform.host()).map_err(Error::Expanded)?;
        let host = self.context.platform.host().architecture;
        Ok(NewInstance {
            name: InstanceName::parse(name)?,
            architecture: Architecture::parse(&told.architecture).unwrap_or(host),
            ephemeral: told.ephemeral,
            created_at: told.created_at,
            description: told.description,
            config,
            devices,
            profiles,
            pool: pool.clone(),
        })
    }

    /// A snapshot as it was described; `None`: under a name that no snapshot can have.
    fn snapshot_record(&self, told: &ApiSnapshot) -> Option<Snapshot> {
        let name = told.name.rsplit('/').next().unwrap_or_default();
        let has = |name: &ProfileName| self.context.profiles.get(name.as_str()).is_ok();
        let profiles = told.profiles.iter().filter_map(|name| ProfileName::parse(name).ok()).filter(has);
        let host = self.context.platform.host().architecture;
        Some(Snapshot {
            name: SnapshotName::parse(name).ok()?,
            created_at: told.created_at,
            expires_at: told.expires_at,
            stateful: false,
            last_used_at: told.last_used_at,
            content: Update {
                architecture: Architecture::parse(&told.architecture).unwrap_or(host),
                ephemeral: told.ephemeral,
                description: String::new(),
                config: told.config.clone(),
                devices: told.devices.clone(),
                profiles: profiles.collect(),
            },
        })
    }

    async fn take_over(&self, pool: &storage::Pool, found: &Found, known: Known) -> Result<(), Error> {
        let context = &self.context;
        match known {
            Known::Custom => {
                context.volumes.adopt(Place::parse(pool.name().as_str(), &found.name)?).await?;
            }
            Known::Container { record, snapshots } => {
                let reservation = context.registry.reserve(record.name.as_str())?;
                let (new, kept) = (*record, snapshots.clone());
                let write = context.store.write(move |tx| {
                    let record = store::instances::insert(tx, &new)?;
                    for snapshot in &kept {
                        store::snapshots::insert(tx, &record.name, snapshot)?;
                    }
                    Ok(record)
                });
                let record = write.await?;
                let volume = Volume::Container(record.name.clone());
                let entry = Owner::adopt(context, record, snapshots, InstanceState::Stopped);
                drop(reservation);
                pool.relink(&volume).await?;
                context.networks.announce(&entry.view()).await;
                context.tell("container-created", &found.name);
                entry.tell(Ask::Describe).await;
            }
        }
        tracing::info!(pool = found.pool, volume = found.name, kind = found.kind, "taken over from the pool");
        Ok(())
    }
}

fn found(
    pool: &storage::Pool,
    kind: &'static str,
    volume: &Volume,
    snapshots: usize,
    problem: String,
) -> Found {
    Found { pool: pool.name().to_string(), kind, name: volume.name().to_owned(), snapshots, problem }
}
