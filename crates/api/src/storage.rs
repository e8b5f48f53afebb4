//! Storage pools and volumes (`rest-api` §11).

use crate::{Config, null_default};
use serde::{Deserialize, Serialize};

/// A storage pool.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Pool {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    pub name: String,
    pub driver: String,
    #[serde(deserialize_with = "null_default")]
    pub used_by: Vec<String>,
    pub status: String,
    #[serde(deserialize_with = "null_default")]
    pub locations: Vec<String>,
}

/// `POST /storage-pools`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct PoolsPost {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub driver: String,
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
}

/// `GET /storage-pools/<p>/resources`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct PoolResources {
    pub space: Amount,
    pub inodes: Amount,
}

/// Used and total.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Amount {
    pub used: u64,
    pub total: u64,
}

/// A storage volume.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Volume {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    pub name: String,
    /// `container`, `image` or `custom`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "null_default")]
    pub used_by: Vec<String>,
    pub location: String,
}
