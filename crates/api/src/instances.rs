//! Containers (`rest-api` §7). Newer clients call them instances; the objects are the same.

use crate::{Config, Devices, StatusCode, Time, null_default, state::State};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A container as `GET` shows it.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // the names are the wire's own
pub struct Instance {
    #[serde(default)]
    pub architecture: String,
    #[serde(default, deserialize_with = "null_default")]
    pub config: Config,
    #[serde(default, deserialize_with = "null_default")]
    pub devices: Devices,
    #[serde(default)]
    pub ephemeral: bool,
    #[serde(default, deserialize_with = "null_default")]
    pub profiles: Vec<String>,
    #[serde(default)]
    pub stateful: bool,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub created_at: Time,
    #[serde(default, deserialize_with = "null_default")]
    pub expanded_config: Config,
    #[serde(default, deserialize_with = "null_default")]
    pub expanded_devices: Devices,
    pub name: String,
    pub status: String,
    pub status_code: StatusCode,
    #[serde(default)]
    pub last_used_at: Time,
    #[serde(default)]
    pub location: String,
    #[serde(rename = "type", default)]
    pub kind: String,
    #[serde(default)]
    pub project: String,
}

/// A container with everything beside it (`recursion=2`).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct InstanceFull {
    /// The container itself.
    #[serde(flatten)]
    pub instance: Instance,
    /// Its backups.
    pub backups: Option<Vec<serde_json::Value>>,
    /// Its live state.
    pub state: Option<State>,
    /// Its snapshots.
    pub snapshots: Option<Vec<Snapshot>>,
}

/// A snapshot of a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Snapshot {
    pub name: String,
    #[serde(default)]
    pub architecture: String,
    #[serde(default, deserialize_with = "null_default")]
    pub config: Config,
    #[serde(default)]
    pub created_at: Time,
    #[serde(default, deserialize_with = "null_default")]
    pub devices: Devices,
    #[serde(default)]
    pub ephemeral: bool,
    #[serde(default, deserialize_with = "null_default")]
    pub expanded_config: Config,
    #[serde(default, deserialize_with = "null_default")]
    pub expanded_devices: Devices,
    #[serde(default)]
    pub last_used_at: Time,
    #[serde(default, deserialize_with = "null_default")]
    pub profiles: Vec<String>,
    #[serde(default)]
    pub stateful: bool,
    #[serde(default)]
    pub expires_at: Time,
}

/// `POST /containers/<n>/snapshots`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SnapshotsPost {
    /// Its name; empty: after the container's pattern.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// Keep the state of the processes, too.
    #[serde(deserialize_with = "null_default")]
    pub stateful: bool,
    /// When it is removed; [`Time::UNSET`]: never; none: after the container's rule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// `PUT /containers/<n>/snapshots/<s>`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SnapshotPut {
    /// When it is removed; [`Time::UNSET`]: never.
    pub expires_at: Time,
}

/// `POST /containers`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct InstancesPost {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub architecture: String,
    /// Absent or `null`: the profile `default`. An empty list: none.
    pub profiles: Option<Vec<String>>,
    #[serde(deserialize_with = "null_default")]
    pub ephemeral: bool,
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub devices: Devices,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    #[serde(deserialize_with = "null_default")]
    pub instance_type: String,
    #[serde(deserialize_with = "null_default")]
    pub stateful: bool,
    #[serde(deserialize_with = "null_default")]
    pub source: Source,
    /// `container`, or empty; anything else is refused.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
    /// Start it too (newer clients).
    #[serde(deserialize_with = "null_default")]
    pub start: bool,
}

