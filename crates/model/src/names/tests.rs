//! Tests of the rules for names and of generated ones.

use super::generate::{MOODS, THINGS};
use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

#[test]
fn container_names() {
    for good in ["c", "c1", "A", "web-1", "a-b-c", &"x".repeat(63)] {
        assert!(InstanceName::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "1c", "-c", "c-", "c_1", "c.1", "c 1", "ü", "c\n", "..", &"x".repeat(64)] {
        let error = InstanceName::parse(bad).unwrap_err().to_string();
        assert!(error.starts_with("Invalid container name"), "{error}");
        assert!(error.contains("63"), "{error}");
    }
    assert_eq!(
        InstanceName::parse("c1/snap0").unwrap_err().to_string(),
        "Invalid container name: '/' is reserved for snapshots"
    );
}

#[test]
fn names_that_become_directories_are_one_component() {
    for bad in ["", ".", "..", "a/b", "/", "a\0", "a\n", &"x".repeat(256)] {
        assert!(PoolName::parse(bad).is_err(), "{bad:?}");
        assert!(ProfileName::parse(bad).is_err(), "{bad:?}");
        assert!(SnapshotName::parse(bad).is_err(), "{bad:?}");
        assert!(VolumeName::parse(bad).is_err(), "{bad:?}");
    }
    assert!(VolumeName::parse(".tmp-a").is_err() && VolumeName::parse("-a").is_err());
    assert!(VolumeName::parse("my volume.1").is_ok());
    for good in ["default", "my pool", "ö", "a.b", "..."] {
        assert!(PoolName::parse(good).is_ok(), "{good:?}");
    }
    assert_eq!(
        ProfileName::parse("a/b").unwrap_err().to_string(),
        "Invalid profile name \"a/b\": use 1 to 255 bytes without '/' and control characters, \
         and not \".\" or \"..\""
    );
}

#[test]
fn network_names_are_interface_names() {
    for good in ["lxdbr0", "br", "a-b_c.d", &"n".repeat(15)] {
        assert!(NetworkName::parse(good).is_ok(), "{good}");
    }
    for bad in ["", "n", "..", "-br0", "a/b", "a b", "ä0", &"n".repeat(16)] {
        assert!(NetworkName::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn aliases_and_devices_are_nearly_free() {
    assert!(AliasName::parse("debian/12").is_ok());
    assert!(AliasName::parse("").is_err());
    assert!(AliasName::parse("a\u{1b}[31m").is_err());
    assert_eq!(DeviceName::parse("a/b").unwrap().in_file_names(), "a-b");
    assert!(DeviceName::parse("").is_err());
}

#[test]
fn fingerprints() {
    let full = "0123456789abcdef".repeat(4);
    assert_eq!(Fingerprint::parse(&full).unwrap().short(), "0123456789ab");
    for bad in ["", "0123", &full.to_uppercase(), &format!("{full}0")] {
        assert!(Fingerprint::parse(bad).is_err(), "{bad}");
    }
    assert!(FingerprintPrefix::parse("0").is_ok());
    for bad in ["", "xyz", "%", "A", &format!("{full}0")] {
        assert!(FingerprintPrefix::parse(bad).is_err(), "{bad}");
    }
}

#[test]
fn json_is_checked_too() {
    assert_eq!(serde_json::from_str::<InstanceName>("\"c1\"").unwrap(), "c1");
    assert_eq!(serde_json::to_string(&InstanceName::parse("c1").unwrap()).unwrap(), "\"c1\"");
    assert!(serde_json::from_str::<InstanceName>("\"c_1\"").is_err());
    assert_eq!(format!("[{:<4}]", InstanceName::parse("c1").unwrap()), "[c1  ]");
}

#[test]
fn every_generated_name_is_good_and_all_differ() {
    let names: BTreeSet<_> = (0..10_000).map(InstanceName::generate).collect();
    assert_eq!(names.len(), 10_000);
    for name in &names {
        assert!(InstanceName::parse(name.as_str()).is_ok(), "{name}");
    }
    for word in MOODS.iter().chain(&THINGS) {
        assert!(word.bytes().all(|b| b.is_ascii_lowercase()), "{word}");
    }
}

proptest! {
    #[test]
    fn parsing_never_panics_and_keeps_the_text(text in ".{0,80}") {
        if let Ok(name) = InstanceName::parse(&text) {
            prop_assert_eq!(name.as_str(), text.as_str());
        }
        if let Ok(name) = NetworkName::parse(&text) {
            prop_assert_eq!(name.as_str(), text.as_str());
        }
        let _ = (PoolName::parse(&text), Fingerprint::parse(&text), AliasName::parse(&text));
        let _ = InstanceName::generate(text.len() as u64);
    }

    #[test]
    fn names_of_the_rule_are_accepted(name in "[a-zA-Z]([-a-zA-Z0-9]{0,61}[a-zA-Z0-9])?") {
        prop_assert!(InstanceName::parse(&name).is_ok());
    }
}
