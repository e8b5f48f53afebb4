//! One row for each key: whose it is, what it may be, whether it may change. The reference in the
//! documentation is made of these rows.

use super::{ConfigError, DriverKind, Filesystem};
use DriverKind::{Btrfs, Ceph, Dir, Lvm, Zfs};
use model::units::Bytes;
use std::collections::BTreeMap;
use std::fmt;

/// What a key belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// A pool.
    Pool,
    /// A volume.
    Volume,
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pool => "pool",
            Self::Volume => "volume",
        })
    }
}

/// What a value may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grammar {
    Text,
    Size,
    Number,
    Flag,
    Filesystem,
}

/// A key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Drivers that have it.
    pub drivers: &'static [DriverKind],
    grammar: Grammar,
    /// Its default, for people.
    pub default: &'static str,
    /// May change after creation.
    pub changeable: bool,
    /// What it does.
    pub doc: &'static str,
}

impl Key {
    /// What a value may be, for people.
    #[must_use]
    pub const fn expects(&self) -> &'static str {
        match self.grammar {
            Grammar::Text => "a text without control characters",
            Grammar::Size => "a size such as 10MB",
            Grammar::Number => "a whole number above 0",
            Grammar::Flag => "true or false",
            Grammar::Filesystem => "btrfs, ext4 or xfs",
        }
    }

    /// `bool`, `integer` or `string`.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self.grammar {
            Grammar::Flag => "bool",
            Grammar::Number => "integer",
            Grammar::Text | Grammar::Size | Grammar::Filesystem => "string",
        }
    }

    fn accepts(&self, value: &str) -> bool {
        match self.grammar {
            Grammar::Text => !value.chars().any(char::is_control),
            Grammar::Size => Bytes::parse(value).is_ok(),
            Grammar::Number => value.parse::<u32>().is_ok_and(|number| number > 0),
            Grammar::Flag => flag(value).is_some(),
            Grammar::Filesystem => Filesystem::parse(value).is_some(),
        }
    }
}

const fn key(
    name: &'static str,
    drivers: &'static [DriverKind],
    grammar: Grammar,
    default: &'static str,
    changeable: bool,
    doc: &'static str,
) -> Key {
    Key { name, drivers, grammar, default, changeable, doc }
}

const EVERY: &[DriverKind] = &DriverKind::ALL;
const BLOCKS: &[DriverKind] = &[Ceph, Lvm];

/// Keys of pools, `user.*` aside.
#[rustfmt::skip]
pub const POOL: &[Key] = &[
    key("btrfs.mount_options", &[Btrfs], Grammar::Text, "user_subvol_rm_allowed", true, "Options the file system is mounted with."),
    key("ceph.cluster_name", &[Ceph], Grammar::Text, "ceph", false, "The cluster that holds the pool."),
    key("ceph.osd.force_reuse", &[Ceph], Grammar::Flag, "false", false, "Take an OSD pool that another server uses or used."),
    key("ceph.osd.pg_num", &[Ceph], Grammar::Number, "32", false, "Placement groups of a new OSD pool."),
    key("ceph.osd.pool_name", &[Ceph], Grammar::Text, "name of the pool", false, "The OSD pool."),
    key("ceph.rbd.clone_copy", &[Ceph], Grammar::Flag, "true", true, "Copies share data with what they were made of."),
    key("ceph.user.name", &[Ceph], Grammar::Text, "admin", false, "The Ceph user that acts for the daemon."),
    key("lvm.thinpool_name", &[Lvm], Grammar::Text, "LXDThinpool", true, "The thin pool; changing it renames it."),
    key("lvm.use_thinpool", &[Lvm], Grammar::Flag, "true", false, "Volumes share a thin pool."),
    key("lvm.vg_name", &[Lvm], Grammar::Text, "name of the pool", true, "The volume group; changing it renames it."),
    key("rsync.bwlimit", EVERY, Grammar::Size, "0 (no limit)", true, "Bytes per second for copies of files to and from other pools and servers."),
    key("size", &[Btrfs, Lvm, Zfs], Grammar::Size, "a fifth of the disk, 15GB to 100GB", true, "Size of the loop file; it can grow."),
    key("source", EVERY, Grammar::Text, "a directory or loop file of the daemon", false, "What the pool is on: a device, path, volume group, dataset or OSD pool."),
    key("volatile.initial_source", EVERY, Grammar::Text, "", false, "The source as it was given."),
    key("volatile.pool.pristine", &[Ceph], Grammar::Flag, "", false, "The OSD pool was made with the pool, and goes with it."),
    key("volume.block.filesystem", BLOCKS, Grammar::Filesystem, "ext4", true, "File system of new volumes."),
    key("volume.block.mount_options", BLOCKS, Grammar::Text, "discard", true, "Options volumes are mounted with."),
    key("volume.size", EVERY, Grammar::Size, "10GB on lvm and ceph, none elsewhere", true, "Size of new volumes."),
    key("volume.zfs.remove_snapshots", &[Zfs], Grammar::Flag, "false", true, "Restoring a snapshot removes the newer ones."),
    key("volume.zfs.use_refquota", &[Zfs], Grammar::Flag, "false", true, "Snapshots do not count for a volume's size."),
    key("zfs.clone_copy", &[Zfs], Grammar::Flag, "true", true, "Copies share data with what they were made of."),
    key("zfs.pool_name", &[Zfs], Grammar::Text, "name of the pool", false, "The ZFS pool or dataset."),
];