/// Where a new container's file system comes from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Source {
    /// `image`, `none`, `copy` or `migration`.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub alias: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "Config::is_empty")]
    pub properties: Config,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub server: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub protocol: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub secret: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub certificate: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub mode: String,
    /// For publishing: the name of a container or snapshot here.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// For `url`: where to ask for the image.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub url: String,
    /// For `copy`: the name of a container here.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub source: String,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub container_only: bool,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub instance_only: bool,
    /// For `migration`: the operation at the other server, as `https://host:port/1.0/operations/<uuid>`.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub operation: String,
    /// For `migration`: the secrets of that operation's streams.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "BTreeMap::is_empty")]
    pub secrets: BTreeMap<String, String>,
    /// For `migration`: the image that the container was made of.
    #[serde(
        rename = "base-image",
        deserialize_with = "null_default",
        skip_serializing_if = "String::is_empty"
    )]
    pub base_image: String,
    /// For `migration`: with the state of the processes.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub live: bool,
    /// Bring an earlier copy up to date.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub refresh: bool,
}

/// `PUT /containers/<n>`: everything that can be changed, replaced as a whole.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct InstancePut {
    #[serde(deserialize_with = "null_default")]
    pub architecture: String,
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub devices: Devices,
    #[serde(deserialize_with = "null_default")]
    pub ephemeral: bool,
    pub profiles: Option<Vec<String>>,
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub restore: String,
    #[serde(deserialize_with = "null_default")]
    pub stateful: bool,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
}

/// `PATCH /containers/<n>`: absent fields stay as they are.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct InstancePatch {
    pub architecture: Option<String>,
    pub config: Option<Config>,
    pub devices: Option<Devices>,
    pub ephemeral: Option<bool>,
    pub profiles: Option<Vec<String>>,
    pub restore: Option<String>,
    pub description: Option<String>,
}

/// `POST /containers/<n>`: rename, or send it to another server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct InstancePost {
    /// The new name.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    /// True to send it to another server instead of renaming.
    #[serde(deserialize_with = "null_default")]
    pub migration: bool,
    /// With the state of its processes. Absent: true, if it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub live: Option<bool>,
    /// Without its snapshots.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub container_only: bool,
    /// The same, as newer clients say it.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "std::ops::Not::not")]
    pub instance_only: bool,
    /// The pool here to move it to, keeping its name unless another one is given; empty: it is not moved.
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub pool: String,
    /// Who is called; none: somebody will call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<MigrationTarget>,
}

/// Where a container is to be sent.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct MigrationTarget {
    /// The operation at the other server, as `https://host:port/1.0/operations/<uuid>`.
    #[serde(deserialize_with = "null_default")]
    pub operation: String,
    /// That server's certificate (PEM); empty: the system's authorities vouch for it.
    #[serde(deserialize_with = "null_default")]
    pub certificate: String,
    /// The secrets of the operation's streams.
    #[serde(deserialize_with = "null_default")]
    pub secrets: BTreeMap<String, String>,
}

/// `PUT /containers/<n>/state`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default)]
pub struct StatePut {
    /// `start`, `stop`, `restart`, `freeze` or `unfreeze`.
    pub action: String,
    /// Seconds to wait for an orderly stop; below zero: as long as it takes.
    #[serde(deserialize_with = "timeout")]
    pub timeout: i64,
    /// Kill instead of asking.
    #[serde(deserialize_with = "null_default")]
    pub force: bool,
    /// Save or restore the processes' state.
    #[serde(deserialize_with = "null_default")]
    pub stateful: bool,
}

impl Default for StatePut {
    fn default() -> Self {
        Self { action: String::new(), timeout: -1, force: false, stateful: false }
    }
}

fn timeout<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    Ok(Option::<i64>::deserialize(deserializer)?.unwrap_or(-1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_and_absent_mean_the_default() {
        let post: InstancesPost = serde_json::from_str(
            r#"{"name": null, "profiles": null, "config": null, "source": null, "x": 1}"#,
        )
        .unwrap();
        assert_eq!(post.name, "");
        assert!(post.profiles.is_none());
        let put: StatePut = serde_json::from_str(r#"{"action": "stop"}"#).unwrap();
        assert_eq!(put.timeout, -1);
    }
}
