//! Profiles: configuration that many containers share.

use crate::Error;
use crate::catalog::{Stamp, Table};
use crate::instances::Instances;
use api::profiles::{Profile, ProfilePatch, ProfilePut};
use api::{Config, Devices};
use model::config::Scope;
use model::names::ProfileName;
use std::sync::Arc;
use store::Store;
use store::profiles::Profile as Record;

/// The profiles themselves, for whoever expands a configuration. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Catalog(Table<Record>);

impl Catalog {
    /// Reads all.
    pub(crate) async fn open(store: &Store) -> Result<Self, Error> {
        let catalog = Self::default();
        for record in store.read(store::profiles::list).await? {
            let name = record.name.to_string();
            catalog.0.insert(Stamp::take(), &name, record);
        }
        Ok(catalog)
    }

    /// One.
    pub(crate) fn get(&self, name: &str) -> Result<Arc<Record>, Error> {
        self.0.get(name).ok_or_else(|| Error::not_found("Profile", name))
    }

    /// All by name.
    pub(crate) fn all(&self) -> Vec<Arc<Record>> {
        self.0.all()
    }

    /// Those of a container, in its order. One that is gone counts as empty.
    pub(crate) fn layers(&self, names: &[ProfileName]) -> Vec<Arc<Record>> {
        names.iter().filter_map(|name| self.0.get(name.as_str())).collect()
    }
}

/// All profiles. Cheap to clone.
#[derive(Clone)]
pub struct Profiles {
    store: Store,
    catalog: Catalog,
    instances: Instances,
}

impl Profiles {
    pub(crate) fn new(store: Store, catalog: Catalog, instances: Instances) -> Self {
        Self { store, catalog, instances }
    }

    /// Every profile by name.
    #[must_use]
    pub fn list(&self) -> Vec<Profile> {
        self.catalog.0.all().iter().map(|record| self.show(record)).collect()
    }

    /// One profile.
    ///
    /// # Errors
    /// Not found.
    pub fn get(&self, name: &str) -> Result<Profile, Error> {
        Ok(self.show(&*self.catalog.get(name)?))
    }

    fn show(&self, record: &Record) -> Profile {
        let users = self.instances.list();
        Profile {
            config: record.config.clone(),
            description: record.description.clone(),
            devices: record.devices.clone(),
            name: record.name.to_string(),
            used_by: users
                .iter()
                .filter(|view| view.profiles.iter().any(|profile| *profile == record.name.as_str()))
                .map(|view| format!("/1.0/containers/{}", view.name))
                .collect(),
        }
    }

    /// Makes a profile.
    ///
    /// # Errors
    /// The name is bad or taken; anything wrong with its configuration.
    pub async fn create(&self, put: ProfilePut) -> Result<(), Error> {
        let name = ProfileName::parse(&put.name)?;
        if self.catalog.get(name.as_str()).is_ok() {
            return Err(Error::Exists { what: "Profile", name: name.to_string() });
        }
        let record = checked(name, put.description, put.config, put.devices)?;
        let stored = record.clone();
        let write = self.store.write(move |tx| store::profiles::insert(tx, &stored).map(|()| Stamp::take()));
        let stamp = write.await?;
        let name = record.name.to_string();
        self.catalog.0.insert(stamp, &name, record);
        Ok(())
    }

    /// Replaces what is in it and applies that to every container that uses it.
    ///
    /// # Errors
    /// Not found; bad configuration; containers that could not follow (the profile is saved).
    pub async fn update(&self, name: &str, put: ProfilePut) -> Result<(), Error> {
        let name = self.catalog.get(name)?.name.clone();
        self.replace(checked(name, put.description, put.config, put.devices)?).await
    }

    /// Changes what is given.
    ///
    /// # Errors
    /// As for `update`.
    pub async fn patch(&self, name: &str, patch: ProfilePatch) -> Result<(), Error> {
        let old = self.catalog.get(name)?;
        let (mut config, mut devices) = (old.config.clone(), old.devices.clone());
        config.extend(patch.config.unwrap_or_default());
        devices.extend(patch.devices.unwrap_or_default());
        let description = patch.description.unwrap_or_else(|| old.description.clone());
        self.replace(checked(old.name.clone(), description, config, devices)?).await
    }

