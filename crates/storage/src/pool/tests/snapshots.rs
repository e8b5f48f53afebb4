//! Snapshots on disk, and contents that are exchanged.

use super::*;
use crate::drivers::Staged;
use model::SnapshotName;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

fn snap(text: &str) -> SnapshotName {
    SnapshotName::parse(text).unwrap()
}

fn of_container(text: &str) -> VolumeSource {
    VolumeSource::Container { name: name(text), running: false }
}

fn of_snapshot(container: &str, text: &str) -> VolumeSource {
    VolumeSource::Snapshot { container: name(container), name: snap(text) }
}

/// A container whose only file says this.
async fn container(pool: &Pool, text: &str, content: &str) {
    pool.create_container(&name(text), VolumeSource::Empty).await.unwrap();
    write(pool, text, content);
}

fn write(pool: &Pool, text: &str, content: &str) {
    fs::write(pool.rootfs_path(&name(text)).join("f"), content).unwrap();
}

fn content(pool: &Pool, text: &str) -> String {
    fs::read_to_string(pool.rootfs_path(&name(text)).join("f")).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_keeps_what_was_there() {
    let host = Host::new();
    let pool = host.pool().await;
    container(&pool, "c1", "old").await;
    let rootfs = pool.rootfs_path(&name("c1"));
    fs::hard_link(rootfs.join("f"), rootfs.join("g")).unwrap();
    symlink("f", rootfs.join("l")).unwrap();
    fs::set_permissions(rootfs.join("f"), fs::Permissions::from_mode(0o4711)).unwrap();
    let device = rustix::fs::mknodat(
        rustix::fs::CWD,
        rootfs.join("pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    );
    device.unwrap();
    let sparse = fs::File::create(rootfs.join("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();

    pool.create_snapshot(&name("c1"), &snap("snap0"), of_container("c1")).await.unwrap();
    write(&pool, "c1", "new");
    let volume = pool.snapshot_path(&name("c1"), &snap("snap0"));
    assert_eq!(volume, host.var().join("storage-pools/default/snapshots/c1/snap0"));
    let copy = volume.join("rootfs");
    assert_eq!(fs::read_to_string(copy.join("f")).unwrap(), "old");
    let stat = |file: &str| copy.join(file).symlink_metadata().unwrap();
    assert_eq!((stat("f").ino(), stat("f").nlink()), (stat("g").ino(), 2));
    assert_eq!(stat("f").mode() & 0o7777, 0o4711);
    assert_eq!(fs::read_link(copy.join("l")).unwrap(), Path::new("f"));
    assert!(stat("pipe").file_type().is_fifo());
    assert!(stat("sparse").len() == 64 << 20 && stat("sparse").blocks() < 100);
    assert_eq!((mode(&volume), mode(volume.parent().unwrap())), (0o700, 0o700));
    assert_eq!(fs::read_link(host.var().join("snapshots/c1")).unwrap(), volume.parent().unwrap());

    let again = pool.create_snapshot(&name("c1"), &snap("snap0"), of_container("c1")).await.unwrap_err();
    assert!(matches!(again, Error::SnapshotExists { .. }), "{again}");
    let missing = pool.create_snapshot(&name("c1"), &snap("s"), of_container("c2")).await.unwrap_err();
    assert!(matches!(missing, Error::NoContainer { .. }), "{missing}");
    let missing = pool.create_container(&name("c2"), of_snapshot("c1", "s")).await.unwrap_err();
    assert!(matches!(missing, Error::NoSnapshot { .. }), "{missing}");
    pool.create_container(&name("c2"), of_snapshot("c1", "snap0")).await.unwrap();
    assert_eq!(content(&pool, "c2"), "old");
    pool.create_snapshot(&name("c2"), &snap("copied"), of_snapshot("c1", "snap0")).await.unwrap();
    assert_eq!(pool.snapshots(&name("c2")).await.unwrap(), [snap("copied")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_get_other_names_and_go() {
    let host = Host::new();
    let pool = host.pool().await;
    container(&pool, "c1", "x").await;
    for text in ["a", ".tmp-b", "c d"] {
        pool.create_snapshot(&name("c1"), &snap(text), of_container("c1")).await.unwrap();
    }
    // Names that look like something half-made are names all the same.
    assert!(host.reopened().repair().await.unwrap().removed.is_empty());
    assert_eq!(pool.snapshots(&name("c1")).await.unwrap(), [snap(".tmp-b"), snap("a"), snap("c d")]);
    let taken = pool.rename_snapshot(&name("c1"), &snap("a"), &snap("c d")).await.unwrap_err();
    assert!(matches!(taken, Error::SnapshotExists { .. }), "{taken}");
    let missing = pool.rename_snapshot(&name("c1"), &snap("z"), &snap("y")).await.unwrap_err();
    assert!(matches!(missing, Error::NoSnapshot { .. }), "{missing}");
    pool.rename_snapshot(&name("c1"), &snap("a"), &snap("b")).await.unwrap();

    pool.rename_snapshots(&name("c1"), &name("c2")).await.unwrap();
    pool.rename_snapshots(&name("c1"), &name("c2")).await.unwrap();
    assert_eq!(pool.snapshots(&name("c2")).await.unwrap(), [snap(".tmp-b"), snap("b"), snap("c d")]);
    let link = |text: &str| host.var().join("snapshots").join(text);
    assert!(link("c1").symlink_metadata().is_err() && link("c2").join("b/rootfs").is_dir());

    assert!(pool.delete_snapshot(&name("c2"), &snap("b")).await.unwrap());
    assert!(!pool.delete_snapshot(&name("c2"), &snap("b")).await.unwrap());
    assert!(link("c2").symlink_metadata().is_ok());
    pool.delete_snapshot(&name("c2"), &snap("c d")).await.unwrap();
    pool.delete_snapshot(&name("c2"), &snap(".tmp-b")).await.unwrap();
    assert!(link("c2").symlink_metadata().is_err(), "the last one takes the link along");

    pool.create_snapshot(&name("c1"), &snap("a"), of_container("c1")).await.unwrap();
    assert!(pool.delete_snapshots(&name("c1")).await.unwrap());
    assert!(!pool.delete_snapshots(&name("c1")).await.unwrap());
    pool.settle().await.unwrap();
    assert_eq!(fs::read_dir(pool.path().join("snapshots")).unwrap().count(), 0);
    assert!(link("c1").symlink_metadata().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_is_exchanged_once_however_often_it_is_asked_for() {
    let host = Host::new();
    let pool = host.pool().await;
    container(&pool, "c1", "old").await;
    pool.create_snapshot(&name("c1"), &snap("s"), of_container("c1")).await.unwrap();
    write(&pool, "c1", "new");
    let staged = pool.stage(&name("c1"), of_snapshot("c1", "s")).await.unwrap();
    assert_eq!(content(&pool, "c1"), "new");
    // Killed here: the next daemon's repair leaves it to whoever staged it.
    let pool = host.reopened();
    assert!(pool.repair().await.unwrap().removed.is_empty());
    pool.commit_staged(&name("c1"), staged).await.unwrap();
    assert_eq!(content(&pool, "c1"), "old");
    write(&pool, "c1", "newest");
    pool.commit_staged(&name("c1"), staged).await.unwrap();
    assert_eq!(content(&pool, "c1"), "newest", "it was done already");

    // Killed after the exchange and before the old content was taken away.
    let staged = pool.stage(&name("c1"), of_snapshot("c1", "s")).await.unwrap();
    let containers = pool.path().join("containers");
    let (a, b) = (containers.join("c1"), containers.join(".staged-c1"));
    fs::rename(&a, containers.join("aside")).unwrap();
    fs::rename(&b, &a).unwrap();
    fs::rename(containers.join("aside"), &b).unwrap();
    pool.commit_staged(&name("c1"), staged).await.unwrap();
    assert_eq!(content(&pool, "c1"), "old");
    assert!(b.symlink_metadata().is_err());

    // Killed between the two steps of a file system that cannot exchange.
    let staged = pool.stage(&name("c1"), of_snapshot("c1", "s")).await.unwrap();
    fs::rename(&a, containers.join(".trash-c1")).unwrap();
    let pool = host.reopened();
    pool.repair().await.unwrap();
    pool.commit_staged(&name("c1"), staged).await.unwrap();
    assert_eq!(content(&pool, "c1"), "old");
    assert!(host.var().join("containers/c1/rootfs").is_dir(), "the link is back");

    let lost = pool.commit_staged(&name("c1"), Staged(1)).await.unwrap_err();
    assert!(matches!(lost, Error::NotStaged { .. }), "{lost}");
    pool.stage(&name("c1"), of_snapshot("c1", "s")).await.unwrap();
    pool.stage(&name("c1"), of_snapshot("c1", "s")).await.unwrap();
    pool.discard_staged(&name("c1")).await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(fs::read_dir(&containers).unwrap().count(), 1);
}
