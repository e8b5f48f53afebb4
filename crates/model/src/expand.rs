//! What a container's profiles and its own configuration come to.

use crate::config::{self, Config, ConfigError, Effective, Host, Scope};
use crate::devices::{self, Device, DeviceError, Devices, Disk};
use crate::{DeviceName, ProfileName};
use std::collections::{BTreeMap, BTreeSet};

/// The outcome of profiles and own configuration. Nothing of a container is decided by anything
/// else: whatever creates or changes one calls [`Expanded::check`] first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expanded {
    /// All keys.
    pub config: Config,
    /// All devices.
    pub devices: Devices,
}

/// Why the outcome is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExpandedError {
    /// A key.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A device.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

/// A checked outcome, as types.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// What the keys say.
    pub config: Effective,
    /// The devices, without those of type `none`.
    pub devices: BTreeMap<DeviceName, Device>,
    /// Which of them is the root.
    pub root: (DeviceName, Disk),
}

/// A list of profiles that names one twice.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Duplicate profile found in request: {profile}")]
pub struct DuplicateProfile {
    /// The one.
    pub profile: ProfileName,
}

/// Puts profiles, in their order, and a container's own configuration together: later keys win,
/// and a later device takes the place of the whole earlier one of that name.
#[must_use]
pub fn expand<'a>(
    local: (&Config, &Devices),
    profiles: impl IntoIterator<Item = (&'a Config, &'a Devices)>,
) -> Expanded {
    let mut expanded = Expanded::default();
    for (config, devices) in profiles {
        expanded.put(config, devices);
    }
    expanded.put(local.0, local.1);
    expanded
}

/// Checks that a list names each profile once.
///
/// # Errors
/// For the first that comes again.
pub fn check_profiles(profiles: &[ProfileName]) -> Result<(), DuplicateProfile> {
    let mut seen = BTreeSet::new();
    match profiles.iter().find(|profile| !seen.insert(*profile)) {
        Some(profile) => Err(DuplicateProfile { profile: profile.clone() }),
        None => Ok(()),
    }
}

impl Expanded {
    fn put(&mut self, config: &Config, devices: &Devices) {
        self.config.extend(config.iter().map(|(k, v)| (k.clone(), v.clone())));
        self.devices.extend(devices.iter().map(|(k, v)| (k.clone(), v.clone())));
    }

    /// The one gate: every key and device is good, this host can do it, and there is one root.
    ///
    /// # Errors
    /// For the first thing that is not so.
    pub fn check(&self, host: &Host) -> Result<Checked, ExpandedError> {
        config::validate(Scope::Instance, &self.config)?;
        config::validate_on(host, &self.config)?;
        self.read()
    }

    /// This without the keys and devices that are bad by themselves and were the same before.
    #[must_use]
    pub fn without_old_faults(&self, before: &Self) -> Self {
        let mut rest = self.clone();
        rest.config.retain(|key, value| {
            let alone = Config::from([(key.clone(), value.clone())]);
            before.config.get(key) != Some(value) || config::validate(Scope::Instance, &alone).is_ok()
        });
        rest.devices.retain(|name, properties| {
            before.devices.get(name) != Some(properties) || Device::parse(name, properties).is_ok()
        });
        rest
    }

    /// As types, without asking what the host can do: for containers that were checked before.
    ///
    /// # Errors
    /// For a value or device that cannot be read, and without exactly one root.
    pub fn read(&self) -> Result<Checked, ExpandedError> {
        let config = Effective::parse(&self.config)?;
        let mut devices = devices::parse_all(&self.devices)?;
        devices.retain(|_, device| *device != Device::None);
        let (name, disk) = devices::root_device(&devices)?;
        let root = (name.clone(), disk.clone());
        Ok(Checked { config, devices, root })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Architecture;

    fn config(pairs: &[(&str, &str)]) -> Config {
        pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    fn disk(path: &str, pool: &str) -> BTreeMap<String, String> {
        config(&[("type", "disk"), ("path", path), ("pool", pool)])
    }

    const HOST: Host = Host { architecture: Architecture::X86_64, has_ids: true };

    #[test]
    fn later_wins() {
        let (first, second) =
            (config(&[("user.a", "1"), ("user.b", "1")]), config(&[("user.b", "2"), ("user.c", "2")]));
        let one: Devices = [("root".to_owned(), disk("/", "one"))].into();
        let mut two: Devices = [("root".to_owned(), disk("/", "two"))].into();
        two.get_mut("root").unwrap().insert("size".into(), "1GB".into());
        let local = config(&[("user.c", "")]);
        let none = Devices::new();
        let expanded = expand((&local, &none), [(&first, &two), (&second, &one)]);
        assert_eq!(expanded.config, config(&[("user.a", "1"), ("user.b", "2"), ("user.c", "")]));
        assert_eq!(expanded.devices, one, "devices are replaced as a whole");
    }

    #[test]
    fn the_gate() {
        let (empty, none) = (Config::new(), Devices::new());
        let root: Devices = [("root".to_owned(), disk("/", "default"))].into();
        let checked = expand((&empty, &none), [(&empty, &root)]).check(&HOST).unwrap();
        assert_eq!(checked.root.1.pool.unwrap(), "default");

        let hidden: Devices = [("root".to_owned(), config(&[("type", "none")]))].into();
        let expanded = expand((&empty, &hidden), [(&empty, &root)]);
        assert_eq!(expanded.check(&HOST), Err(ExpandedError::Device(DeviceError::NoRoot)));

        let wrong = expand((&config(&[("security.x", "1")]), &none), [(&empty, &root)]);
        assert!(wrong.check(&HOST).unwrap_err().to_string().contains("security.x"));
        // What a newer version has stored is read, but not accepted from clients.
        assert!(wrong.read().is_ok());
        let host = Host { has_ids: false, ..HOST };
        assert!(expand((&empty, &none), [(&empty, &root)]).check(&host).is_err());
    }

    #[test]
    fn only_faults_that_were_there_before_may_stay() {
        let root: Devices = [("root".to_owned(), disk("/", "default"))].into();
        let put = |config: Config, device: Option<&str>| {
            let mut devices = root.clone();
            if let Some(path) = device {
                devices.insert("bad".to_owned(), disk(path, "a/b"));
            }
            Expanded { config, devices }
        };
        let before = put(config(&[("security.nesting", "maybe"), ("no.such", "1")]), Some("/x"));
        let judged = |after: &Expanded| after.without_old_faults(&before).check(&HOST).is_ok();
        assert!(before.check(&HOST).is_err() && judged(&before));
        let mut after = before.clone();
        after.config.insert("user.new".to_owned(), "1".to_owned());
        assert!(judged(&after));
        after.config.insert("security.nesting".to_owned(), "perhaps".to_owned());
        assert!(!judged(&after), "another bad value");
        assert!(judged(&put(config(&[("security.nesting", "true")]), None)), "repaired");
        assert!(!judged(&put(config(&[]), Some("/y"))), "another bad device");
    }

    #[test]
    fn each_profile_once() {
        let name = |n| ProfileName::parse(n).unwrap();
        assert_eq!(check_profiles(&[name("a"), name("b")]), Ok(()));
        let error = check_profiles(&[name("a"), name("b"), name("a")]).unwrap_err();
        assert!(error.to_string().starts_with("Duplicate profile found in request"));
    }
}
