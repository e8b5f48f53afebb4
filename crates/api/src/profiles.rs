//! Profiles (`rest-api` §10).

use crate::{Config, Devices, null_default};
use serde::{Deserialize, Serialize};

/// A profile as `GET` shows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Profile {
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    #[serde(deserialize_with = "null_default")]
    pub devices: Devices,
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub used_by: Vec<String>,
}

/// `POST /profiles`; without the name, `PUT /profiles/<n>`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ProfilePut {
    #[serde(deserialize_with = "null_default", skip_serializing_if = "String::is_empty")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub config: Config,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    #[serde(deserialize_with = "null_default")]
    pub devices: Devices,
}

/// `PATCH /profiles/<n>`: absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ProfilePatch {
    pub config: Option<Config>,
    pub description: Option<String>,
    pub devices: Option<Devices>,
}

/// `POST` on a named object: rename it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RenamePost {
    /// The new name.
    #[serde(deserialize_with = "null_default")]
    pub name: String,
}
