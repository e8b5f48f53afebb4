//! Take a snapshot: the files are copied while no process runs, then the record is written.

use super::is_free;
use crate::Error;
use crate::instances::owner::Owner;
use crate::journal::{self, Entry as Journal};
use crate::pools::Pools;
use crate::steps::Steps;
use api::Time;
use jiff::tz::TimeZone;
use model::config::get;
use model::names::SnapshotName;
use model::snapshots::{Expiry, Pattern};
use model::state::Action;
use std::sync::Arc;
use storage::{Volume, VolumeConfig, VolumeSource};
use store::snapshots::Snapshot as Record;

/// What is asked for.
pub(crate) struct Wanted {
    /// Its name; none: after the container's pattern.
    pub(crate) name: Option<SnapshotName>,
    /// When it is removed; unset: never; none: after the container's rule.
    pub(crate) expires_at: Option<Time>,
}

impl Owner {
    /// Takes a snapshot.
    pub(in crate::instances) async fn snapshot(&mut self, wanted: Wanted) -> Result<(), Error> {
        self.allow(Action::Snapshot)?;
        let record = self.plan_snapshot(wanted)?;
        let (context, container) = (self.context.clone(), self.record.name.clone());
        let pool = self.record.pool.clone();
        let name = record.name.clone();
        let mut steps = Steps::new(&self.full_name(name.as_str()));
        let entry = Journal::Snapshot { name: container.clone(), snapshot: name.clone(), pool: pool.clone() };
        let journal = steps.run("snapshot:journal", journal::begin(&context.store, entry)).await?;
        steps.undo("snapshot:journal", journal::give_up(context.store.clone(), journal));
        let volumes = context.pools.usable(&pool)?;
        let running = self.entry().live().is_some();
        let made = Volume::ContainerSnapshot(container.clone(), name.clone());
        let copied = async {
            let volume = Volume::Container(container.clone());
            let source = VolumeSource::Volume { volume, snapshots: Vec::new(), running };
            Ok(volumes.make(&made, source, &VolumeConfig::default()).await?)
        };
        steps.run("snapshot:volume", self.still(copied)).await?;
        let (undo, made) = (volumes.clone(), made.clone());
        steps.undo("snapshot:volume", async move { Pools::take_back(&undo, &made).await });
        steps
            .run("snapshot:record", async {
                let (container, record) = (container.clone(), record.clone());
                let done = context.store.write(move |tx| {
                    store::snapshots::insert(tx, &container, &record)?;
                    store::journal::end(tx, journal)
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        self.change_snapshots(|list| list.push(Arc::new(record)));
        self.tell_snapshot("container-snapshot-created", name.as_str(), None);
        Ok(())
    }

    /// The record: what the container is now, under a name that is free.
    fn plan_snapshot(&self, wanted: Wanted) -> Result<Record, Error> {
        let created_at = Time::now();
        let local = created_at.0.to_zoned(TimeZone::system()).datetime();
        let config = self.expanded().config;
        let bad = |key: &str, value: &str, reason: String| {
            Error::Config(model::config::ConfigError::InvalidValue {
                key: key.to_owned(),
                value: value.to_owned(),
                reason,
            })
        };
        let name = match wanted.name {
            Some(name) => name,
            None => {
                const KEY: &str = "snapshots.pattern";
                let text = get(&config, KEY).unwrap_or("snap%d");
                let siblings = self.entry().snapshots().iter().map(|s| s.name.to_string()).collect();
                let pattern = Pattern::parse(text).map_err(|e| bad(KEY, text, e.to_string()))?;
                pattern.name(local, &siblings).map_err(|e| bad(KEY, text, e.to_string()))?
            }
        };
        is_free(self.entry(), &name)?;
        let expires_at = match (wanted.expires_at, get(&config, "snapshots.expiry")) {
            (Some(time), _) => time,
            (None, None) => Time::UNSET,
            (None, Some(text)) => {
                let expiry = Expiry::parse(text).map_err(|e| bad("snapshots.expiry", text, e.to_string()))?;
                // What lies beyond the end of the calendar never comes.
                let end = expiry.after(local).to_zoned(TimeZone::system());
                end.map_or(Time::UNSET, |end| Time(end.timestamp()))
            }
        };
        let record = self.record.clone();
        Ok(Record {
            name,
            created_at,
            expires_at,
            stateful: false,
            last_used_at: record.last_used_at,
            content: record.into(),
        })
    }
}
