//! Restore: a container becomes what one of its snapshots is.
//!
//! The snapshot's files are copied beside the container's. One write to the database then makes the
//! snapshot's configuration the container's and notes that its files are to follow; from there on
//! it is carried through, by the next daemon if need be. Before it, nothing has changed.

use super::view;
use crate::Error;
use crate::instances::context::Context;
use crate::instances::gate;
use crate::instances::owner::Owner;
use crate::instances::registry::Entry;
use crate::instances::relocate_pool::put_root_on;
use crate::instances::update::update_row;
use crate::journal::{self, Entry as Journal};
use crate::pools::Pools;
use crate::steps::Steps;
use api::Config;
use model::names::SnapshotName;
use model::state::Action;
use storage::{Volume, VolumeConfig, VolumeSource};
use store::instances::Instance as Record;
use store::snapshots::Snapshot;

/// Refuses a snapshot whose configuration cannot be had any more. Whatever pool it names, its files are
/// where the container's are.
pub(super) fn check(context: &Context, entry: &Entry, name: &SnapshotName) -> Result<(), Error> {
    let snapshot = entry.snapshot(name.as_str())?;
    let mut expanded = view::expanded(context, &snapshot);
    let present = expanded.devices.clone();
    put_root_on(&mut expanded.devices, &present, &context.pools.of_instance(&entry.view())?);
    gate::check(context, &expanded).map(drop)
}

/// A container's record once the snapshot is restored.
fn restored(present: &Record, snapshot: &Snapshot) -> Record {
    let content = snapshot.content.clone();
    Record {
        architecture: content.architecture,
        ephemeral: content.ephemeral,
        description: content.description,
        config: restored_config(&present.config, content.config),
        devices: content.devices,
        profiles: content.profiles,
        ..present.clone()
    }
}

/// The keys of the snapshot, but for those that tell what the container is now.
fn restored_config(present: &Config, mut config: Config) -> Config {
    const PRESENT: [&str; 3] = ["volatile.last_state.power", "volatile.idmap.base", "volatile.uuid"];
    config.retain(|key, _| {
        let of_the_host = key.starts_with("volatile.")
            && (key.ends_with(".host_name") || key.contains(".last_state."))
            && !key.starts_with("volatile.last_state.");
        !of_the_host && !PRESENT.contains(&key.as_str())
    });
    let kept = PRESENT.iter().filter_map(|key| present.get_key_value(*key));
    config.extend(kept.map(|(key, value)| (key.clone(), value.clone())));
    config
}

impl Owner {
    /// What is asked of the container's volume.
    pub(in crate::instances) fn root_config(&self) -> VolumeConfig {
        // What is wrong with it was refused when it was set.
        gate::read(&self.expanded())
            .map_or_else(|_| VolumeConfig::default(), |checked| Pools::root_config(&checked.root.1))
    }

    /// Restores a snapshot of a stopped container.
    pub(in crate::instances) async fn restore(&mut self, name: &SnapshotName) -> Result<(), Error> {
        self.allow(Action::Restore)?;
        check(&self.context, self.entry(), name)?;
        let snapshot = self.entry().snapshot(name.as_str())?;
        let mut new = restored(&self.record, &snapshot);
        let expanded = view::expanded(&self.context, &snapshot).devices;
        put_root_on(&mut new.devices, &expanded, &self.record.pool);
        let source = VolumeSource::still(Volume::ContainerSnapshot(self.record.name.clone(), name.clone()));
        self.replace_content(source, new).await?;
        self.forget_removed().await?;
        self.tell_snapshot("container-snapshot-restored", name.as_str(), None);
        Ok(())
    }

