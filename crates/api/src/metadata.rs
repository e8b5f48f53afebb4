//! `GET /1.0/metadata/configuration`: which keys and properties there are.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything, by what it belongs to (`instance`, `server`, `device-nic`, …), then by group.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Configuration {
    /// The groups.
    pub configs: BTreeMap<String, BTreeMap<String, Group>>,
}

/// Keys that belong together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Group {
    /// Each a map of one name to what is known about it.
    pub keys: Vec<BTreeMap<String, Key>>,
}

/// One key or property.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // the names are the wire's own
pub struct Key {
    #[serde(rename = "type", skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// What holds when it is not set.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub defaultdesc: String,
    /// `yes`, `no`, or when.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub liveupdate: String,
    /// `yes`, or missing.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub required: String,
    /// Where it can be set, if not everywhere.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub scope: String,
    pub shortdesc: String,
    /// What values may be.
    pub longdesc: String,
}

impl Configuration {
    /// Every key with what it belongs to.
    pub fn rows(&self) -> impl Iterator<Item = (&str, &str, &Key)> {
        self.grouped_rows().map(|(entity, _, name, key)| (entity, name, key))
    }

    /// Every key with what it belongs to, and its group.
    pub fn grouped_rows(&self) -> impl Iterator<Item = (&str, &str, &str, &Key)> {
        self.configs.iter().flat_map(|(entity, groups)| {
            groups.iter().flat_map(move |(group, Group { keys })| {
                let keys = keys.iter().flatten();
                keys.map(move |(name, key)| (entity.as_str(), group.as_str(), name.as_str(), key))
            })
        })
    }
}
