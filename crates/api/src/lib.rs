//! Wire types exactly as clients see them, and the list of API extensions.
//!
//! Nothing here decides anything: a type says how an object looks in JSON. Request types take
//! every field as optional, because clients newer than us send more and older ones send less;
//! a JSON `null` means "the zero value", as it does for Go programs.

pub mod certificates;
pub mod envelope;
pub mod events;
pub mod exec;
pub mod extensions;
pub mod files;
pub mod guest;
pub mod images;
pub mod instances;
pub mod metadata;
pub mod networks;
pub mod operations;
pub mod profiles;
pub mod server;
pub mod state;
pub mod status;
pub mod storage;
pub mod time;

pub use envelope::{ErrorBody, Reply};
pub use status::StatusCode;
pub use time::Time;

use std::collections::BTreeMap;

/// Configuration keys and values; values are strings everywhere.
pub type Config = BTreeMap<String, String>;
/// Devices by name, each a map of properties.
pub type Devices = BTreeMap<String, BTreeMap<String, String>>;

/// Reads a value whose JSON may be `null`, which means the default.
///
/// # Errors
/// Whatever the value's own deserializer reports.
pub fn null_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Default + serde::Deserialize<'de>,
{
    use serde::Deserialize as _;
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}
