//! Keys of pools and volumes: which ones a driver has, what they may be, what may change.

mod keys;
mod volume;

pub use keys::{Key, POOL, Scope, VOLUME};
pub use volume::{Filesystem, VolumeConfig};

use model::units::Bytes;
use std::collections::BTreeMap;

/// The drivers that exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DriverKind {
    /// Plain directories on whatever file system there is.
    Dir,
    /// Subvolumes of a btrfs.
    Btrfs,
    /// Logical volumes, thin ones or not.
    Lvm,
    /// Datasets of a ZFS pool.
    Zfs,
    /// Block devices of a Ceph cluster.
    Ceph,
}

impl DriverKind {
    /// All drivers.
    pub const ALL: [Self; 5] = [Self::Btrfs, Self::Ceph, Self::Dir, Self::Lvm, Self::Zfs];

    /// Its name in the API and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dir => "dir",
            Self::Btrfs => "btrfs",
            Self::Lvm => "lvm",
            Self::Zfs => "zfs",
            Self::Ceph => "ceph",
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

    /// True if volumes are block devices with file systems of their own.
    #[must_use]
    pub const fn has_blocks(self) -> bool {
        matches!(self, Self::Lvm | Self::Ceph)
    }
}

/// What is wrong with the configuration of a pool or volume.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such driver.
    #[error("Invalid value: {name} (not one of [{}])", DriverKind::ALL.map(DriverKind::name).join(" "))]
    UnknownDriver {
        /// As asked for.
        name: String,
    },
    /// No driver has this key.
    #[error("Invalid storage {what} configuration key: {key}")]
    UnknownKey {
        /// `pool` or `volume`.
        what: Scope,
        /// The key.
        key: String,
    },
    /// Other drivers have this key.
    #[error("The key {key} cannot be used with {driver} storage {what}s")]
    NotForDriver {
        /// `pool` or `volume`.
        what: Scope,
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
    /// Two keys that contradict each other.
    #[error("The keys {first} and {second} cannot be used together: {why}")]
    Together {
        /// One key.
        first: &'static str,
        /// The other one.
        second: &'static str,
        /// Why not.
        why: &'static str,
    },
    /// Keys that stay as they are for a pool's or volume's whole life.
    #[error("The [{}] properties cannot be changed for \"{driver}\" storage {what}s", keys.join(" "))]
    Unchangeable {
        /// `pool` or `volume`.
        what: Scope,
        /// The keys.
        keys: Vec<String>,
        /// The driver.
        driver: &'static str,
    },
}

/// A pool's configuration, understood. What a driver does not have is at its default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolConfig {
    /// `source`: what the pool is on, in the words of its driver; `None`: inside the daemon's own
    /// directory.
    pub source: Option<String>,
    /// `size` of the loop file; `None`: what fits the host.
    pub size: Option<Bytes>,
    /// `rsync.bwlimit`: bytes per second for transfers; `None`: no limit.
    pub rsync_bwlimit: Option<u64>,
    /// `volatile.initial_source`: what the user gave as `source`.
    pub initial_source: Option<String>,
    /// `btrfs.mount_options`
    pub btrfs_mount_options: Option<String>,
    /// `ceph.*`
    pub ceph: CephConfig,
    /// `lvm.*`
    pub lvm: LvmConfig,
    /// `zfs.pool_name`; `None`: the pool's name.
    pub zfs_pool_name: Option<String>,
    /// `zfs.clone_copy`: copies share data with what they were made of.
    pub zfs_clone_copy: bool,
    /// `volume.*`: what volumes have that say nothing else.
    pub volume: VolumeConfig,
    /// `user.*`: kept for users.
    pub user: BTreeMap<String, String>,
}

/// `ceph.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CephConfig {
    /// `ceph.cluster_name`
    pub cluster: String,
    /// `ceph.user.name`
    pub user: String,
    /// `ceph.osd.pool_name`; `None`: the pool's name.
    pub osd_pool: Option<String>,
    /// `ceph.osd.pg_num`
    pub pg_num: u32,
    /// `ceph.osd.force_reuse`: takes an OSD pool that another server uses or used.
    pub force_reuse: bool,
    /// `ceph.rbd.clone_copy`: copies share data with what they were made of.
    pub clone_copy: bool,
    /// `volatile.pool.pristine`: the OSD pool was made by us and goes with the pool.
    pub pristine: bool,
}

/// `lvm.*`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LvmConfig {
    /// `lvm.vg_name`; `None`: the pool's name.
    pub vg_name: Option<String>,
    /// `lvm.thinpool_name`
    pub thinpool_name: String,
    /// `lvm.use_thinpool`
    pub use_thinpool: bool,
}

