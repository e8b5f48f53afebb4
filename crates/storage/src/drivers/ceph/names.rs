//! Names of devices and snapshots.
//!
//! | device | what it is |
//! |---|---|
//! | `lxd_<osd pool>` | the mark that a server uses the OSD pool |
//! | `image_<fingerprint>` | an image; containers are clones of its snapshot `readonly` |
//! | `container_<c>`, `custom_<v>` | a volume; its snapshots are `snapshot_<s>` |
//! | `snapshots_<c>_<s>`, `custom-snapshots_<v>_<s>` | a snapshot that was not taken of the volume that it belongs to |
//! | `tmp_<…>` | a draft |
//! | `view_<volume>` | a snapshot while its files are looked at |
//! | `staged_<volume>` | what a volume is about to become |
//! | `old_<volume>` | what a volume was, for the moment in which it becomes that |
//! | `moving_<volume>=<volume>` | the mark that a volume gets another name, which its snapshots get after it |
//! | `zombie_<…>` | deleted; there while others share its data |
//!
//! A snapshot of a volume whose name begins with `zombie_` is there for clones alone. In users' names
//! everything that could be misread is written as `%` and two hexadecimal digits for each byte.

use crate::paths::TEMPORARY;
use crate::volume::{Kind, Volume};
use model::SnapshotName;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The snapshot of an image that containers are clones of.
pub(super) const READONLY: &str = "readonly";
/// Begins the names of devices and snapshots that are there for their clones alone.
pub(super) const ZOMBIE: &str = "zombie_";
/// Begins the names of drafts.
pub(super) const DRAFT: &str = "tmp_";
const SNAPSHOT: &str = "snapshot_";
const VIEW: &str = "view_";
const STAGED: &str = "staged_";
const OLD: &str = "old_";
const MOVING: &str = "moving_";

/// What a device is, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Device {
    Volume(Volume),
    Draft,
    View(Volume),
    Staged(Volume),
    Old(Volume),
    Moving(Volume, Volume),
    Zombie,
    /// The mark, or none of ours.
    Other,
}

impl Device {
    pub(super) fn parse(name: &str) -> Self {
        let behind = |prefix| name.strip_prefix(prefix);
        if name.starts_with(ZOMBIE) {
            return Self::Zombie;
        }
        if name.starts_with(DRAFT) {
            return Self::Draft;
        }
        let parsed = if let Some(rest) = behind(VIEW) {
            volume(rest).map(Self::View)
        } else if let Some(rest) = behind(STAGED) {
            volume(rest).map(Self::Staged)
        } else if let Some(rest) = behind(OLD) {
            volume(rest).map(Self::Old)
        } else if let Some((from, to)) = behind(MOVING).and_then(|rest| rest.split_once('=')) {
            volume(from).zip(volume(to)).map(|(from, to)| Self::Moving(from, to))
        } else {
            volume(name).map(Self::Volume)
        };
        parsed.unwrap_or(Self::Other)
    }
}

/// Words in front of volumes' names.
const fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "image_",
        Kind::Container => "container_",
        Kind::Custom => "custom_",
        Kind::ContainerSnapshot => "snapshots_",
        Kind::CustomSnapshot => "custom-snapshots_",
    }
}

/// The name of the mark.
pub(super) fn mark(osd_pool: &str) -> String {
    format!("lxd_{osd_pool}")
}

/// The device of a volume; for a snapshot, the one that it has if it is not a snapshot of its volume's.
pub(super) fn device(volume: &Volume) -> String {
    let word = word(volume.kind());
    match volume.parent() {
        // The first `_` ends the name of the volume.
        Some(of) => {
            format!("{word}{}_{}", escaped(of.name()).replace('_', "%5F"), escaped(volume.name()))
        }
        None => format!("{word}{}", escaped(volume.name())),
    }
}

/// The volume that has this device. What only looks like one of ours leads to none.
fn volume(name: &str) -> Option<Volume> {
    parse(name).filter(|volume| device(volume) == name)
}

fn parse(device: &str) -> Option<Volume> {
    let kind = Kind::ALL.into_iter().find(|kind| device.starts_with(word(*kind)))?;
    let rest = device.strip_prefix(word(kind))?;
    if !kind.is_snapshot() {
        return Volume::parse(kind, "", &plain(rest)?);
    }
    let (of, name) = rest.split_once('_')?;
    Volume::parse(kind, &plain(of)?, &plain(name)?)
}

/// True for devices of images.
pub(super) fn is_image(device: &str) -> bool {
    device.starts_with(word(Kind::Image))
}

pub(super) fn view(of: &Volume) -> String {
    format!("{VIEW}{}", device(of))
}

pub(super) fn staged(of: &Volume) -> String {
    format!("{STAGED}{}", device(of))
}

pub(super) fn old(of: &Volume) -> String {
    format!("{OLD}{}", device(of))
}

pub(super) fn moving(from: &Volume, to: &Volume) -> String {
    format!("{MOVING}{}={}", device(from), device(to))
}

/// A name that no draft has.
pub(super) fn draft() -> String {
    format!("{DRAFT}{}", unique())
}

