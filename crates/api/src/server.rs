//! `GET /1.0` (`rest-api` §5).

use crate::null_default;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The server as everybody sees it; `config` and `environment` only for the trusted.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Server {
    /// Names of [`crate::extensions`] that work.
    #[serde(deserialize_with = "null_default")]
    pub api_extensions: Vec<String>,
    /// `stable`.
    pub api_status: String,
    /// `1.0`.
    pub api_version: String,
    /// `trusted` or `untrusted`.
    pub auth: String,
    /// Whether this is a public image server only.
    pub public: bool,
    /// `["tls"]`.
    #[serde(deserialize_with = "null_default")]
    pub auth_methods: Vec<String>,
    /// Server configuration; hidden keys read `true`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<BTreeMap<String, serde_json::Value>>,
    /// What the server is and runs on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

/// What the server is and runs on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)] // each field is a row of the table in `rest-api` §5
pub struct Environment {
    #[serde(deserialize_with = "null_default")]
    pub addresses: Vec<String>,
    #[serde(deserialize_with = "null_default")]
    pub architectures: Vec<String>,
    pub certificate: String,
    pub certificate_fingerprint: String,
    pub driver: String,
    pub driver_version: String,
    pub firewall: String,
    pub kernel: String,
    pub kernel_architecture: String,
    #[serde(deserialize_with = "null_default")]
    pub kernel_features: BTreeMap<String, String>,
    pub kernel_version: String,
    #[serde(deserialize_with = "null_default")]
    pub lxc_features: BTreeMap<String, String>,
    pub os_name: String,
    pub os_version: String,
    pub project: String,
    pub server: String,
    pub server_clustered: bool,
    pub server_name: String,
    pub server_pid: u32,
    pub server_version: String,
    pub storage: String,
    /// Drivers that this host can run, the best ones first.
    #[serde(deserialize_with = "null_default")]
    pub storage_supported_drivers: Vec<StorageDriver>,
    pub storage_version: String,
    /// What this host lacks and what that means, one sentence each (ours; others ignore it).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// A storage driver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
#[allow(missing_docs)]
pub struct StorageDriver {
    pub name: String,
    pub version: String,
    /// Its pools are in a cluster of other hosts.
    pub remote: bool,
}

/// `PUT` and `PATCH /1.0`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerPut {
    /// Keys and values; only strings are taken, except `true` for a hidden key.
    #[serde(deserialize_with = "null_default")]
    pub config: BTreeMap<String, serde_json::Value>,
}
