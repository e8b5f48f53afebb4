//! Networks (`rest-api` §9).

use crate::{Config, null_default};
use serde::{Deserialize, Serialize};

/// A managed network or an interface of the host.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Network {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    pub name: String,
    /// `bridge`, `loopback`, `physical`, `vlan`, `bond` or `unknown`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(deserialize_with = "null_default")]
    pub used_by: Vec<String>,
    pub managed: bool,
    pub status: String,
    #[serde(deserialize_with = "null_default")]
    pub locations: Vec<String>,
}

/// `POST /networks`; without name and type, `PUT /networks/<n>`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct NetworksPost {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
}

/// An address given out on a network.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Lease {
    pub hostname: String,
    pub hwaddr: String,
    pub address: String,
    /// `static` or `dynamic`.
    #[serde(rename = "type")]
    pub kind: String,
}
