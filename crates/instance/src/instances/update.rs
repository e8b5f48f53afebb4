//! Update and patch: another configuration, checked as a whole before anything changes.

use super::context::Context;
use super::devlxd;
use super::gate;
use super::owner::Owner;
use super::view;
use crate::Error;
use api::Config;
use api::instances::{Instance, InstancePatch, InstancePut};
use model::arch::Architecture;
use model::expand::{Expanded, expand};
use model::power::LastPower;
use store::Tx;
use store::instances::{Instance as Record, Update};

/// What an update would be refused for whatever state the container is in: told before there is an
/// operation. The owner checks again, with the profiles as they are then.
pub(super) fn check(context: &Context, now: &Instance, put: &InstancePut) -> Result<(), Error> {
    if put.devices != now.devices {
        model::devices::validate_local(&put.devices)?;
    }
    let profiles = gate::profiles(context, put.profiles.as_deref().unwrap_or_default())?;
    let layers = context.profiles.layers(&profiles);
    let expanded = expand((&put.config, &put.devices), layers.iter().map(|p| (&p.config, &p.devices)));
    gate::check_change(context, &shown(now), &expanded).map(drop)
}

/// What a container is shown to be.
fn shown(view: &Instance) -> Expanded {
    Expanded { config: view.expanded_config.clone(), devices: view.expanded_devices.clone() }
}

impl Owner {
    /// Replaces everything that can be changed.
    pub(super) async fn update(&mut self, put: InstancePut) -> Result<(), Error> {
        let mut record = self.record.clone();
        record.architecture = parse(&put.architecture, record.architecture)?;
        record.config = set_only(put.config);
        record.devices = put.devices;
        record.ephemeral = put.ephemeral;
        record.profiles = gate::profiles(&self.context, &put.profiles.unwrap_or_default())?;
        record.description = put.description;
        self.replace(record).await
    }

    /// Changes what is given: keys one by one, devices each as a whole.
    pub(super) async fn patch(&mut self, patch: InstancePatch) -> Result<(), Error> {
        if patch.restore.is_some() {
            return Err(Error::Unsupported {
                subject: "PATCH".to_owned(),
                feature: "restoring snapshots",
                hint: "use PUT",
            });
        }
        let mut record = self.record.clone();
        record.architecture = parse(patch.architecture.as_deref().unwrap_or_default(), record.architecture)?;
        if let Some(config) = patch.config {
            record.config.extend(config);
            record.config = set_only(record.config);
        }
        record.devices.extend(patch.devices.unwrap_or_default());
        record.ephemeral = patch.ephemeral.unwrap_or(record.ephemeral);
        if let Some(profiles) = patch.profiles {
            record.profiles = gate::profiles(&self.context, &profiles)?;
        }
        record.description = patch.description.unwrap_or(record.description);
        self.replace(record).await
    }

    /// A profile has changed: show what that comes to, or say why it cannot be used.
    pub(super) async fn follow_profiles(&mut self) -> Result<(), Error> {
        let before = self.entry().view();
        self.layers = self.context.profiles.layers(&self.record.profiles);
        self.refresh_view();
        gate::check_change(&self.context, &shown(&before), &self.expanded())?;
        let after = self.entry().view();
        self.forget_ids(&before, &after).await?;
        self.follow(&before, &after).await?;
        devlxd::tell(self.entry(), &before, &after);
        Ok(())
    }

    async fn replace(&mut self, record: Record) -> Result<(), Error> {
        if record.devices != self.record.devices {
            model::devices::validate_local(&record.devices)?;
        }
        let layers = self.context.profiles.layers(&record.profiles);
        let checked = gate::check_change(&self.context, &self.expanded(), &view::on_top(&record, &layers))?;
        let (old, new) = (self.record.pool.clone(), gate::pool(&checked)?);
        if old != new {
            return Err(Error::InUse {
                what: "Storage pool",
                name: old.to_string(),
                by: format!("the container {:?}, whose files cannot change pools this way", self.name()),
            });
        }
        let (before, old) = (self.entry().view(), self.record.clone());
        let old_layers = std::mem::replace(&mut self.layers, layers);
        if let Err(error) = self.save(record).await {
            self.layers = old_layers;
            return Err(error);
        }
        let after = self.entry().view();
        if let Err(error) = self.follow(&before, &after).await {
            // What cannot be had is not kept: the next start would fail on it. What the change has
            // made so far is known by the keys it left.
            let mut old = old;
            for (key, value) in self.record.config.iter().filter(|(key, _)| key.starts_with("volatile.")) {
                old.config.entry(key.clone()).or_insert_with(|| value.clone());
            }
            self.layers = old_layers;
            self.save(old).await?;
            if let Err(error) = self.follow(&after, &before).await {
                tracing::warn!(instance = self.name(), error = %error.story(), "cannot go back to the old configuration");
            }
            return Err(error);
        }
        self.forget_ids(&before, &after).await?;
        devlxd::tell(self.entry(), &before, &after);
        self.context.tell("container-updated", self.name());
        Ok(())
    }

    /// Stores a record and shows it.
    pub(super) async fn save(&mut self, record: Record) -> Result<(), Error> {
        let store = self.context.store.clone();
        store.write(update_row(&record)).await?;
        self.record = record;
        self.unsaved = true;
        self.refresh_view();
        Ok(())
    }

    /// Sets keys of its own configuration that tell what it does; empty values unset. What a power
    /// cut takes of these was true of processes that it has ended.
    pub(super) async fn save_keys(&mut self, changes: Config) -> Result<(), Error> {
        let mut record = self.record.clone();
        record.config.extend(changes);
        record.config = set_only(record.config);
        let store = self.context.store.clone();
        store.write_lazy(update_row(&record)).await?;
        self.record = record;
        self.unsaved = true;
        self.refresh_view();
        Ok(())
    }
}

/// The write that makes a row what the record is.
pub(super) fn update_row(record: &Record) -> impl FnOnce(&Tx<'_>) -> store::Result<()> + Send + 'static {
    let (name, used) = (record.name.clone(), record.last_used_at);
    let update = Update {
        architecture: record.architecture,
        ephemeral: record.ephemeral,
        description: record.description.clone(),
        config: record.config.clone(),
        devices: record.devices.clone(),
        profiles: record.profiles.clone(),
    };
    move |tx| {
        store::instances::update(tx, &name, &update)?;
        store::instances::set_last_used(tx, &name, used)
    }
}

impl Owner {
    /// Local configuration on top of the profiles.
    pub(super) fn expanded(&self) -> Expanded {
        view::on_top(&self.record, &self.layers)
    }

    /// Remembers whether it ran.
    pub(super) async fn record_power(&mut self, power: LastPower) -> Result<(), Error> {
        let changes = Config::from([(model::power::KEY.to_owned(), power.value().to_owned())]);
        self.save_keys(changes).await
    }
}

/// An empty value is the same as none.
fn set_only(mut config: Config) -> Config {
    config.retain(|_, value| !value.is_empty());
    config
}

fn parse(wanted: &str, present: Architecture) -> Result<Architecture, Error> {
    if wanted.is_empty() {
        return Ok(present);
    }
    Architecture::parse(wanted).map_err(|error| Error::Unknown {
        field: "architecture",
        value: error.name,
        allowed: "x86_64, i686, aarch64, armv7l, ppc64le, s390x, …",
    })
}
