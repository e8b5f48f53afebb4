//! Owners there and back again.

use super::*;
use crate::tree::{Shifted, shift};
use model::IdMap;

#[test]
fn there_and_back() {
    if !can_make_everything("there_and_back") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    shell(dir.path(), &format!("mkdir tree; cd tree; {ONE_OF_EVERYTHING}"));
    let tree = dir.path().join("tree");
    let before = description(&tree);
    let map = IdMap::contiguous(1_000_000, 65536);
    let shifted = shift(&tree, None, Some(&map)).unwrap();
    assert_eq!(shifted.entries, before.len() as u64);

    let stat = |name: &str| tree.join(name).symlink_metadata().unwrap();
    let owner = |name: &str| (stat(name).uid(), stat(name).gid());
    assert_eq!(owner("."), (1_000_000, 1_000_000));
    assert_eq!(owner("dir/file"), (1_001_000, 1_000_050));
    assert_eq!(owner("link"), (1_000_009, 1_000_010));
    assert_eq!(owner("dev/null"), (1_000_000, 1_000_000));
    assert_eq!(stat("dir/suid").mode() & 0o7777, 0o6755);
    assert_eq!(stat("empty").mode() & 0o7777, 0o2750);
    let attribute = |name: &str, attribute: &str| {
        let mut value = vec![0; 256];
        let length = rustix::fs::lgetxattr(tree.join(name), attribute, &mut value[..]).unwrap();
        value[..length].to_vec()
    };
    let has = |bytes: &[u8], id: u32| bytes.chunks(4).any(|chunk| chunk == id.to_le_bytes());
    let acl = attribute("dir/file", "system.posix_acl_access");
    assert!(has(&acl, 1_001_000) && has(&acl, 1_000_077) && !has(&acl, 1000));
    assert!(has(&attribute("dir", "system.posix_acl_default"), 1_000_033));
    let capability = attribute("dir/suid", "security.capability");
    assert_eq!((capability.len(), has(&capability, 1_000_000)), (24, true));

    // Doing it again changes nothing, as after an interruption.
    let again = shift(&tree, None, Some(&map)).unwrap();
    assert_eq!(again, Shifted { changed: 0, ..shifted });

    let other = IdMap::contiguous(3_000_000, 65536);
    shift(&tree, Some(&map), Some(&other)).unwrap();
    assert_eq!(owner("dir/file"), (3_001_000, 3_000_050));
    shift(&tree, Some(&other), None).unwrap();
    assert_same(&before, &description(&tree));
}

#[test]
fn ids_that_are_not_the_containers_stay() {
    if !is_root("ids_that_are_not_the_containers_stay") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    shell(dir.path(), "mkdir tree; echo x > tree/a; chown 70000:5 tree/a");
    let tree = dir.path().join("tree");
    shift(&tree, None, Some(&IdMap::contiguous(1_000_000, 65536))).unwrap();
    let stat = tree.join("a").metadata().unwrap();
    assert_eq!((stat.uid(), stat.gid()), (70_000, 1_000_005));
}

#[test]
fn links_are_shifted_and_not_followed() {
    if !is_root("links_are_shifted_and_not_followed") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    shell(
        dir.path(),
        "mkdir tree outside; echo x > outside/a; ln -s ../outside tree/dir; ln -s ../outside/a tree/file",
    );
    shift(&dir.path().join("tree"), None, Some(&IdMap::contiguous(1_000_000, 65536))).unwrap();
    let uid = |name: &str| dir.path().join(name).symlink_metadata().unwrap().uid();
    assert_eq!((uid("tree/dir"), uid("tree/file")), (1_000_000, 1_000_000));
    assert_eq!((uid("outside"), uid("outside/a")), (0, 0));
}
