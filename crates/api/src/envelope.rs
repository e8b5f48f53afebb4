//! The envelope that every JSON answer has (`rest-api` §1).

use serde::{Deserialize, Serialize};

/// An answer as a client reads it: synchronous, asynchronous or an error.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    /// `sync`, `async` or `error`.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// Text of `status_code`.
    #[serde(default)]
    pub status: String,
    /// A status code; 0 in errors.
    #[serde(default)]
    pub status_code: u16,
    /// URL of the operation, or empty.
    #[serde(default)]
    pub operation: String,
    /// HTTP code of an error, or 0.
    #[serde(default)]
    pub error_code: u16,
    /// What failed, or empty.
    #[serde(default)]
    pub error: String,
    /// The answer itself.
    #[serde(default)]
    pub metadata: serde_json::Value,
}

/// An error answer as the server writes it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErrorBody {
    /// Always `error`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What failed, on what, why, and what to try.
    pub error: String,
    /// The HTTP code again.
    pub error_code: u16,
}
