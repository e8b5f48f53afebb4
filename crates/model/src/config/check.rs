//! The checks of a whole configuration.

use super::{Config, KEYS, RLIMITS, find, get, is_true};
use crate::Architecture;
use crate::nearest::nearest;

/// Whose configuration it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A container's own, or its expanded one.
    Instance,
    /// A profile's.
    Profile,
}

/// What the host can do, as far as it decides which configurations are good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host {
    /// Its architecture.
    pub architecture: Architecture,
    /// It has a range of ids for unprivileged containers.
    pub has_ids: bool,
}

/// Why a configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such key.
    #[error("Unknown configuration key: {key}{}", hint(.key))]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// No such resource limit.
    #[error("Unknown configuration key: {key}; of limits.kernel.* there are {}", RLIMITS.join(", "))]
    UnknownRlimit {
        /// The key.
        key: String,
    },
    /// A value that its key cannot have.
    #[error("Invalid value {value:?} for {key}: {reason}")]
    InvalidValue {
        /// The key.
        key: String,
        /// The beginning of the value.
        value: String,
        /// What is wrong or what is allowed.
        reason: String,
    },
    /// A key that has no place in a profile.
    #[error("{key} can only be set on containers, not in profiles")]
    NotInProfiles {
        /// The key.
        key: String,
    },
    /// Two ways of saying what system calls are allowed.
    #[error("raw.seccomp is mutually exclusive with security.syscalls*")]
    SeccompTwice,
    /// A list of what is allowed beside a list of what is not.
    #[error("security.syscalls.whitelist is mutually exclusive with security.syscalls.blacklist*")]
    WhitelistAndBlacklist,
    /// The host's architecture has no compatible one.
    #[error("security.syscalls.blacklist_compat isn't supported on this architecture ({architecture})")]
    NoCompat {
        /// The host's.
        architecture: Architecture,
    },
    /// An unprivileged container on a host without ids to spare.
    #[error("LXD doesn't have a uid/gid allocation. In this mode, only privileged containers are supported.")]
    NoIds,
}

/// What was probably meant by an unknown key.
pub(super) fn meant(key: &str, known: impl Iterator<Item = &'static str>) -> Option<String> {
    nearest(key, known.filter(|known| !known.contains('*'))).map(|word| format!(" (did you mean {word}?)"))
}

/// The same, or where to look.
fn hint(key: &str) -> String {
    let look = || " (\"lxc config keys\" lists those that there are)".to_owned();
    meant(key, KEYS.iter().map(|row| row.pattern)).unwrap_or_else(look)
}

/// The beginning of a value, for messages.
pub(super) fn excerpt(value: &str) -> String {
    match value.char_indices().nth(100) {
        Some((end, _)) => format!("{}…", value.get(..end).unwrap_or_default()),
        None => value.to_owned(),
    }
}

/// Checks every key and value, and what may not be together.
///
/// # Errors
/// For the first key that is wrong, in the order of names.
pub fn validate(scope: Scope, config: &Config) -> Result<(), ConfigError> {
    for (name, value) in config {
        validate_one(scope, name, value)?;
    }
    validate_together(config)
}

fn validate_one(scope: Scope, name: &str, value: &str) -> Result<(), ConfigError> {
    let unknown = || ConfigError::UnknownKey { key: excerpt(name) };
    let key = find(name).filter(|_| is_name(name)).ok_or_else(unknown)?;
    if name.strip_prefix("limits.kernel.").is_some_and(|limit| !RLIMITS.contains(&limit)) {
        return Err(ConfigError::UnknownRlimit { key: excerpt(name) });
    }
    if scope == Scope::Profile && !key.in_profiles {
        return Err(ConfigError::NotInProfiles { key: name.to_owned() });
    }
    key.grammar.check(value).map_err(|reason| ConfigError::InvalidValue {
        key: name.to_owned(),
        value: excerpt(value),
        reason,
    })
}

/// Families of keys are free, but not that free: a name is one line, and one that becomes an
/// environment variable has no `=`.
fn is_name(name: &str) -> bool {
    let breaks_environment = name.starts_with("environment.") && name.contains('=');
    !breaks_environment && !name.chars().any(char::is_control)
}

fn validate_together(config: &Config) -> Result<(), ConfigError> {
    let set = |name: &str| get(config, &format!("security.syscalls.{name}")).is_some();
    // Switched off or not set is the same as not said.
    let on = |name: &str| get(config, &format!("security.syscalls.{name}")).is_some_and(is_true);
    let blacklist = ["blacklist", "deny"].into_iter().any(set)
        || ["blacklist_default", "blacklist_compat", "deny_default", "deny_compat"].into_iter().any(on);
    let whitelist = ["whitelist", "allow"].into_iter().any(set);
    let raw = get(config, "raw.seccomp").is_some();
    if raw && (blacklist || whitelist) {
        return Err(ConfigError::SeccompTwice);
    }
    if whitelist && blacklist {
        return Err(ConfigError::WhitelistAndBlacklist);
    }
    Ok(())
}

/// Checks an expanded configuration against what the host can do.
///
/// # Errors
/// For the first thing that this host cannot do.
pub fn validate_on(host: &Host, expanded: &Config) -> Result<(), ConfigError> {
    let on = |key| get(expanded, key).is_some_and(is_true);
    let compatible =
        matches!(host.architecture, Architecture::X86_64 | Architecture::Aarch64 | Architecture::Ppc64);
    if (on("security.syscalls.blacklist_compat") || on("security.syscalls.deny_compat")) && !compatible {
        return Err(ConfigError::NoCompat { architecture: host.architecture });
    }
    if !host.has_ids && !on("security.privileged") {
        return Err(ConfigError::NoIds);
    }
    Ok(())
}
