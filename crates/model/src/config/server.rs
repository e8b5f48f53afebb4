//! The server's own configuration keys.

use super::check::{excerpt, meant};
use super::{Config, Grammar, get};

/// One key of the server.
#[derive(Clone, Copy, Debug)]
pub struct ServerKey {
    /// Its name.
    pub name: &'static str,
    /// What values may be.
    pub grammar: Grammar,
    /// What holds when it is not set.
    pub default: &'static str,
    /// Its value is never shown, only that there is one.
    pub hidden: bool,
    /// This version acts on it.
    pub applied: bool,
    /// One line of documentation.
    pub doc: &'static str,
}

/// Why the server's configuration is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot set '{key}' to '{value}': {reason}{}", more(.others))]
pub struct ServerConfigError {
    /// The first key that is wrong.
    pub key: String,
    /// The beginning of its value.
    pub value: String,
    /// What is wrong or what is allowed.
    pub reason: String,
    /// How many other keys are wrong too.
    pub others: usize,
}

fn more(others: &usize) -> String {
    match others {
        0 => String::new(),
        1 => " (and 1 more error)".to_owned(),
        n => format!(" (and {n} more errors)"),
    }
}

use Grammar as G;

/// A key that takes effect as soon as it is set.
const fn live(name: &'static str, grammar: Grammar, default: &'static str, doc: &'static str) -> ServerKey {
    ServerKey { name, grammar, default, hidden: false, applied: true, doc }
}

/// A key that this version keeps but does not act on.
const fn kept(name: &'static str, grammar: Grammar, default: &'static str, doc: &'static str) -> ServerKey {
    ServerKey { name, grammar, default, hidden: false, applied: false, doc }
}

const DEPRECATED: Grammar = G::OnlyEmpty("deprecated: use storage pool configuration");

const fn deprecated(name: &'static str) -> ServerKey {
    kept(name, DEPRECATED, "", "Deprecated: use storage pool configuration")
}

/// Every key of the server.
#[rustfmt::skip]
pub const KEYS: &[ServerKey] = &[
    live("core.https_address", G::Address, "", "Where to listen for clients of the network"),
    live("core.https_allowed_credentials", G::Bool, "", "Access-Control-Allow-Credentials of answers"),
    live("core.https_allowed_headers", G::Text, "", "Access-Control-Allow-Headers of answers"),
    live("core.https_allowed_methods", G::Text, "", "Access-Control-Allow-Methods of answers"),
    live("core.https_allowed_origin", G::Text, "", "Access-Control-Allow-Origin of answers"),
    kept("core.debug_address", G::Address, "", "Where to listen for debuggers"),
    kept("core.macaroon.endpoint", G::Text, "", "Address of an external authentication server"),
    live("core.proxy_http", G::Text, "", "Proxy for downloads over http"),
    live("core.proxy_https", G::Text, "", "Proxy for downloads over https"),
    live("core.proxy_ignore_hosts", G::Text, "", "Hosts that are reached without the proxy"),
    live("core.remote_token_expiry", G::Expiry, "", "How long tokens of new clients are good; without it until they are used"),
    live("core.trust_ca_certificates", G::Bool, "", "Trust every client whose certificate the authority in server.ca has signed"),
    ServerKey {
        name: "core.trust_password",
        grammar: G::Text,
        default: "",
        hidden: true,
        applied: true,
        doc: "Password with which clients of the network make themselves trusted",
    },
    kept("backups.compression_algorithm", G::Compressor, "gzip", "How backups are compressed"),
    kept("cluster.https_address", G::Address, "", "Where to listen for other members of a cluster"),
    kept("cluster.offline_threshold", G::AboveFour, "20", "Seconds of silence after which a member counts as offline"),
    live("images.auto_update_cached", G::Bool, "true", "Keep images up to date that were downloaded to make a container"),
    live("images.auto_update_interval", G::Int, "6", "Hours between looking for newer images; 0: never"),
    live("images.compression_algorithm", G::Compressor, "gzip", "How published images are compressed"),
    kept("images.default_architecture", G::Text, "", "Architecture of images where none is asked for"),
    live("images.remote_cache_expiry", G::Int, "10", "Days after which unused cached images are removed; 0: never"),
    kept("maas.api.key", G::Text, "", "Key for the MAAS server"),
    kept("maas.api.url", G::Text, "", "Address of the MAAS server"),
    kept("maas.machine", G::Text, "", "This machine's name in MAAS"),
    kept("storage.backups_volume", G::Text, "", "Volume to store backups on, as POOL/VOLUME"),
    kept("storage.images_volume", G::Text, "", "Volume to store images on, as POOL/VOLUME"),
    deprecated("storage.lvm_fstype"),
    deprecated("storage.lvm_mount_options"),
    deprecated("storage.lvm_thinpool_name"),
    deprecated("storage.lvm_vg_name"),
    deprecated("storage.lvm_volume_size"),
    deprecated("storage.zfs_pool_name"),
    deprecated("storage.zfs_remove_snapshots"),
    deprecated("storage.zfs_use_refquota"),
];

/// The row about a key.
#[must_use]
pub fn find(name: &str) -> Option<&'static ServerKey> {
    KEYS.iter().find(|key| key.name == name)
}

/// The value of a key, or its default; `None` when it has neither.
#[must_use]
pub fn value<'a>(config: &'a Config, name: &str) -> Option<&'a str> {
    get(config, name).or_else(|| find(name).map(|key| key.default).filter(|d| !d.is_empty()))
}

/// Checks every key and value.
///
/// # Errors
/// The first that is wrong, in the order of names, and how many others there are.
pub fn validate(config: &Config) -> Result<(), ServerConfigError> {
    let mut wrong = config.iter().filter_map(|(name, value)| {
        let reason = match find(name) {
            // Notes of the user's own; nobody here reads them.
            None if name.strip_prefix("user.").is_some_and(|rest| !rest.is_empty()) => return None,
            None => {
                format!("unknown key{}", meant(name, KEYS.iter().map(|row| row.name)).unwrap_or_default())
            }
            Some(key) => key.grammar.check(value).err()?,
        };
        Some(ServerConfigError { key: excerpt(name), value: excerpt(value), reason, others: 0 })
    });
    let Some(first) = wrong.next() else { return Ok(()) };
    Err(ServerConfigError { others: wrong.count(), ..first })
}
