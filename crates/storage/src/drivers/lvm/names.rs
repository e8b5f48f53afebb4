//! What volumes are called in a volume group, and back.
//!
//! `containers_c1`, `containers_my--ct-snap0` (a snapshot: one dash between the names, two for each dash
//! in them), `images_<fingerprint>`, `custom_data`. LVM takes letters, digits and `+ _ . -` only; every
//! other byte becomes `+` and two hexadecimal digits, and so do a dash next to the one between two names
//! and the letter after a `_` with which a word begins that LVM keeps for itself (`_tdata`). That way
//! no two volumes share a name, and each name leads back to its volume.
//!
//! The kernel's names of devices have 127 bytes at most and double dashes again. What would be too long is
//! called `containers_++` and 32 hexadecimal digits of its SHA-256, and its name is kept in a tag.
//!
//! Names without such a beginning are of volumes that nobody knows:
//!
//! | name | what it is | after a crash |
//! |---|---|---|
//! | `tmp_<n>` and `tmp_<n>-<snapshot>` | a draft, or a volume in the making | removed |
//! | `new_<name>` | a volume whose snapshots are being named; they are its own only when it has its name | removed, with them |
//! | `staged_<name>` | what a volume is about to become | kept for who staged it |
//! | `trash_<n>` | was deleted while something still used it | removed |
//! | `view_<name>` | what of a snapshot is mounted | removed |
//! | `hidden_<n>` | without a thin pool: the former content of a volume, which snapshots need | removed with the last one |

use crate::volume::{Kind, Volume};
use model::SnapshotName;
use sha2::{Digest as _, Sha256};

/// Most bytes of a name, as the kernel counts them. Together with the words before it, a dash, what LVM adds
/// (`-real`) and a group's name there are 127.
const LONGEST: usize = 72;
/// Most bytes of a volume group's name, likewise.
const LONGEST_GROUP: usize = 40;
/// Most bytes of a tag.
const LONGEST_TAG: usize = 1024;
/// Before the name in the tag of a volume with a long one.
const TAG: &str = "lightervisor.name=";
/// Before the file system in the tag of an image.
const FILESYSTEM_TAG: &str = "lightervisor.filesystem=";
/// Before the pool in the tag of a volume group.
const POOL_TAG: &str = "lightervisor.pool=";
/// What may follow `_` in names of LVM's own parts of volumes only (`lvm(8)`, valid names).
const RESERVED: [&str; 16] = [
    "cdata", "cmeta", "corig", "cvol", "imeta", "iorig", "mimage", "mlog", "pmspare", "rimage", "rmeta",
    "tdata", "tmeta", "vdata", "vorigin", "wcorig",
];

/// A name, and the tag that it needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) name: String,
    pub(super) tag: Option<String>,
}

/// What a volume is called; `None`: its name is too long even for a tag.
pub(super) fn of(volume: &Volume) -> Option<Name> {
    let prefix = prefix(volume.kind());
    match volume.parent() {
        None => shortened(prefix, &encode(prefix, volume.name(), false)),
        Some(parent) => {
            let first = encode(prefix, parent.name(), true);
            let second = encode_snapshot(volume.name());
            shortened(prefix, &format!("{first}-{second}"))
        }
    }
}

/// What a snapshot of a draft is called.
pub(super) fn of_draft(draft: &str, snapshot: &SnapshotName) -> Option<Name> {
    shortened(&format!("{draft}-"), &encode_snapshot(snapshot.as_str()))
}

const fn prefix(kind: Kind) -> &'static str {
    match kind {
        Kind::Image => "images_",
        Kind::Container | Kind::ContainerSnapshot => "containers_",
        Kind::Custom | Kind::CustomSnapshot => "custom_",
    }
}

