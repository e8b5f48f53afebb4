//! Operations (`rest-api` §14).

use crate::{StatusCode, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Work in the background.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Operation {
    pub id: String,
    /// `task`, `websocket` or `token`.
    pub class: String,
    #[serde(default)]
    pub description: String,
    #[serde(default)]
    pub created_at: Time,
    #[serde(default)]
    pub updated_at: Time,
    pub status: String,
    pub status_code: StatusCode,
    /// Kind of object to URLs.
    pub resources: Option<BTreeMap<String, Vec<String>>>,
    pub metadata: Option<serde_json::Map<String, serde_json::Value>>,
    #[serde(default)]
    pub may_cancel: bool,
    #[serde(default)]
    pub err: String,
    #[serde(default)]
    pub location: String,
}
