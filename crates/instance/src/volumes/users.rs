//! Who names a volume among its devices, and refusals because of that.

use super::{Place, Volumes};
use crate::Error;
use crate::instances::Entry;
use model::devices::{Devices, Properties};
use std::sync::Arc;

/// Whether one of these devices is the volume.
pub(super) fn name_it(devices: &Devices, place: &Place) -> bool {
    devices.values().any(|device| is_it(device, place))
}

fn is_it(device: &Properties, place: &Place) -> bool {
    let is = |key: &str, value: &str| device.get(key).is_some_and(|found| found == value);
    let source = device.get("source").map(|source| source.strip_prefix("custom/").unwrap_or(source));
    is("type", "disk")
        && is("pool", place.pool.as_str())
        && source.is_some_and(|source| source == place.name.as_str())
}

impl Volumes {
    /// Containers with the volume, of their own or by a profile, running or not.
    pub(super) fn containers(&self, place: &Place) -> Vec<Arc<Entry>> {
        let mut all = self.inner.registry.all();
        all.retain(|entry| name_it(&entry.view().expanded_devices, place));
        all
    }

    /// URLs of the containers and profiles with the volume.
    pub(super) fn used_by(&self, place: &Place) -> Vec<String> {
        let containers = self.containers(place).into_iter().map(|entry| {
            let name = &entry.view().name;
            format!("/1.0/containers/{name}")
        });
        let profiles = self.inner.profiles.all().into_iter();
        let profiles = profiles
            .filter(|profile| name_it(&profile.devices, place))
            .map(|profile| format!("/1.0/profiles/{}", profile.name));
        containers.chain(profiles).collect()
    }

    /// Refuses to do what leaves devices without their volume.
    pub(super) fn unused(&self, place: &Place) -> Result<(), Error> {
        let by = self.used_by(place);
        if by.is_empty() {
            return self.not_running(place, "stop them first");
        }
        Err(Error::VolumeInUse { volume: place.to_string(), by: by.join(", ") })
    }

    /// Refuses what cannot be done to a volume that is mounted in a container.
    pub(super) fn not_running(&self, place: &Place, hint: &'static str) -> Result<(), Error> {
        let by = self.inner.attachments.of(place);
        if by.is_empty() {
            return Ok(());
        }
        Err(Error::VolumeRunning { volume: place.to_string(), by: by.join(", "), hint })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_name_volumes_with_their_pool() {
        let place = Place::parse("p", "v").unwrap();
        let device = |pairs: &[(&str, &str)]| -> Properties {
            pairs.iter().map(|&(key, value)| (key.to_owned(), value.to_owned())).collect()
        };
        assert!(is_it(&device(&[("type", "disk"), ("pool", "p"), ("source", "v")]), &place));
        assert!(is_it(&device(&[("type", "disk"), ("pool", "p"), ("source", "custom/v")]), &place));
        assert!(!is_it(&device(&[("type", "disk"), ("pool", "q"), ("source", "v")]), &place));
        assert!(!is_it(&device(&[("type", "disk"), ("pool", "p"), ("path", "/")]), &place));
        assert!(!is_it(&device(&[("type", "none"), ("pool", "p"), ("source", "v")]), &place));
    }
}