    async fn replace(&self, record: Record) -> Result<(), Error> {
        self.keep_roots(&record)?;
        let stored = record.clone();
        let write = self.store.write(move |tx| store::profiles::update(tx, &stored).map(|()| Stamp::take()));
        let stamp = write.await?;
        let name = record.name.to_string();
        self.catalog.0.insert(stamp, &name, record);
        let failures = self.instances.follow_profile(&name).await;
        if failures.is_empty() { Ok(()) } else { Err(Error::ProfileFollowers(failures)) }
    }

    /// A container's files cannot move to another pool because a profile says so.
    fn keep_roots(&self, new: &Record) -> Result<(), Error> {
        let old = self.catalog.get(new.name.as_str())?;
        for view in self.instances.list() {
            let last = view.profiles.iter().rev().find(|profile| {
                self.catalog.get(profile).is_ok_and(|profile| root_pool(&profile.devices).is_some())
            });
            let local = root_pool(&view.devices).is_some();
            let relies = !local && last.is_some_and(|profile| *profile == new.name.as_str());
            if relies && root_pool(&old.devices) != root_pool(&new.devices) {
                return Err(Error::RootInUse { profile: new.name.to_string() });
            }
        }
        Ok(())
    }

    /// Gives it another name.
    ///
    /// # Errors
    /// Not found; bad or taken; the default profile; containers use it.
    pub async fn rename(&self, name: &str, new_name: &str) -> Result<(), Error> {
        let record = self.catalog.get(name)?;
        let new = ProfileName::parse(new_name)?;
        if self.catalog.get(new.as_str()).is_ok() {
            return Err(Error::Exists { what: "Profile", name: new.to_string() });
        }
        self.protect(&record)?;
        let (from, to) = (record.name.clone(), new.clone());
        let write = self.store.write(move |tx| {
            store::profiles::rename(tx, &from, &to).map(|()| (Stamp::take(), Stamp::take()))
        });
        let (gone, here) = write.await?;
        self.catalog.0.remove(gone, name);
        self.catalog.0.insert(here, new.as_str(), Record { name: new.clone(), ..Record::clone(&record) });
        self.instances.reload_snapshots(name).await;
        Ok(())
    }

    /// Removes it.
    ///
    /// # Errors
    /// Not found; in use; the default profile.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let record = self.catalog.get(name)?;
        self.protect(&record)?;
        let deleted = record.name.clone();
        let stamp =
            self.store.write(move |tx| store::profiles::delete(tx, &deleted).map(|()| Stamp::take())).await?;
        self.catalog.0.remove(stamp, name);
        self.instances.reload_snapshots(name).await;
        Ok(())
    }

    /// The default profile and those in use stay as they are called.
    fn protect(&self, record: &Record) -> Result<(), Error> {
        if record.name == ProfileName::default_profile() {
            return Err(Error::DefaultProfile);
        }
        match self.show(record).used_by.first() {
            Some(user) => Err(Error::ProfileInUse { name: record.name.to_string(), by: user.clone() }),
            None => Ok(()),
        }
    }
}

fn root_pool(devices: &Devices) -> Option<&String> {
    let root = devices.values().find(|device| {
        device.get("type").is_some_and(|kind| kind == "disk")
            && device.get("path").is_some_and(|path| path == "/")
    });
    root.and_then(|device| device.get("pool"))
}

/// The gate for what is in a profile; containers are checked as a whole where they use it.
fn checked(
    name: ProfileName,
    description: String,
    mut config: Config,
    devices: Devices,
) -> Result<Record, Error> {
    config.retain(|_, value| !value.is_empty());
    model::config::validate(Scope::Profile, &config)?;
    model::devices::validate_local(&devices)?;
    crate::devices::supported(&model::devices::parse_all(&devices)?)?;
    Ok(Record { name, description, config, devices })
}