    /// Drops the records of snapshots that the restore took away because the pool says so
    /// (`volume.zfs.remove_snapshots`).
    async fn forget_removed(&mut self) -> Result<(), Error> {
        let volumes = self.context.pools.usable(&self.record.pool)?;
        if volumes.config().volume.remove_snapshots != Some(true) {
            return Ok(());
        }
        let container = self.record.name.clone();
        let there = volumes.snapshots(&Volume::Container(container.clone())).await?;
        let gone: Vec<SnapshotName> = self
            .entry()
            .snapshots()
            .iter()
            .map(|snapshot| snapshot.name.clone())
            .filter(|name| !there.contains(name))
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let (of, names) = (container, gone.clone());
        let write = self
            .context
            .store
            .write(move |tx| names.iter().try_for_each(|name| store::snapshots::delete(tx, &of, name)));
        write.await?;
        self.change_snapshots(|list| list.retain(|snapshot| !gone.contains(&snapshot.name)));
        for name in &gone {
            self.tell_snapshot("container-snapshot-deleted", name.as_str(), None);
        }
        Ok(())
    }

    /// Gives a stopped container other files and another record, both or neither.
    pub(in crate::instances) async fn replace_content(
        &mut self,
        source: VolumeSource,
        new: Record,
    ) -> Result<(), Error> {
        let (context, container) = (self.context.clone(), self.record.name.clone());
        let pool = self.record.pool.clone();
        let volumes = context.pools.usable(&pool)?;
        let mut steps = Steps::new(container.as_str());
        // Its file server has the volume mounted.
        self.entry().set_live(None);
        let entry = Journal::Restore { name: container.clone(), pool: pool.clone(), staged: None };
        let journal = steps.run("restore:journal", journal::begin(&context.store, entry)).await?;
        steps.undo("restore:journal", journal::give_up(context.store.clone(), journal));
        let volume = Volume::Container(container.clone());
        let config = self.root_config();
        let staging = async { Ok(volumes.stage(&volume, source, &config).await?) };
        let staged = steps.run("restore:stage", staging).await?;
        let (undo, of) = (volumes.clone(), volume.clone());
        steps.undo("restore:stage", async move {
            if let Err(error) = undo.discard_staged(&of).await {
                tracing::error!(volume = %of, error = &error as &dyn std::error::Error, "cannot remove what was to be restored");
            }
        });
        let (before, old) = (self.entry().view(), self.record.clone());
        steps
            .run("restore:record", async {
                let entry = Journal::Restore { name: container.clone(), pool, staged: Some(staged.clone()) };
                let update = update_row(&new);
                let done = context.store.write(move |tx| {
                    update(tx)?;
                    store::journal::set_detail(tx, journal, &entry)
                });
                Ok(done.await?)
            })
            .await?;
        let (store, update) = (context.store.clone(), update_row(&old));
        steps.undo("restore:record", async move {
            if let Err(error) = store.write(update).await {
                tracing::error!(instance = %old.name, error = &error as &dyn std::error::Error, "cannot give the old configuration back");
            }
        });
        let exchange = async { Ok(volumes.commit_staged(&volume, staged).await?) };
        steps.run("restore:files", exchange).await?;
        steps.keep();
        crate::steps::crash_at("restore:done");
        journal::give_up(context.store.clone(), journal).await;
        self.record = new;
        self.unsaved = true;
        self.layers = self.context.profiles.layers(&self.record.profiles);
        self.refresh_view();
        let after = self.entry().view();
        self.follow(&before, &after).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_container_is_now_outlives_a_restore() {
        let config = |pairs: &[(&str, &str)]| -> Config {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let present = config(&[
            ("limits.cpu", "2"),
            ("volatile.idmap.base", "1065536"),
            ("volatile.last_state.idmap", "[]"),
            ("volatile.last_state.power", "STOPPED"),
        ]);
        let then = config(&[
            ("user.a", "1"),
            ("volatile.eth0.host_name", "veth1"),
            ("volatile.eth0.hwaddr", "00:16:3e:00:00:01"),
            ("volatile.eth1.last_state.mtu", "1500"),
            ("volatile.idmap.base", "2065536"),
            ("volatile.last_state.idmap", "[1]"),
            ("volatile.last_state.power", "RUNNING"),
            ("volatile.uuid", "x"),
        ]);
        let expected = config(&[
            ("user.a", "1"),
            ("volatile.eth0.hwaddr", "00:16:3e:00:00:01"),
            ("volatile.idmap.base", "1065536"),
            ("volatile.last_state.idmap", "[1]"),
            ("volatile.last_state.power", "STOPPED"),
        ]);
        assert_eq!(restored_config(&present, then), expected);
    }
}
