//! What datasets and snapshots are called. Pure functions.
//!
//! ZFS takes letters, digits, `-`, `_`, `.`, `:` and spaces in names. A volume's name is escaped with `:` and
//! two hexadecimal digits for every other byte, for spaces, for `:` itself and for a dot in front: names with
//! a dot in front are those of what is hidden.

use crate::paths::{STAGED, TEMPORARY};
use crate::volume::{Kind, Volume};
use model::SnapshotName;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Datasets below a pool's root; all but the volumes in them are made with the pool.
pub(super) const PARTS: [&str; 5] = ["containers", "images", "custom", "deleted", "snapshots"];
/// The longest name of a dataset or snapshot, in bytes (`ZFS_MAX_DATASET_NAME_LEN` less its end).
const LONGEST: usize = 255;
/// Begins the names of datasets below a volume's own that hold snapshots of it.
const SHELF: &str = ".shelf-";
/// The snapshot that containers are made of.
const IMAGE: &str = "readonly";
/// Begins the names of snapshots that users made.
const SNAPSHOT: &str = "snapshot-";
/// Begins the names of snapshots that users do not see: something was made of them.
const COPY: &str = "copy-";
/// Begins the names of pools whose own names ZFS would not take.
const POOL: &str = "lxd:";

/// Names below one root dataset.
#[derive(Clone, Debug)]
pub(super) struct Names {
    root: String,
}

impl Names {
    pub(super) fn new(root: String) -> Self {
        Self { root }
    }

    pub(super) fn root(&self) -> &str {
        &self.root
    }

    /// The ZFS pool that the root dataset is in.
    pub(super) fn zpool(&self) -> &str {
        self.root.split('/').next().unwrap_or(&self.root)
    }

    pub(super) fn part(&self, part: &str) -> String {
        format!("{}/{part}", self.root)
    }

    /// The dataset of a volume; a snapshot's is the one of what it is a snapshot of, at first.
    pub(super) fn volume(&self, volume: &Volume) -> String {
        let owner = volume.parent();
        let owner = owner.as_ref().unwrap_or(volume);
        format!("{}/{}/{}", self.root, owner.kind().part(), escape(owner.name()))
    }

    /// What a volume is about to become.
    pub(super) fn staged(&self, volume: &Volume) -> String {
        format!("{}/{}/{STAGED}{}", self.root, volume.kind().part(), escape(volume.name()))
    }

    /// A volume in the making.
    pub(super) fn temporary(&self, kind: Kind) -> String {
        format!("{}/{}/{TEMPORARY}{}", self.root, kind.part(), unique())
    }

    /// A draft, by its name.
    pub(super) fn draft(&self, name: &str) -> String {
        format!("{}/snapshots/{name}", self.root)
    }

    /// A place for something deleted.
    pub(super) fn ghost(&self) -> String {
        format!("{}/deleted/{}", self.root, unique())
    }

    /// The volume that a dataset in one of the parts is; `None`: it is none, or below one.
    pub(super) fn parse(&self, kind: Kind, dataset: &str) -> Option<Volume> {
        let name = dataset.strip_prefix(&self.part(kind.part()))?.strip_prefix('/')?;
        Volume::parse(kind, "", &unescape(name)?)
    }

    /// The snapshot that users know as one of a kind.
    pub(super) fn parse_snapshot(&self, kind: Kind, name: &str) -> Option<Volume> {
        let (dataset, snapshot) = name.split_once('@')?;
        let owner = match kind {
            Kind::ContainerSnapshot => Kind::Container,
            Kind::CustomSnapshot => Kind::Custom,
            Kind::Image | Kind::Container | Kind::Custom => return None,
        };
        let below = dataset.strip_prefix(&self.part(owner.part()))?.strip_prefix('/')?;
        let of = unescape(below.split('/').next()?)?;
        Volume::parse(kind, &of, &unescape(snapshot.strip_prefix(SNAPSHOT)?)?)
    }

