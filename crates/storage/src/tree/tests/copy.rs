//! A copy is the same in everything that a container can see.

use super::*;
use crate::tree::{Copied, CopyOptions, Reflink, TreeError, copy_tree, usage};
use std::sync::atomic::{AtomicBool, Ordering};

fn copy(from: &Path, to: &Path, live: bool) -> Result<Copied, TreeError> {
    std::fs::create_dir(to).unwrap();
    copy_tree(from, to, CopyOptions { live, reflink: &Reflink::default() })
}

#[test]
fn everything_is_copied() {
    if !can_make_everything("everything_is_copied") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    shell(&from, ONE_OF_EVERYTHING);
    let before = description(&from);
    let copied = copy(&from, &to, false).unwrap();
    assert_same(&before, &description(&to));
    assert_same(&before, &description(&from));
    assert_eq!(copied.entries, before.len() as u64);
    assert_eq!(usage(&from).unwrap(), usage(&to).unwrap());
}

#[test]
fn sockets_stay_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir(&from).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(from.join("socket")).unwrap();
    std::fs::write(from.join("file"), "x").unwrap();
    copy(&from, &to, false).unwrap();
    assert!(to.join("file").exists() && !to.join("socket").exists());
}

#[test]
fn links_are_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    std::fs::create_dir_all(from.join("sub")).unwrap();
    std::fs::create_dir(dir.path().join("outside")).unwrap();
    std::fs::write(dir.path().join("outside/secret"), "x").unwrap();
    std::os::unix::fs::symlink(dir.path().join("outside"), from.join("sub/out")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("outside/secret"), from.join("file")).unwrap();
    copy(&from, &to, false).unwrap();
    assert!(to.join("sub/out").symlink_metadata().unwrap().is_symlink());
    assert!(to.join("file").symlink_metadata().unwrap().is_symlink());
    // Nor is the top.
    std::os::unix::fs::symlink(&from, dir.path().join("top")).unwrap();
    assert!(copy(&dir.path().join("top"), &dir.path().join("other"), false).is_err());
}

#[test]
fn a_tree_that_changes_is_copied_as_far_as_it_is_there() {
    let dir = tempfile::tempdir().unwrap();
    let from = dir.path().join("from");
    std::fs::create_dir_all(from.join("stays")).unwrap();
    std::fs::write(from.join("stays/file"), "x").unwrap();
    let outside = dir.path().join("outside");
    std::fs::create_dir(&outside).unwrap();
    std::fs::write(outside.join("secret"), "secret").unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // Swaps a directory for a link to the outside, and makes files come and go.
            let churn = from.join("churn");
            while !stop.load(Ordering::Relaxed) {
                std::fs::create_dir(&churn).unwrap();
                for n in 0..20 {
                    std::fs::write(churn.join(n.to_string()), "x").unwrap();
                }
                std::fs::remove_dir_all(&churn).unwrap();
                std::os::unix::fs::symlink(&outside, &churn).unwrap();
                std::fs::remove_file(&churn).unwrap();
            }
        });
        for n in 0..100 {
            let to = dir.path().join(format!("to{n}"));
            let result = copy(&from, &to, true);
            if result.is_err()
                || to.join("churn/secret").symlink_metadata().is_ok_and(|_| !to.join("churn").is_symlink())
            {
                stop.store(true, Ordering::Relaxed);
            }
            result.unwrap();
            assert_eq!(std::fs::read(to.join("stays/file")).unwrap(), b"x");
            let churn = to.join("churn");
            let is_directory = churn.symlink_metadata().is_ok_and(|stat| stat.is_dir());
            assert!(!is_directory || !churn.join("secret").exists(), "a link was followed");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn a_target_that_is_not_empty_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    for path in [&from, &to] {
        std::fs::create_dir(path).unwrap();
        std::fs::write(path.join("file"), "x").unwrap();
    }
    let result = copy_tree(&from, &to, CopyOptions { live: false, reflink: &Reflink::default() });
    assert!(matches!(result, Err(TreeError::Io { step: "make the copy of", .. })), "{result:?}");
}

#[test]
fn data_is_shared_where_the_file_system_can() {
    let test = "data_is_shared_where_the_file_system_can";
    let Some(disk) = Disk::new(test, "mkfs.btrfs") else { return };
    let from = disk.path.join("from");
    std::fs::create_dir(&from).unwrap();
    shell(&from, "dd if=/dev/urandom of=large bs=1M count=8 status=none; mkdir a; echo small > a/file; sync");
    let reflink = Reflink::default();
    assert_eq!(reflink.works(), None);
    let to = disk.path.join("to");
    std::fs::create_dir(&to).unwrap();
    copy_tree(&from, &to, CopyOptions { live: false, reflink: &reflink }).unwrap();
    assert_eq!(reflink.works(), Some(true));
    assert_eq!(std::fs::read(from.join("large")).unwrap(), std::fs::read(to.join("large")).unwrap());
    assert_eq!(std::fs::read(to.join("a/file")).unwrap(), b"small\n");
}

/// A file system of another kind in a file, mounted.
struct Disk {
    _dir: tempfile::TempDir,
    path: PathBuf,
}

impl Disk {
    fn new(test: &str, mkfs: &str) -> Option<Self> {
        if !is_root(test) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("mounted");
        std::fs::create_dir(&path).unwrap();
        let script = format!(
            "PATH=$PATH:/usr/sbin:/sbin; truncate -s 256M disk; {mkfs} -q disk; mount -o loop disk mounted"
        );
        let made = Command::new("sh").arg("-euc").arg(script).current_dir(dir.path()).output().unwrap();
        if !made.status.success() {
            eprintln!("SKIP {test}: no {mkfs}, or its file system cannot be mounted here");
            return None;
        }
        Some(Self { _dir: dir, path })
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.path).status();
    }
}
