//! Keys of a pool's configuration: which ones a driver has, what they may be, what may change.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The drivers that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DriverKind {
    /// Plain directories on whatever file system there is.
    Dir,
}

impl DriverKind {
    /// All drivers.
    pub const ALL: [Self; 1] = [Self::Dir];

    /// Its name in the API and the database.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dir => "dir",
        }
    }

    /// What `GET /1.0` gives as its version.
    #[must_use]
    pub fn version(self) -> &'static str {
        match self {
            Self::Dir => "1",
        }
    }

    /// The driver of a name.
    ///
    /// # Errors
    /// [`ConfigError::UnknownDriver`].
    pub fn parse(name: &str) -> Result<Self, ConfigError> {
        let unknown = || ConfigError::UnknownDriver { name: name.to_owned() };
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(unknown)
    }
}

/// What is wrong with a pool's configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such driver.
    #[error("Invalid value: {name} (not one of [{}])", DriverKind::ALL.map(DriverKind::name).join(" "))]
    UnknownDriver {
        /// As asked for.
        name: String,
    },
    /// No driver has this key.
    #[error("Invalid storage pool configuration key: {key}")]
    UnknownKey {
        /// The key.
        key: String,
    },
    /// Other drivers have this key.
    #[error("The key {key} cannot be used with {driver} storage pools")]
    NotForDriver {
        /// The key.
        key: String,
        /// The driver.
        driver: &'static str,
    },
    /// A value that does not fit.
    #[error("Invalid value for the key {key}: {value:?} is not {expected}")]
    BadValue {
        /// The key.
        key: &'static str,
        /// As given.
        value: String,
        /// What it must be.
        expected: &'static str,
    },
    /// Keys that stay as they are for a pool's whole life.
    #[error("The [{}] properties cannot be changed for \"{driver}\" storage pools", keys.join(" "))]
    Unchangeable {
        /// The keys.
        keys: Vec<String>,
        /// The driver.
        driver: &'static str,
    },
}

/// A pool's configuration, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolConfig {
    /// `source`: the directory that the pool is on; `None`: inside the daemon's own.
    pub source: Option<PathBuf>,
    /// `rsync.bwlimit`: bytes per second for transfers; `None`: no limit.
    pub rsync_bwlimit: Option<u64>,
    /// `volatile.initial_source`: what the user gave as `source`.
    pub initial_source: Option<String>,
    /// `user.*`: kept for users.
    pub user: BTreeMap<String, String>,
}

/// Keys that only other drivers have.
const OTHERS: [&str; 8] = ["size", "btrfs.", "ceph.", "lvm.", "volume.", "zfs.", "volatile.pool.", "cephfs."];

impl PoolConfig {
    /// Understands the configuration of a pool. Empty values are as good as none.
    ///
    /// # Errors
    /// [`ConfigError`]: the first key that is wrong.
    pub fn parse(driver: DriverKind, config: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let mut parsed = Self::default();
        for (key, value) in config.iter().filter(|(_, value)| !value.is_empty()) {
            match key.as_str() {
                "source" => parsed.source = Some(absolute("source", value)?),
                "rsync.bwlimit" => parsed.rsync_bwlimit = bytes("rsync.bwlimit", value)?,
                "volatile.initial_source" => parsed.initial_source = Some(value.clone()),
                _ if key.starts_with("user.") && key.len() > "user.".len() => {
                    parsed.user.insert(key.clone(), value.clone());
                }
                _ if OTHERS.iter().any(|other| match other.strip_suffix('.') {
                    Some(_) => key.starts_with(other),
                    None => key == other,
                }) =>
                {
                    return Err(ConfigError::NotForDriver { key: key.clone(), driver: driver.name() });
                }
                _ => return Err(ConfigError::UnknownKey { key: key.clone() }),
            }
        }
        Ok(parsed)
    }