/// Keys of volumes, `user.*` aside.
#[rustfmt::skip]
pub const VOLUME: &[Key] = &[
    key("block.filesystem", BLOCKS, Grammar::Filesystem, "as the pool's volume.block.filesystem", false, "File system of the volume."),
    key("block.mount_options", BLOCKS, Grammar::Text, "as the pool's volume.block.mount_options", true, "Options it is mounted with."),
    key("security.shifted", &[Btrfs, Ceph, Dir, Lvm, Zfs], Grammar::Flag, "false", true, "Containers with different id maps share it through idmapped mounts."),
    key("size", EVERY, Grammar::Size, "as the pool's volume.size", true, "How much fits into it."),
    key("volatile.idmap.last", EVERY, Grammar::Text, "", true, "The id map that its files have."),
    key("volatile.idmap.next", EVERY, Grammar::Text, "", true, "The id map that its files get when it is attached."),
    key("zfs.remove_snapshots", &[Zfs], Grammar::Flag, "as the pool's volume.zfs.remove_snapshots", true, "Restoring a snapshot removes the newer ones."),
    key("zfs.use_refquota", &[Zfs], Grammar::Flag, "as the pool's volume.zfs.use_refquota", true, "Snapshots do not count for its size."),
];

fn rows(scope: Scope) -> &'static [Key] {
    match scope {
        Scope::Pool => POOL,
        Scope::Volume => VOLUME,
    }
}

/// Values that were checked, key by key.
pub(super) struct Values<'a>(&'a BTreeMap<String, String>);

/// Checks every key and value.
pub(super) fn check(
    scope: Scope,
    driver: DriverKind,
    config: &BTreeMap<String, String>,
) -> Result<Values<'_>, ConfigError> {
    for (name, value) in config.iter().filter(|(_, value)| !value.is_empty()) {
        if name.strip_prefix("user.").is_some_and(|rest| !rest.is_empty()) {
            continue;
        }
        let Some(key) = rows(scope).iter().find(|key| key.name == name) else {
            return Err(ConfigError::UnknownKey { what: scope, key: name.clone() });
        };
        if !key.drivers.contains(&driver) {
            return Err(ConfigError::NotForDriver { what: scope, key: name.clone(), driver: driver.name() });
        }
        if !key.accepts(value) {
            return Err(ConfigError::BadValue {
                key: key.name,
                value: value.clone(),
                expected: key.expects(),
            });
        }
    }
    Ok(Values(config))
}

/// Refuses changes of keys that must stay.
pub(super) fn check_changes(
    scope: Scope,
    driver: DriverKind,
    old: &BTreeMap<String, String>,
    new: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let value = |config: &BTreeMap<String, String>, key: &str| config.get(key).cloned().unwrap_or_default();
    let fixed = rows(scope).iter().filter(|key| !key.changeable);
    let keys: Vec<String> =
        fixed.map(|key| key.name.to_owned()).filter(|key| value(old, key) != value(new, key)).collect();
    if keys.is_empty() {
        Ok(())
    } else {
        Err(ConfigError::Unchangeable { what: scope, keys, driver: driver.name() })
    }
}

impl Values<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    pub(super) fn text(&self, key: &str) -> Option<String> {
        self.get(key).map(str::to_owned)
    }

    /// A size; 0 is none.
    pub(super) fn size(&self, key: &'static str) -> Result<Option<Bytes>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wrong =
            |_| ConfigError::BadValue { key, value: value.to_owned(), expected: "a size such as 10MB" };
        Ok(Some(Bytes::parse(value).map_err(wrong)?).filter(|size| size.0 > 0))
    }

    pub(super) fn number(&self, key: &'static str) -> Result<Option<u32>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wrong = |_| ConfigError::BadValue { key, value: value.to_owned(), expected: "a whole number" };
        value.parse().map(Some).map_err(wrong)
    }

    pub(super) fn flag(&self, key: &'static str, default: bool) -> Result<bool, ConfigError> {
        Ok(self.optional_flag(key)?.unwrap_or(default))
    }

    pub(super) fn optional_flag(&self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wrong = || ConfigError::BadValue { key, value: value.to_owned(), expected: "true or false" };
        flag(value).map(Some).ok_or_else(wrong)
    }

    pub(super) fn users(&self) -> BTreeMap<String, String> {
        let users = self.0.iter().filter(|(key, value)| key.starts_with("user.") && !value.is_empty());
        users.map(|(key, value)| (key.clone(), value.clone())).collect()
    }
}

/// The words that the API takes for yes and no.
fn flag(value: &str) -> Option<bool> {
    match value.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Some(true),
        "false" | "0" | "no" | "off" => Some(false),
        _ => None,
    }
}