/// The directory where a draft is mounted, below that of all drafts.
pub(super) fn draft_directory(draft: &str) -> String {
    format!("{TEMPORARY}{}", draft.strip_prefix(DRAFT).unwrap_or(draft))
}

/// The name of a device on its way out. What it was is for people only.
pub(super) fn zombie(device: &str) -> String {
    let was = [STAGED, OLD, VIEW, DRAFT, MOVING]
        .iter()
        .fold(device, |name, word| name.strip_prefix(word).unwrap_or(name));
    format!("{ZOMBIE}{was}_{}", unique())
}

/// The name of a snapshot that is there for clones alone.
pub(super) fn zombie_snapshot() -> String {
    format!("{ZOMBIE}{SNAPSHOT}{}", unique())
}

/// A snapshot of a volume's device.
pub(super) fn snapshot(name: &SnapshotName) -> String {
    format!("{SNAPSHOT}{}", escaped(name.as_str()))
}

/// The snapshot that a volume is, where it is one of its parent's device.
pub(super) fn snapshot_of(volume: &Volume) -> String {
    format!("{SNAPSHOT}{}", escaped(volume.name()))
}

/// The name that users know a snapshot by; `None`: it is not one of theirs.
pub(super) fn snapshot_name(snapshot: &str) -> Option<SnapshotName> {
    SnapshotName::parse(&plain(snapshot.strip_prefix(SNAPSHOT)?)?).ok()
}

/// Time, process and a count: others may have been here before, and other hosts may be here too.
pub(super) fn unique() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    format!("{time:x}-{:x}-{:x}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.') {
            text.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

/// Reverses [`escaped`]; `None`: it was not made by it.
fn plain(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digits = [rest.next()?, rest.next()?];
            bytes.push(u8::from_str_radix(std::str::from_utf8(&digits).ok()?, 16).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Fingerprint, InstanceName, VolumeName};

    fn custom(name: &str) -> Volume {
        Volume::Custom(VolumeName::parse(name).unwrap())
    }

    fn snapshot_of(of: &Volume, name: &str) -> Volume {
        of.snapshot(&SnapshotName::parse(name).unwrap()).unwrap()
    }

    #[test]
    fn names_lead_back_to_their_volumes() {
        let c1 = Volume::Container(InstanceName::parse("c-1").unwrap());
        let image = Volume::Image(Fingerprint::parse(&"ab".repeat(32)).unwrap());
        assert_eq!(device(&c1), "container_c-1");
        assert_eq!(device(&image), format!("image_{}", "ab".repeat(32)));
        assert_eq!(device(&snapshot_of(&c1, "s_1")), "snapshots_c-1_s_1");
        assert_eq!(device(&snapshot_of(&custom("a_b"), "c_d")), "custom-snapshots_a%5Fb_c_d");
        for volume in [
            c1.clone(),
            image,
            custom("a_b"),
            custom("my data/x".replace('/', "@").as_str()),
            custom("50% größer"),
            custom("zombie_x"),
            custom("v-"),
            snapshot_of(&c1, "before@upgrade 1"),
            snapshot_of(&custom("a_b"), "c_d"),
            snapshot_of(&custom("a"), "b_c_d"),
        ] {
            let name = device(&volume);
            assert!(!name.contains(['@', '/', ' ']) && name.is_ascii(), "{name}");
            assert_eq!(Device::parse(&name), Device::Volume(volume.clone()), "{name}");
            assert_eq!(Device::parse(&view(&volume)), Device::View(volume.clone()));
            assert_eq!(Device::parse(&staged(&volume)), Device::Staged(volume.clone()));
            assert_eq!(Device::parse(&old(&volume)), Device::Old(volume.clone()));
            let moved = Device::Moving(volume.clone(), c1.clone());
            assert_eq!(Device::parse(&moving(&volume, &c1)), moved);
            assert_eq!(Device::parse(&zombie(&name)), Device::Zombie);
        }
    }

    #[test]
    fn names_of_others_are_nobodys() {
        for name in [
            "lxd_rbd",
            "vm-disk",
            "container_",
            "container_1",
            "container_a_b",
            "custom_%zz",
            "image_1",
            "custom_%2F",
            "snapshots_c1",
            "view_x",
            "csi-vol-1",
            "custom_%41",
        ] {
            assert_eq!(Device::parse(name), Device::Other, "{name}");
        }
        assert_eq!(Device::parse(&draft()), Device::Draft);
        assert_ne!(draft(), draft());
        assert!(zombie("staged_container_c1").starts_with("zombie_container_c1_"));
    }

    #[test]
    fn snapshots_lead_back_to_their_names() {
        for name in ["snap0", "a_b", "before @ upgrade/".trim_end_matches('/'), "zombie_x", "größe"] {
            let name = SnapshotName::parse(name).unwrap();
            assert_eq!(snapshot_name(&snapshot(&name)), Some(name));
        }
        assert_eq!(snapshot_name(READONLY), None);
        assert_eq!(snapshot_name(&zombie_snapshot()), None);
    }
}