    /// How many bytes a volume's name has too many; all that is ever made of it must have room.
    pub(super) fn excess(&self, volume: &Volume) -> usize {
        let longest = format!("{}@{}", self.shelf_of(volume), copy_of("x").1);
        let snapshot =
            if volume.kind().is_snapshot() { SNAPSHOT.len() + escape(volume.name()).len() } else { 0 };
        let room = longest.rfind('@').unwrap_or(0) + 1;
        longest.len().max(room + snapshot).saturating_sub(LONGEST)
    }

    fn shelf_of(&self, volume: &Volume) -> String {
        let owner = volume.parent().unwrap_or_else(|| volume.clone());
        shelf(&shelf(&self.staged(&owner)))
    }
}

/// A dataset below a volume's own, for snapshots that its own does not have.
pub(super) fn shelf(dataset: &str) -> String {
    format!("{dataset}/{SHELF}{}", unique())
}

/// The name of an image's snapshot.
pub(super) fn image_snapshot(dataset: &str) -> String {
    format!("{dataset}@{IMAGE}")
}

/// The name of a user's snapshot.
pub(super) fn snapshot(dataset: &str, name: &SnapshotName) -> String {
    format!("{dataset}@{}", snapshot_part(name))
}

/// Behind the `@`.
pub(super) fn snapshot_part(name: &SnapshotName) -> String {
    format!("{SNAPSHOT}{}", escape(name.as_str()))
}

/// The name that users gave to a snapshot; `None`: they do not know it.
pub(super) fn parse_snapshot_part(part: &str) -> Option<SnapshotName> {
    SnapshotName::parse(&unescape(part.strip_prefix(SNAPSHOT)?)?).ok()
}

/// A snapshot that something is to be made of: its whole name, and what is behind the `@`.
pub(super) fn copy_of(dataset: &str) -> (String, String) {
    let part = format!("{COPY}{}", unique());
    (format!("{dataset}@{part}"), part)
}

/// True for what [`copy_of`] named.
pub(super) fn is_copy(part: &str) -> bool {
    part.starts_with(COPY)
}

/// Something that no other name has: the time and a number, 16 to 24 hexadecimal digits.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
    format!("{micros:014x}{:04x}", COUNT.fetch_add(1, Ordering::Relaxed) & 0xffff)
}

/// The ZFS pool for a pool of this name. ZFS wants a letter in front, and keeps some words for itself.
pub(super) fn zpool(name: &str) -> String {
    const RESERVED: [&str; 6] = ["mirror", "raidz", "draid", "spare", "log", "lxd:"];
    let plain = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.bytes().all(is_plain)
        && !RESERVED.iter().any(|word| name.starts_with(word));
    if plain { name.to_owned() } else { format!("{POOL}{}", escape(name)) }
}

/// True for what ZFS takes as the name of a dataset, with or without slashes.
pub(super) fn is_dataset(name: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part != "."
            && part != ".."
            && part.bytes().all(|b| is_plain(b) || matches!(b, b':' | b' '))
    };
    name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.len() < 200 && name.split('/').all(part)
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.')
}

fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        if is_plain(byte) && !(at == 0 && byte == b'.') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(escaped, ":{byte:02x}");
        }
    }
    escaped
}

