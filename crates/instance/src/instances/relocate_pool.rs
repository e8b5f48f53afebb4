//! Another pool: a stopped container's files and snapshots move to another pool of this server.

use super::owner::Owner;
use crate::Error;
use crate::journal::{self, Entry as Journal};
use crate::pools::Pools;
use crate::steps::Steps;
use api::Devices;
use model::names::{PoolName, SnapshotName};
use model::state::Action;
use std::collections::BTreeMap;
use storage::{Parcel, Volume, VolumeConfig};

type Device = BTreeMap<String, String>;

/// The name of the root device and the device, if there is one.
fn root_of(devices: &Devices) -> Option<(&String, &Device)> {
    let is = |device: &Device, key: &str, value: &str| device.get(key).is_some_and(|found| found == value);
    devices.iter().find(|(_, device)| is(device, "type", "disk") && is(device, "path", "/"))
}

/// Gives a container's own devices a root in this pool, which is otherwise what it expands to now.
pub(super) fn put_root_on(own: &mut Devices, expanded: &Devices, pool: &PoolName) {
    let (name, mut device) = match root_of(expanded) {
        Some((name, device)) => (name.clone(), device.clone()),
        None => ("root".to_owned(), Device::new()),
    };
    if device.get("pool").is_some_and(|present| present == pool.as_str()) {
        return;
    }
    for (key, value) in [("type", "disk"), ("path", "/"), ("pool", pool.as_str())] {
        device.insert(key.to_owned(), value.to_owned());
    }
    own.insert(name, device);
}

impl Owner {
    /// Copies everything, notes where it is from now on, removes the old files. A crash before the note
    /// leaves it where it was, one after it where it goes.
    pub(super) async fn change_pool(&mut self, to: PoolName) -> Result<(), Error> {
        self.allow(Action::Rename)?;
        let (context, name, from) =
            (self.context.clone(), self.record.name.clone(), self.record.pool.clone());
        if from == to {
            return Err(Error::Exists {
                what: "Volume of the container on the storage pool",
                name: to.to_string(),
            });
        }
        let (old, new) = (context.pools.usable(&from)?, context.pools.usable(&to)?);
        context.pools.check_root(&to, &self.root_config())?;
        let volume = Volume::Container(name.clone());
        let mut steps = Steps::new(name.as_str());
        self.entry().set_live(None);
        let entry = Journal::ChangePool { name: name.clone(), from: from.clone(), to: to.clone() };
        let journal = steps.run("repool:journal", journal::begin(&context.store, entry)).await?;
        steps.undo("repool:journal", journal::give_up(context.store.clone(), journal));
        let (undo, back, what) = (new.clone(), old.clone(), volume.clone());
        steps.undo("repool:copy", async move {
            Pools::take_back(&undo, &what).await;
            if let Err(error) = back.relink(&what).await {
                tracing::error!(volume = %what, error = &error as &dyn std::error::Error, "cannot make its link again");
            }
        });
        let snapshots: Vec<SnapshotName> =
            self.entry().snapshots().iter().map(|snapshot| snapshot.name.clone()).collect();
        let config = VolumeConfig::default();
        let parcel = Parcel { volume: volume.clone(), snapshots, config, running: false };
        let copied = async { Ok(new.copy_from(&old, &parcel, &volume, &self.root_config()).await?) };
        steps.run("repool:copy", copied).await?;
        let before = self.entry().view();
        let mut record = self.record.clone();
        put_root_on(&mut record.devices, &before.expanded_devices, &to);
        record.pool = to.clone();
        let update = super::update::update_row(&record);
        steps
            .run("repool:record", async {
                let (name, to) = (name.clone(), to.clone());
                let done = context.store.write(move |tx| {
                    update(tx)?;
                    store::instances::set_pool(tx, &name, &to)
                });
                Ok(done.await?)
            })
            .await?;
        steps.keep();
        crate::steps::crash_at("repool:done");
        self.record = record;
        self.unsaved = true;
        self.refresh_view();
        // It is where it should be; that the old files take space is no reason to take it back.
        Pools::take_back(&old, &volume).await;
        journal::give_up(context.store.clone(), journal).await;
        context.tell("container-updated", self.name());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(pairs: &[(&str, &str)]) -> Device {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn the_root_keeps_its_name_and_size() {
        let root = device(&[("type", "disk"), ("path", "/"), ("pool", "a"), ("size", "1GB")]);
        let expanded = Devices::from([("disk0".to_owned(), root)]);
        let mut own = Devices::new();
        let pool = |text| PoolName::parse(text).unwrap();
        put_root_on(&mut own, &expanded, &pool("a"));
        assert!(own.is_empty(), "it is there already");
        put_root_on(&mut own, &expanded, &pool("b"));
        assert_eq!((own["disk0"]["pool"].as_str(), own["disk0"]["size"].as_str()), ("b", "1GB"));
        put_root_on(&mut own, &Devices::new(), &pool("c"));
        assert_eq!(own["root"], device(&[("type", "disk"), ("path", "/"), ("pool", "c")]));
    }
}