impl PoolConfig {
    /// Understands the configuration of a pool. Empty values are as good as none.
    ///
    /// # Errors
    /// [`ConfigError`]: the first key that is wrong.
    pub fn parse(driver: DriverKind, config: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let values = keys::check(Scope::Pool, driver, config)?;
        if values.has("lvm.thinpool_name") && !values.flag("lvm.use_thinpool", true)? {
            return Err(ConfigError::Together {
                first: "lvm.use_thinpool",
                second: "lvm.thinpool_name",
                why: "without a thin pool there is nothing to name",
            });
        }
        Ok(Self {
            source: values.text("source"),
            size: values.size("size")?,
            rsync_bwlimit: values.size("rsync.bwlimit")?.map(|limit| limit.0),
            initial_source: values.text("volatile.initial_source"),
            btrfs_mount_options: values.text("btrfs.mount_options"),
            ceph: CephConfig {
                cluster: values.text("ceph.cluster_name").unwrap_or_else(|| "ceph".to_owned()),
                user: values.text("ceph.user.name").unwrap_or_else(|| "admin".to_owned()),
                osd_pool: values.text("ceph.osd.pool_name"),
                pg_num: values.number("ceph.osd.pg_num")?.unwrap_or(32),
                force_reuse: values.flag("ceph.osd.force_reuse", false)?,
                clone_copy: values.flag("ceph.rbd.clone_copy", true)?,
                pristine: values.flag("volatile.pool.pristine", false)?,
            },
            lvm: LvmConfig {
                vg_name: values.text("lvm.vg_name"),
                thinpool_name: values.text("lvm.thinpool_name").unwrap_or_else(|| "LXDThinpool".to_owned()),
                use_thinpool: values.flag("lvm.use_thinpool", true)?,
            },
            zfs_pool_name: values.text("zfs.pool_name"),
            zfs_clone_copy: values.flag("zfs.clone_copy", true)?,
            volume: VolumeConfig::of(&values, "volume.")?,
            user: values.users(),
        })
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
        keys::check_changes(Scope::Pool, driver, old, new)?;
        Ok(parsed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(driver: DriverKind, keys: &[(&str, &str)]) -> Result<PoolConfig, ConfigError> {
        PoolConfig::parse(driver, &map(keys))
    }

    fn map(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
        keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[test]
    fn keys_of_pools() {
        let config = parse(
            DriverKind::Dir,
            &[
                ("source", "/srv/pool"),
                ("rsync.bwlimit", "10MB"),
                ("volatile.initial_source", "/srv/pool"),
                ("user.color", "blue"),
                ("user.empty", ""),
            ],
        )
        .unwrap();
        assert_eq!(config.source.as_deref(), Some("/srv/pool"));
        assert_eq!(config.rsync_bwlimit, Some(Bytes::parse("10MB").unwrap().0));
        assert_eq!(config.user, map(&[("user.color", "blue")]));
        let empty = parse(DriverKind::Dir, &[("source", ""), ("rsync.bwlimit", "0")]).unwrap();
        assert_eq!((empty.source, empty.rsync_bwlimit), (None, None));
        let lvm = parse(DriverKind::Lvm, &[("volume.block.filesystem", "xfs"), ("size", "20GB")]).unwrap();
        assert_eq!(lvm.volume.filesystem, Some(Filesystem::Xfs));
        assert_eq!((lvm.lvm.thinpool_name.as_str(), lvm.lvm.use_thinpool), ("LXDThinpool", true));
    }

    #[test]
    fn wrong_keys_say_why() {
        let says = |driver, keys: &[(&str, &str)]| parse(driver, keys).map(drop).unwrap_err().to_string();
        let dir = |keys: &[(&str, &str)]| says(DriverKind::Dir, keys);
        assert_eq!(dir(&[("nonsense", "1")]), "Invalid storage pool configuration key: nonsense");
        assert_eq!(dir(&[("user.", "1")]), "Invalid storage pool configuration key: user.");
        for key in ["size", "lvm.vg_name", "zfs.pool_name", "ceph.user.name"] {
            assert_eq!(dir(&[(key, "1")]), format!("The key {key} cannot be used with dir storage pools"));
        }
        assert!(dir(&[("rsync.bwlimit", "fast")]).contains("a size such as 10MB"));
        assert!(dir(&[("rsync.bwlimit", "99999999999TB")]).contains("a size"));
        assert!(says(DriverKind::Zfs, &[("zfs.clone_copy", "perhaps")]).contains("true or false"));
        assert!(says(DriverKind::Ceph, &[("volume.block.filesystem", "fat")]).contains("ext4 or xfs"));
        assert!(says(DriverKind::Ceph, &[("ceph.osd.pg_num", "0")]).contains("above 0"));
        let thin = [("lvm.use_thinpool", "false"), ("lvm.thinpool_name", "x")];
        assert!(says(DriverKind::Lvm, &thin).contains("cannot be used together"));
        let unknown = DriverKind::parse("floppy").unwrap_err().to_string();
        assert_eq!(unknown, "Invalid value: floppy (not one of [btrfs ceph dir lvm zfs])");
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

    #[test]
    fn volumes_take_what_their_driver_has() {
        let lvm = map(&[("size", "1GB"), ("block.filesystem", "xfs"), ("user.a", "b")]);
        assert_eq!(VolumeConfig::parse(DriverKind::Lvm, &lvm).unwrap().filesystem, Some(Filesystem::Xfs));
        let says = VolumeConfig::parse(DriverKind::Zfs, &lvm).unwrap_err().to_string();
        assert_eq!(says, "The key block.filesystem cannot be used with zfs storage volumes");
        let kept = VolumeConfig::fitting(DriverKind::Zfs, &lvm);
        assert_eq!(kept, map(&[("size", "1GB"), ("user.a", "b")]));
        let pool = VolumeConfig { size: Some(Bytes(1)), use_refquota: Some(true), ..Default::default() };
        let own = VolumeConfig { size: Some(Bytes(2)), ..Default::default() };
        let both = own.or(&pool);
        assert_eq!((both.size, both.use_refquota), (Some(Bytes(2)), Some(true)));
        let changed = map(&[("size", "2GB"), ("block.filesystem", "ext4"), ("user.a", "b")]);
        assert!(VolumeConfig::check_update(DriverKind::Lvm, &lvm, &changed).is_err());
    }
}