/// `None`: [`escape`] never gives that.
fn unescape(escaped: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(escaped.len());
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        if byte == b':' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    let name = String::from_utf8(bytes).ok()?;
    (escape(&name) == escaped).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{InstanceName, VolumeName};

    fn custom(name: &str) -> Volume {
        Volume::Custom(VolumeName::parse(name).unwrap())
    }

    fn snap(name: &str) -> SnapshotName {
        SnapshotName::parse(name).unwrap()
    }

    #[test]
    fn names_come_back_whatever_they_are() {
        let names = Names::new("tank/lxd".to_owned());
        for name in ["data", ".tmp-x", "a b", "ü:é", "x@y", "-", "a.b", "..x", "a%b", ":2e", ":zz", "\"'$`\\"]
        {
            if let Ok(volume) = VolumeName::parse(name).map(Volume::Custom) {
                let dataset = names.volume(&volume);
                assert!(dataset.bytes().all(|b| is_plain(b) || matches!(b, b':' | b'/')), "{dataset}");
                assert_eq!(names.parse(Kind::Custom, &dataset), Some(volume), "{dataset}");
            }
            let whole = snapshot(&shelf(&names.volume(&custom("v"))), &snap(name));
            let found = names.parse_snapshot(Kind::CustomSnapshot, &whole).unwrap();
            assert_eq!(found, Volume::CustomSnapshot(VolumeName::parse("v").unwrap(), snap(name)));
        }
        assert_eq!(names.volume(&custom("a: b")), "tank/lxd/custom/a:3a:20b");
        assert_eq!(snapshot("t", &snap(".x")), "t@snapshot-:2ex");
        assert_eq!(names.zpool(), "tank");
    }

    #[test]
    fn what_is_hidden_is_no_volume() {
        let names = Names::new("tank".to_owned());
        let c1 = Volume::Container(InstanceName::parse("c1").unwrap());
        assert_eq!(names.staged(&c1), "tank/containers/.staged-c1");
        for hidden in [
            names.staged(&c1),
            names.temporary(Kind::Container),
            shelf(&names.volume(&c1)),
            names.part("containers"),
            "tank/custom/c1".to_owned(),
            "tank/containers/c:31".to_owned(),
        ] {
            assert_eq!(names.parse(Kind::Container, &hidden), None, "{hidden}");
        }
        let of = |name: &str| names.parse_snapshot(Kind::ContainerSnapshot, name);
        assert!(of("tank/containers/c1@snapshot-a").is_some());
        assert!(of("tank/containers/c1@copy-1").is_none());
        assert!(of("tank/containers/.staged-c1@snapshot-a").is_none());
        assert!(of("tank/containers/.staged-c1/.shelf-1@snapshot-a").is_none());
        assert!(is_copy(&copy_of("x").1) && parse_snapshot_part("copy-1").is_none());
    }

    #[test]
    fn pools_have_names_that_zfs_takes() {
        assert_eq!(zpool("default"), "default");
        assert_eq!(zpool("1st"), "lxd:1st");
        assert_eq!(zpool("mirror"), "lxd:mirror");
        assert_eq!(zpool("lxd:mirror"), "lxd:lxd:3amirror");
        assert_eq!(zpool("my pool"), "lxd:my:20pool");
        assert!(is_dataset("tank") && is_dataset("tank/a b/c:d"));
        for bad in ["", "/dev/sdb", "tank/", "tank//a", "tank/..", "1tank", "tank@x", "a\tb"] {
            assert!(!is_dataset(bad), "{bad:?}");
        }
    }

    #[test]
    fn names_that_are_too_long_are_found_out_in_time() {
        let names = Names::new("tank".to_owned());
        let of = |length: usize| names.excess(&custom(&"x".repeat(length)));
        assert_eq!(of(100), 0);
        assert!(of(255) > 0);
        let most = (1..=255).rev().find(|length| of(*length) == 0).unwrap();
        let volume = custom(&"x".repeat(most));
        assert!(copy_of(&shelf(&shelf(&names.staged(&volume)))).0.len() <= LONGEST);
        let snapshot = |length: usize| {
            names.excess(&Volume::CustomSnapshot(VolumeName::parse("v").unwrap(), snap(&"s".repeat(length))))
        };
        assert!(snapshot(100) == 0 && snapshot(255) > 0);
    }

    #[test]
    fn no_name_is_given_twice() {
        let all: std::collections::HashSet<String> = (0..1000).map(|_| unique()).collect();
        assert_eq!(all.len(), 1000);
        assert!(all.iter().all(|name| name.len() == 18));
    }
}
