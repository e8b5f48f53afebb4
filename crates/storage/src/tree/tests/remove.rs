//! Whatever a container has made can be removed, and nothing else is.

use super::*;
use crate::tree::directory::{Position, open_child, open_root};
use crate::tree::{TreeError, remove_tree};
use rustix::fs::{Mode, mkdirat};
use std::ffi::CStr;
use std::os::fd::AsFd as _;

const DEEP: &CStr = c"dddddddddddddddddddd";

#[test]
fn a_tree_goes_and_its_neighbours_stay() {
    if !can_make_everything("a_tree_goes_and_its_neighbours_stay") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    shell(&tree, ONE_OF_EVERYTHING);
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    std::fs::write(dir.path().join("outside/file"), "x").unwrap();
    std::os::unix::fs::symlink("../outside", tree.join("out")).unwrap();
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
    assert!(dir.path().join("outside/file").exists());
    remove_tree(&tree).unwrap();
    remove_tree(&dir.path().join("missing/tree")).unwrap();
}

#[test]
fn a_link_in_its_place_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    std::fs::write(dir.path().join("outside/file"), "x").unwrap();
    std::os::unix::fs::symlink("outside", dir.path().join("tree")).unwrap();
    let _ = remove_tree(&dir.path().join("tree"));
    assert!(dir.path().join("outside/file").exists());
}

#[test]
fn any_depth_goes() {
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir(&tree).unwrap();
    // Deeper than a path can be long, and than descriptors there are.
    let mut directory = open_root(&tree).unwrap();
    for _ in 0..3000 {
        mkdirat(&directory, DEEP, Mode::RWXU).unwrap();
        mkdirat(&directory, "beside", Mode::RWXU).unwrap();
        directory = open_child(directory.as_fd(), DEEP, &Position::root(&tree)).unwrap().unwrap();
    }
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
}

#[test]
fn immutable_files_go() {
    let test = "immutable_files_go";
    if !is_root(test) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tree = dir.path().join("tree");
    std::fs::create_dir_all(tree.join("sub")).unwrap();
    std::fs::write(tree.join("sub/file"), "x").unwrap();
    let made = Command::new("chattr").args(["+i", "sub/file", "sub"]).current_dir(&tree).output();
    if !made.is_ok_and(|made| made.status.success()) {
        eprintln!("SKIP {test}: the file system has no immutable files");
        return;
    }
    remove_tree(&tree).unwrap();
    assert!(!tree.exists());
}

#[test]
fn what_is_mounted_inside_is_not_touched() {
    let test = "what_is_mounted_inside_is_not_touched";
    if !is_root(test) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (tree, outside) = (dir.path().join("tree"), dir.path().join("outside"));
    std::fs::create_dir_all(tree.join("a/mounted")).unwrap();
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("file"), "x").unwrap();
    shell(dir.path(), "mount --bind outside tree/a/mounted");
    let result = remove_tree(&tree);
    shell(dir.path(), "umount tree/a/mounted");
    assert!(matches!(result, Err(TreeError::MountPoint { .. })), "{result:?}");
    assert!(outside.join("file").exists());
    remove_tree(&tree).unwrap();
}
