//! A volume's configuration.

use super::keys::{self, Scope, Values};
use super::{ConfigError, DriverKind};
use model::units::Bytes;
use std::collections::BTreeMap;

/// File systems of block devices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Filesystem {
    Btrfs,
    Ext4,
    Xfs,
}

impl Filesystem {
    /// Its name in keys, and for `mount(2)` and `mkfs(8)`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Btrfs => "btrfs",
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
        }
    }

    /// The file system of a name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Btrfs, Self::Ext4, Self::Xfs].into_iter().find(|kind| kind.name() == name)
    }
}

/// What is asked of a volume. `None`: what the pool says, and then the driver's default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct VolumeConfig {
    /// `size`: how much fits into it.
    pub size: Option<Bytes>,
    /// `block.filesystem`
    pub filesystem: Option<Filesystem>,
    /// `block.mount_options`
    pub mount_options: Option<String>,
    /// `zfs.remove_snapshots`: restoring a snapshot removes the newer ones.
    pub remove_snapshots: Option<bool>,
    /// `zfs.use_refquota`: snapshots do not count for its size.
    pub use_refquota: Option<bool>,
    /// `security.shifted`: containers with different id maps share it.
    pub shifted: Option<bool>,
}

impl VolumeConfig {
    /// Understands the configuration of a volume. Empty values are as good as none.
    ///
    /// # Errors
    /// [`ConfigError`]: the first key that is wrong.
    pub fn parse(driver: DriverKind, config: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        Self::of(&keys::check(Scope::Volume, driver, config)?, "")
    }

    /// Checks that a volume's configuration may become another one.
    ///
    /// # Errors
    /// [`ConfigError`]: the new one is wrong, or changes what must stay.
    pub fn check_update(
        driver: DriverKind,
        old: &BTreeMap<String, String>,
        new: &BTreeMap<String, String>,
    ) -> Result<Self, ConfigError> {
        let parsed = Self::parse(driver, new)?;
        keys::check_changes(Scope::Volume, driver, old, new)?;
        Ok(parsed)
    }

    /// Keys that a volume of another driver keeps when it is copied there.
    #[must_use]
    pub fn fitting(driver: DriverKind, config: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let fits = |key: &str| {
            key.starts_with("user.")
                || keys::VOLUME.iter().any(|row| row.name == key && row.drivers.contains(&driver))
        };
        config.iter().filter(|(key, _)| fits(key)).map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    /// What this says, and for the rest what the pool says.
    #[must_use]
    pub fn or(&self, pool: &Self) -> Self {
        Self {
            size: self.size.or(pool.size),
            filesystem: self.filesystem.or(pool.filesystem),
            mount_options: self.mount_options.clone().or_else(|| pool.mount_options.clone()),
            remove_snapshots: self.remove_snapshots.or(pool.remove_snapshots),
            use_refquota: self.use_refquota.or(pool.use_refquota),
            shifted: self.shifted.or(pool.shifted),
        }
    }

    /// Keys of a volume, or of a pool with their prefix.
    pub(super) fn of(values: &Values<'_>, prefix: &str) -> Result<Self, ConfigError> {
        let pool = !prefix.is_empty();
        let key = |volume: &'static str, of_pool: &'static str| if pool { of_pool } else { volume };
        let filesystem = key("block.filesystem", "volume.block.filesystem");
        Ok(Self {
            size: values.size(key("size", "volume.size"))?,
            filesystem: values.text(filesystem).as_deref().and_then(Filesystem::parse),
            mount_options: values.text(key("block.mount_options", "volume.block.mount_options")),
            remove_snapshots: values
                .optional_flag(key("zfs.remove_snapshots", "volume.zfs.remove_snapshots"))?,
            use_refquota: values.optional_flag(key("zfs.use_refquota", "volume.zfs.use_refquota"))?,
            shifted: if pool { None } else { values.optional_flag("security.shifted")? },
        })
    }
}