    /// Checks that a pool's configuration may become another one.
    ///
    /// # Errors
    /// [`ConfigError`]: the new one is wrong, or changes what must stay.
    pub fn check_update(
        driver: DriverKind,
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let parsed = Self::parse(driver, new)?;
        let value =
            |config: &BTreeMap<String, String>, key: &str| config.get(key).cloned().unwrap_or_default();
        let keys: Vec<String> = ["source", "volatile.initial_source"]
            .into_iter()
            .filter(|key| value(old, key) != value(new, key))
            .map(str::to_owned)
            .collect();
        if keys.is_empty() {
            Ok(parsed)
        } else {
            Err(ConfigError::Unchangeable { keys, driver: driver.name() })
        }
    }
}

fn absolute(key: &'static str, value: &str) -> Result<PathBuf, ConfigError> {
    let path = Path::new(value);
    let goes_up = path.components().any(|part| part == std::path::Component::ParentDir);
    if path.is_absolute() && !goes_up && !value.contains('\0') {
        Ok(path.components().collect())
    } else {
        Err(ConfigError::BadValue { key, value: value.to_owned(), expected: "an absolute path" })
    }
}

/// A number of bytes with one of the usual suffixes; 0 is no limit.
fn bytes(key: &'static str, value: &str) -> Result<Option<u64>, ConfigError> {
    let wrong = || ConfigError::BadValue { key, value: value.to_owned(), expected: "a size such as 10MB" };
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: u64 = value[..digits].parse().map_err(|_| wrong())?;
    let factor: u64 = match value[digits..].trim() {
        "" | "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    let total = number.checked_mul(factor).ok_or_else(wrong)?;
    Ok((total > 0).then_some(total))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(keys: &[(&str, &str)]) -> Result<PoolConfig, ConfigError> {
        PoolConfig::parse(DriverKind::Dir, &map(keys))
    }

    fn map(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
        keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn keys_of_dir_pools() {
        let config = parse(&[
            ("source", "/srv//pool/"),
            ("rsync.bwlimit", "10MB"),
            ("volatile.initial_source", "/srv/pool"),
            ("user.color", "blue"),
            ("user.empty", ""),
        ])
        .unwrap();
        assert_eq!(config.source.as_deref(), Some(Path::new("/srv/pool")));
        assert_eq!(config.rsync_bwlimit, Some(10_000_000));
        assert_eq!(config.user, map(&[("user.color", "blue")]));
        assert_eq!(parse(&[("source", ""), ("rsync.bwlimit", "0")]), Ok(PoolConfig::default()));
    }

    #[test]
    fn wrong_keys_say_why() {
        let says = |keys: &[(&str, &str)]| parse(keys).unwrap_err().to_string();
        assert_eq!(says(&[("nonsense", "1")]), "Invalid storage pool configuration key: nonsense");
        assert_eq!(says(&[("user.", "1")]), "Invalid storage pool configuration key: user.");
        for key in ["size", "lvm.vg_name", "zfs.pool_name", "volume.size", "ceph.user.name"] {
            assert_eq!(says(&[(key, "1")]), format!("The key {key} cannot be used with dir storage pools"));
        }
        assert!(says(&[("source", "relative")]).contains("an absolute path"));
        assert!(says(&[("source", "/a/../b")]).contains("an absolute path"));
        assert!(says(&[("rsync.bwlimit", "fast")]).contains("a size such as 10MB"));
        assert!(says(&[("rsync.bwlimit", "99999999999TB")]).contains("a size"));
        let unknown = DriverKind::parse("floppy").unwrap_err().to_string();
        assert_eq!(unknown, "Invalid value: floppy (not one of [dir])");
        assert_eq!(DriverKind::parse("dir"), Ok(DriverKind::Dir));
    }

    #[test]
    fn the_source_stays() {
        let old = map(&[("source", "/a")]);
        let update = |keys: &[(&str, &str)]| PoolConfig::check_update(DriverKind::Dir, &old, &map(keys));
        assert!(update(&[("source", "/a"), ("rsync.bwlimit", "1MB"), ("user.x", "y")]).is_ok());
        assert_eq!(
            update(&[("source", "/b")]).unwrap_err().to_string(),
            "The [source] properties cannot be changed for \"dir\" storage pools"
        );
        assert!(update(&[]).is_err());
    }
}
