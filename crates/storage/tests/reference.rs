//! The page of keys in `docs/` says what the tables say. To write it anew: `cargo xtask reference`.

use std::fmt::Write as _;
use storage::DriverKind;
use storage::config::{Key, POOL, VOLUME};

const HEAD: &str = "\
# Keys of storage pools and volumes

*This page is generated (`cargo xtask reference`). [Storage](storage.md) explains how they are used.*

Keys are given when a pool or volume is made (`lxc storage create my-btrfs btrfs size=30GB`) and most of
them can be changed later (`lxc storage set`, `lxc storage volume set`). Sizes are numbers of bytes or
have a unit: `kB`, `MB`, `GB` and so on, or `KiB`, `MiB`, `GiB`. `user.*` keys may hold anything.
";

#[test]
fn the_page_of_keys_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/storage-keys.md");
    let page = page();
    if std::env::var_os("REFERENCE_REFRESH").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let found = std::fs::read_to_string(path).unwrap_or_default();
    let differs = page.lines().zip(found.lines()).find(|(new, old)| new != old);
    assert!(differs.is_none(), "run \"cargo xtask reference\": {differs:?}");
    assert_eq!(page.lines().count(), found.lines().count(), "run \"cargo xtask reference\"");
}

fn page() -> String {
    let mut out = HEAD.to_owned();
    for (title, keys) in [("Pools", POOL), ("Volumes", VOLUME)] {
        let _ =
            writeln!(out, "\n## {title}\n\n| key | drivers | what it is | value | default | changeable |");
        out.push_str("|---|---|---|---|---|---|\n");
        keys.iter().for_each(|key| row(&mut out, key));
    }
    out.push_str("\nKeys that begin with `volatile.` are written by the daemon itself.\n");
    out
}

fn row(out: &mut String, key: &Key) {
    let Key { name, drivers, default, changeable, doc, .. } = key;
    let drivers = match drivers.len() == DriverKind::ALL.len() {
        true => "all".to_owned(),
        false => drivers.iter().map(|driver| driver.name()).collect::<Vec<_>>().join(", "),
    };
    let doc = doc.trim_end_matches('.');
    let value = key.expects().replace("a text without control characters", "any text");
    let changeable = if *changeable { "yes" } else { "no" };
    let _ = writeln!(out, "| `{name}` | {drivers} | {doc} | {value} | {default} | {changeable} |");
}
