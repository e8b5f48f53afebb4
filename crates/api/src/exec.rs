//! `POST /containers/<n>/exec` and the messages of its control stream (`exec-and-console`).

use crate::null_default;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What to run and how.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct ExecPost {
    /// The program and its arguments; no shell looks at them.
    #[serde(deserialize_with = "null_default")]
    pub command: Vec<String>,
    /// Wait until the streams are attached.
    #[serde(rename = "wait-for-websocket", deserialize_with = "null_default")]
    pub wait_for_websocket: bool,
    /// One terminal instead of three pipes.
    #[serde(deserialize_with = "null_default")]
    pub interactive: bool,
    /// Added to the environment.
    #[serde(deserialize_with = "null_default")]
    pub environment: BTreeMap<String, String>,
    /// Columns of the terminal; 0: not given.
    #[serde(deserialize_with = "null_default")]
    pub width: u16,
    /// Rows of the terminal; 0: not given.
    #[serde(deserialize_with = "null_default")]
    pub height: u16,
    /// Keep stdout and stderr in the log directory.
    #[serde(rename = "record-output", deserialize_with = "null_default")]
    pub record_output: bool,
    /// User id inside the container.
    #[serde(deserialize_with = "null_default")]
    pub user: u32,
    /// Group id inside the container.
    #[serde(deserialize_with = "null_default")]
    pub group: u32,
    /// Working directory; empty: `HOME`.
    #[serde(deserialize_with = "null_default")]
    pub cwd: String,
}

/// `POST /containers/<n>/console`.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs)]
pub struct ConsolePost {
    #[serde(deserialize_with = "null_default")]
    pub width: u16,
    #[serde(deserialize_with = "null_default")]
    pub height: u16,
    /// `console`, or empty.
    #[serde(rename = "type", deserialize_with = "null_default")]
    pub kind: String,
}

/// A message on the control stream, client to server.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Control {
    /// `window-resize` or `signal`.
    #[serde(deserialize_with = "null_default")]
    pub command: String,
    /// For `window-resize`: `width` and `height` as decimal text.
    #[serde(deserialize_with = "null_default")]
    pub args: BTreeMap<String, String>,
    /// For `signal`: its number.
    #[serde(deserialize_with = "null_default")]
    pub signal: i32,
}