/// The volume of a name; `None`: it is none that anybody knows.
pub(super) fn parse(name: &str, tags: &[String]) -> Option<Volume> {
    let (prefix, kind, of_snapshot) = [
        ("images_", Kind::Image, None),
        ("containers_", Kind::Container, Some(Kind::ContainerSnapshot)),
        ("custom_", Kind::Custom, Some(Kind::CustomSnapshot)),
    ]
    .into_iter()
    .find(|(prefix, ..)| name.starts_with(prefix))?;
    let (first, second) = decode(&full(prefix, name, tags)?)?;
    let volume = match (second, of_snapshot) {
        (None, _) => Volume::parse(kind, "", &first),
        (Some(second), Some(kind)) => Volume::parse(kind, &first, &second),
        (Some(_), None) => None,
    }?;
    // Somebody else's name that looks like one of ours.
    (of(&volume)?.name == name).then_some(volume)
}

/// The name of a draft's snapshot; `None`: this is none.
pub(super) fn parse_of_draft(draft: &str, name: &str, tags: &[String]) -> Option<SnapshotName> {
    let prefix = format!("{draft}-");
    name.strip_prefix(&prefix)?;
    let (text, None) = decode(&full(&prefix, name, tags)?)? else { return None };
    SnapshotName::parse(&text).ok()
}

/// A name that fits, with a tag if that is another one.
fn shortened(prefix: &str, rest: &str) -> Option<Name> {
    let name = format!("{prefix}{rest}");
    if quoted_length(&name) <= LONGEST {
        return Some(Name { name, tag: None });
    }
    let tag = format!("{TAG}{rest}");
    (tag.len() <= LONGEST_TAG).then(|| Name { name: hashed(prefix, rest), tag: Some(tag) })
}

fn hashed(prefix: &str, rest: &str) -> String {
    let hash = Sha256::digest(rest.as_bytes());
    let digits: String = hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("{prefix}++{digits}")
}

/// What follows the prefix in the full name.
fn full(prefix: &str, name: &str, tags: &[String]) -> Option<String> {
    let rest = name.strip_prefix(prefix)?;
    if !rest.starts_with("++") {
        return Some(rest.to_owned());
    }
    // One that is being renamed has two.
    let mut kept = tags.iter().filter_map(|tag| tag.strip_prefix(TAG));
    kept.find(|rest| hashed(prefix, rest) == name).map(str::to_owned)
}

/// Length in names of devices, where dashes are doubled.
fn quoted_length(name: &str) -> usize {
    name.len() + name.matches('-').count()
}

/// A snapshot's own name; the dash before it is none of its own.
fn encode_snapshot(text: &str) -> String {
    match text.strip_prefix('-') {
        None => encode("-", text, false),
        Some(rest) => format!("+2d{}", encode("d", rest, false)),
    }
}

/// A name that follows `before`, and is followed by a dash or not.
fn encode(before: &str, text: &str, dash_follows: bool) -> String {
    let mut out = String::new();
    for (at, byte) in text.bytes().enumerate() {
        let underscore = if out.is_empty() { before.ends_with('_') } else { out.ends_with('_') };
        let reserved = || RESERVED.iter().any(|word| text.as_bytes()[at..].starts_with(word.as_bytes()));
        let last = at + 1 == text.len();
        match byte {
            b'-' if !(last && dash_follows) => out.push_str("--"),
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'_' if !(underscore && reserved()) => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("+{byte:02x}")),
        }
    }
    out
}

/// One name, or two with a dash between them.
fn decode(text: &str) -> Option<(String, Option<String>)> {
    let mut parts = [Vec::new(), Vec::new()];
    let mut part = 0;
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'-' if rest.first() == Some(&b'-') => {
                parts.get_mut(part)?.push(b'-');
                rest = &rest[1..];
            }
            b'-' => part += 1,
            b'+' => {
                let digits = std::str::from_utf8(rest.get(..2)?).ok()?;
                parts.get_mut(part)?.push(u8::from_str_radix(digits, 16).ok()?);
                rest = &rest[2..];
            }
            byte => parts.get_mut(part)?.push(byte),
        }
    }
    let [first, second] = parts.map(|part| String::from_utf8(part).ok());
    Some((first?, if part == 0 { None } else { Some(second?) }))
}

