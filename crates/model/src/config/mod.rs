//! Configuration keys: which there are, what their values may be, and what they mean.
//!
//! Two tables, one for containers and profiles ([`KEYS`]) and one for the server
//! ([`server::KEYS`]), are the only places that list keys. Everything else (checks, defaults,
//! documentation) is read off them. Values are text everywhere and an empty value is the same as
//! no value; [`Effective`] turns the text into types, once.

mod check;
mod effective;
mod grammar;
mod keys;
mod limits;
mod raw_apparmor;
pub mod raw_lxc;
pub mod seccomp;
pub mod server;
#[cfg(test)]
mod tests;

pub use api::Config;
pub use check::{ConfigError, Host, Scope, validate, validate_on};
pub use effective::{Effective, Idmapping, Rlimit, Syscalls};
pub(crate) use grammar::{BOOL, INTERFACE};
pub use grammar::{Grammar, is_true};
pub use keys::{KEYS, Key, Live, find};
pub use limits::{Limits, Priority, RLIMITS};
pub use raw_lxc::{RawLxc, RawLxcError, parse as parse_raw_lxc};

/// The value of a key that is set; an empty value is none.
#[must_use]
pub fn get<'a>(config: &'a Config, key: &str) -> Option<&'a str> {
    config.get(key).map(String::as_str).filter(|v| !v.is_empty())
}
