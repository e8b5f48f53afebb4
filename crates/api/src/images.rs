//! Images and their aliases (`rest-api` §8).

use crate::{Config, Time, null_default};
use serde::{Deserialize, Serialize};

/// Expected fingerprint of an upload.
pub const HEADER_FINGERPRINT: &str = "x-lxd-fingerprint";
/// File name of an upload.
pub const HEADER_FILENAME: &str = "x-lxd-filename";
/// `1` or `true` for a public image.
pub const HEADER_PUBLIC: &str = "x-lxd-public";
/// Properties, encoded as a URL query.
pub const HEADER_PROPERTIES: &str = "x-lxd-properties";
/// The secret that opens a server to one image of another server.
pub const HEADER_SECRET: &str = "x-lxd-secret";

/// An image as `GET` shows it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Image {
    pub auto_update: bool,
    #[serde(deserialize_with = "null_default")]
    pub properties: Config,
    pub public: bool,
    #[serde(deserialize_with = "null_default")]
    pub aliases: Vec<ImageAlias>,
    pub architecture: String,
    pub cached: bool,
    pub filename: String,
    pub fingerprint: String,
    pub size: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub update_source: Option<UpdateSource>,
    pub created_at: Time,
    pub expires_at: Time,
    pub last_used_at: Time,
    pub uploaded_at: Time,
    #[serde(rename = "type")]
    pub kind: String,
}

/// An alias as an image lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ImageAlias {
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
}

/// Where an image came from.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct UpdateSource {
    pub alias: String,
    pub certificate: String,
    pub protocol: String,
    pub server: String,
}

/// `PUT /images/<fp>`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ImagePut {
    // Early versions wrote it in one word for people to edit.
    #[serde(alias = "autoupdate", deserialize_with = "null_default")]
    pub auto_update: bool,
    #[serde(deserialize_with = "null_default")]
    pub properties: Config,
    #[serde(deserialize_with = "null_default")]
    pub public: bool,
}

/// `PATCH /images/<fp>`: absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ImagePatch {
    pub auto_update: Option<bool>,
    pub properties: Option<Config>,
    pub public: Option<bool>,
}

/// `POST /images` with a JSON body.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ImagesPost {
    #[serde(deserialize_with = "null_default")]
    pub public: bool,
    #[serde(deserialize_with = "null_default")]
    pub auto_update: bool,
    #[serde(deserialize_with = "null_default")]
    pub properties: Config,
    #[serde(deserialize_with = "null_default")]
    pub filename: String,
    #[serde(deserialize_with = "null_default")]
    pub compression_algorithm: String,
    /// For publishing: when the image should no longer be used.
    #[serde(deserialize_with = "null_default")]
    pub expires_at: Option<Time>,
    #[serde(deserialize_with = "null_default")]
    pub aliases: Vec<ImageAlias>,
    #[serde(deserialize_with = "null_default")]
    pub source: crate::instances::Source,
}

/// `POST /images/<fp>/export`: send the image to another server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ImageExportPost {
    /// URL of the other server.
    pub target: String,
    /// The secret that opens it to this image.
    pub secret: String,
    /// Its certificate in PEM; empty where the authorities of the sending system vouch for it.
    #[serde(deserialize_with = "null_default")]
    pub certificate: String,
    /// Names of the image there. The server that gave the secret knows them.
    #[serde(deserialize_with = "null_default")]
    pub aliases: Vec<ImageAlias>,
}

/// An alias with what it points at.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct AliasEntry {
    #[serde(deserialize_with = "null_default")]
    pub name: String,
    #[serde(deserialize_with = "null_default")]
    pub description: String,
    #[serde(deserialize_with = "null_default")]
    pub target: String,
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
}

/// `PATCH /images/aliases/<name>`: absent fields stay.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct AliasPatch {
    pub description: Option<String>,
    pub target: Option<String>,
}
