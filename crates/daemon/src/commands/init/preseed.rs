//! What is to be made, as YAML says it.

use api::{Config, Devices};
use serde::{Deserialize, Serialize};

/// YAML that does not say what to make.
#[derive(Debug, thiserror::Error)]
pub(in crate::commands) enum PreseedError {
    /// It is not YAML, or not of this shape.
    #[error("the preseed is not understood")]
    Yaml(#[source] serde_saphyr::Error),
    /// It cannot be written.
    #[error("the preseed cannot be shown")]
    Show(#[source] serde_saphyr::ser::Error),
    /// It asks for a cluster.
    #[error("this version cannot set up clusters: leave the key 'cluster' out of the preseed")]
    Cluster,
}

/// Everything that is to be made or changed. Values may be written as numbers and truth values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Preseed {
    /// Server configuration.
    #[serde(skip_serializing_if = "Config::is_empty")]
    pub(super) config: Config,
    /// Bridges.
    pub(super) networks: Vec<Network>,
    /// Storage pools.
    pub(super) storage_pools: Vec<Pool>,
    /// Profiles.
    pub(super) profiles: Vec<Profile>,
    /// Not served.
    #[serde(skip_serializing)]
    cluster: Option<Cluster>,
}

/// A cluster, of which only the wish is read.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(default)]
struct Cluster {
    enabled: bool,
}

/// A bridge.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Network {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) description: String,
    pub(super) config: Config,
}

/// A storage pool.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Pool {
    pub(super) name: String,
    pub(super) driver: String,
    pub(super) description: String,
    pub(super) config: Config,
}

/// A profile.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Profile {
    pub(super) name: String,
    pub(super) description: String,
    pub(super) config: Config,
    pub(super) devices: Devices,
}

impl Preseed {
    /// Reads YAML.
    ///
    /// # Errors
    /// It does not say what to make.
    pub(super) fn parse(text: &str) -> Result<Self, PreseedError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let preseed: Self = serde_saphyr::from_str(text).map_err(PreseedError::Yaml)?;
        if preseed.cluster.as_ref().is_some_and(|cluster| cluster.enabled) {
            return Err(PreseedError::Cluster);
        }
        Ok(preseed)
    }

    /// Writes YAML that [`Preseed::parse`] reads.
    ///
    /// # Errors
    /// None for what was parsed.
    pub(super) fn show(&self) -> Result<String, PreseedError> {
        serde_saphyr::to_string(self).map_err(PreseedError::Show)
    }

    /// The devices of the profile `default` that a new pool and bridge are for.
    pub(super) fn default_profile(pool: Option<&str>, bridge: Option<&str>) -> Profile {
        let device = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let mut devices = Devices::new();
        if let Some(pool) = pool {
            devices.insert("root".to_owned(), device(&[("type", "disk"), ("path", "/"), ("pool", pool)]));
        }
        if let Some(bridge) = bridge {
            let nic = [("type", "nic"), ("nictype", "bridged"), ("parent", bridge), ("name", "eth0")];
            devices.insert("eth0".to_owned(), device(&nic));
        }
        Profile { name: "default".to_owned(), devices, ..Profile::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_of_all_kinds_are_text() {
        let preseed = Preseed::parse(
            "config:\n  images.auto_update_interval: 15\n  images.auto_update_cached: true\n\
             networks:\n- name: lxdbr0\n  type: bridge\n  config:\n    ipv4.address: auto\n    ipv4.nat: true\n\
             storage_pools:\n- name: data\n  driver: dir\n\
             profiles:\n- name: default\n  devices:\n    root: {path: /, pool: data, type: disk}\n",
        )
        .unwrap();
        assert_eq!(preseed.config["images.auto_update_interval"], "15");
        assert_eq!(preseed.config["images.auto_update_cached"], "true");
        assert_eq!(preseed.networks[0].config["ipv4.nat"], "true");
        assert_eq!(preseed.storage_pools[0].driver, "dir");
        assert_eq!(preseed.profiles[0].devices["root"]["pool"], "data");
        assert_eq!(Preseed::parse(&preseed.show().unwrap()).unwrap(), preseed);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(matches!(Preseed::parse("networks: 5"), Err(PreseedError::Yaml(_))));
        assert!(matches!(Preseed::parse("cluster: {enabled: true}"), Err(PreseedError::Cluster)));
        assert_eq!(Preseed::parse("").unwrap(), Preseed::default());
        assert!(Preseed::parse("cluster: {enabled: false}").is_ok());
    }
}