/// The tag of an image with a file system of this name.
pub(super) fn filesystem_tag(name: &str) -> String {
    format!("{FILESYSTEM_TAG}{name}")
}

/// The tag of a volume group that belongs to a pool.
pub(super) fn pool_tag(pool: &str) -> String {
    let tag = format!("{POOL_TAG}{}", encode(" ", pool, false));
    tag.get(..LONGEST_TAG).map_or_else(|| tag.clone(), str::to_owned)
}

/// The pool that a volume group's tags name, for people.
pub(super) fn tagged_pool(tags: &[String]) -> Option<String> {
    let text = tags.iter().find_map(|tag| tag.strip_prefix(POOL_TAG))?;
    Some(decode(text).map_or_else(|| text.to_owned(), |(name, _)| name))
}

/// The name of a volume group for a pool that says nothing else.
pub(super) fn group_of(pool: &str) -> String {
    let mut out = String::new();
    for (at, byte) in pool.bytes().enumerate() {
        match byte {
            b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' | b'.' | b'_' => out.push(char::from(byte)),
            b'-' if at > 0 => out.push('-'),
            _ => out.push_str(&format!("+{byte:02x}")),
        }
    }
    out
}

/// Why something cannot be the name of a volume group; `None`: it can.
pub(super) fn wrong_group(name: &str) -> Option<String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '_' | '.' | '-');
    if name.is_empty() || name == "." || name == ".." || name.starts_with('-') || !name.chars().all(good) {
        return Some("use letters, digits and + _ . - without a dash at the beginning".to_owned());
    }
    (quoted_length(name) > LONGEST_GROUP).then(|| {
        format!("use at most {LONGEST_GROUP} characters, dashes counted twice (lvm.vg_name, if it is the pool's name)")
    })
}

/// Why something cannot be the name of a thin pool; `None`: it can.
pub(super) fn wrong_pool(name: &str) -> Option<String> {
    if let Some(why) = wrong_group(name) {
        return Some(why);
    }
    let reserved = RESERVED.iter().any(|word| name.contains(&format!("_{word}")));
    if reserved || name.starts_with("snapshot") || name.starts_with("pvmove") {
        return Some("LVM keeps this name for itself".to_owned());
    }
    is_ours(name).then(|| "volumes have such names".to_owned())
}

