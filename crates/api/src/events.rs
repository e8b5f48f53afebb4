//! `GET /events` (`rest-api` §15).

use crate::Time;
use serde::{Deserialize, Serialize};

/// One event, one text frame.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Event {
    /// `operation`, `logging` or `lifecycle`.
    #[serde(rename = "type")]
    pub kind: String,
    /// When it happened.
    #[serde(default)]
    pub timestamp: Time,
    /// An operation, a [`Logging`] or a [`Lifecycle`].
    pub metadata: serde_json::Value,
    /// The cluster member, `none` here.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub location: String,
}

/// A line of the daemon's log.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Logging {
    pub message: String,
    /// `dbug`, `info`, `warn`, `eror` or `crit`.
    pub level: String,
    pub context: std::collections::BTreeMap<String, String>,
}

/// Something happened to an object.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct Lifecycle {
    /// `container-started` and its like.
    pub action: String,
    /// URL of the object.
    pub source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<serde_json::Map<String, serde_json::Value>>,
}
