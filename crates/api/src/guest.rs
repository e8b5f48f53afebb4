//! What containers see of themselves at `/dev/lxd/sock` (`runtime` §7). No envelope around it.

use crate::Time;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// `GET /1.0`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct About {
    pub api_version: String,
    /// The cluster member, `none` here.
    pub location: String,
    /// `container`.
    pub instance_type: String,
    /// [`STARTED`] or [`READY`].
    pub state: String,
}

/// The container runs.
pub const STARTED: &str = "Started";
/// The container has said that everything in it is up.
pub const READY: &str = "Ready";

/// `PATCH /1.0`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AboutPatch {
    /// [`STARTED`] or [`READY`].
    pub state: String,
}

/// One event, one text frame.
#[derive(Clone, Debug, Serialize)]
pub struct Event {
    /// When it happened.
    pub timestamp: Time,
    /// What.
    #[serde(flatten)]
    pub news: News,
}

/// What changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type", content = "metadata", rename_all = "lowercase")]
pub enum News {
    /// A key.
    Config {
        /// Its name.
        key: String,
        /// What it was; empty: not set.
        old_value: String,
        /// What it is; empty: not set.
        value: String,
    },
    /// A device.
    Device {
        /// `added`, `removed` or `updated`.
        action: &'static str,
        /// Its name.
        name: String,
        /// Its properties.
        config: BTreeMap<String, String>,
    },
}

impl News {
    /// The value of `type`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Config { .. } => "config",
            Self::Device { .. } => "device",
        }
    }
}