/// True if volumes of pools have such names.
pub(super) fn is_ours(name: &str) -> bool {
    let ours = ["containers_", "custom_", "hidden_", "images_", "new_", "staged_", "tmp_", "trash_", "view_"];
    ours.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Fingerprint, InstanceName, VolumeName};

    fn container(name: &str) -> Volume {
        Volume::Container(InstanceName::parse(name).unwrap())
    }

    fn custom(name: &str) -> Volume {
        Volume::Custom(VolumeName::parse(name).unwrap())
    }

    fn snapshot(of: &Volume, name: &str) -> Volume {
        of.snapshot(&SnapshotName::parse(name).unwrap()).unwrap()
    }

    fn name(volume: &Volume) -> String {
        let name = of(volume).unwrap();
        assert!(quoted_length(&name.name) <= LONGEST, "{name:?}");
        assert!(name.name.bytes().all(|b| b.is_ascii_alphanumeric() || b"+_.-".contains(&b)), "{name:?}");
        assert!(RESERVED.iter().all(|word| !name.name.contains(&format!("_{word}"))), "{name:?}");
        let tags: Vec<String> = name.tag.into_iter().collect();
        assert_eq!(parse(&name.name, &tags).as_ref(), Some(volume), "{}", name.name);
        name.name
    }

    #[test]
    fn names_are_as_people_expect_them() {
        assert_eq!(name(&container("c1")), "containers_c1");
        assert_eq!(name(&snapshot(&container("my-ct"), "snap0")), "containers_my--ct-snap0");
        assert_eq!(name(&custom("data.1_x")), "custom_data.1_x");
        let image = Volume::Image(Fingerprint::parse(&"a".repeat(64)).unwrap());
        assert_eq!(name(&image), format!("images_{}", "a".repeat(64)));
    }

    #[test]
    fn no_two_volumes_share_a_name() {
        let texts = [
            "a",
            "a-",
            "-a",
            "a-b",
            "a--b",
            "-",
            "--",
            "---",
            "a b",
            "a+b",
            "+61",
            "a+2d",
            "ä",
            "_tdata",
            "tmeta",
            "x_tmeta",
            "x_+74meta",
            ".",
            "a.b",
            "A",
            "snapshot",
            "_",
            "é/".trim_end_matches('/'),
            "mlog",
            "\"'$`",
        ];
        let mut names = std::collections::BTreeMap::new();
        for first in texts {
            let Ok(parent) = VolumeName::parse(first) else { continue };
            let parent = Volume::Custom(parent);
            let mut all = vec![parent.clone()];
            all.extend(texts.iter().filter_map(|second| {
                SnapshotName::parse(second).ok().and_then(|second| parent.snapshot(&second))
            }));
            for volume in all {
                let taken = names.insert(name(&volume), volume.clone());
                assert_eq!(taken, None, "{volume:?}");
            }
        }
    }

    #[test]
    fn long_names_are_kept_in_a_tag() {
        let parent = container(&format!("c{}1", "-x".repeat(30)));
        let long = snapshot(&parent, &"ä-".repeat(80));
        assert!(name(&long).starts_with("containers_++"));
        assert!(name(&parent).starts_with("containers_++"));
        assert_ne!(name(&long), name(&snapshot(&parent, &"ö-".repeat(80))));
        // Without its tag, or with another's, nobody knows what it is.
        assert_eq!(parse(&of(&long).unwrap().name, &[]), None);
        assert_eq!(parse(&of(&long).unwrap().name, &[of(&parent).unwrap().tag.unwrap()]), None);
        let endless = snapshot(&custom(&"ä".repeat(127)), &"ä".repeat(127));
        assert_eq!(of(&endless), None);
    }

    #[test]
    fn names_of_others_are_none() {
        for other in [
            "root",
            "LXDThinpool",
            "tmp_1",
            "containers_",
            "containers_a-b-c",
            "containers_+zz",
            "images_x",
            "containers_a-",
        ] {
            assert_eq!(parse(other, &[]), None, "{other}");
        }
    }

    #[test]
    fn snapshots_of_drafts() {
        let snap = SnapshotName::parse("-x y").unwrap();
        let name = of_draft("tmp_1", &snap).unwrap();
        assert_eq!(name.name, "tmp_1-+2dx+20y");
        assert_eq!(parse_of_draft("tmp_1", &name.name, &[]), Some(snap));
        assert_eq!(parse_of_draft("tmp_2", &name.name, &[]), None);
        let long = SnapshotName::parse(&"s".repeat(200)).unwrap();
        let name = of_draft("tmp_1", &long).unwrap();
        assert_eq!(parse_of_draft("tmp_1", &name.name, &[name.tag.clone().unwrap()]), Some(long));
    }

    #[test]
    fn groups_and_thin_pools() {
        assert_eq!(group_of("my pool-1"), "my+20pool-1");
        assert_eq!(group_of("-x"), "+2dx");
        assert!(
            wrong_group("pool1").is_none() && wrong_group("a b").is_some() && wrong_group("-a").is_some()
        );
        assert!(
            wrong_group(&"a".repeat(41)).is_some() && wrong_group(&format!("a{}", "-".repeat(20))).is_some()
        );
        assert!(wrong_pool("LXDThinpool").is_none());
        for name in ["images_x", "a_tdata", "snapshot1", "a/b"] {
            assert!(wrong_pool(name).is_some(), "{name}");
        }
        assert_eq!(tagged_pool(&["x".into(), pool_tag("my-pool ä")]).as_deref(), Some("my-pool ä"));
        assert!(pool_tag(&"ä".repeat(255)).len() <= LONGEST_TAG);
    }
}
