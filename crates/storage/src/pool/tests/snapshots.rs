//! Snapshots on disk, and contents that are exchanged.

use super::*;
use crate::volume::Staged;
use model::SnapshotName;
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink};

fn snap(text: &str) -> SnapshotName {
    SnapshotName::parse(text).unwrap()
}

fn of_container(text: &str) -> VolumeSource {
    VolumeSource::still(c(text))
}

fn at(container: &str, text: &str) -> Volume {
    Volume::ContainerSnapshot(name(container), snap(text))
}

fn of_snapshot(container: &str, text: &str) -> VolumeSource {
    VolumeSource::still(at(container, text))
}

/// A container whose only file says this.
async fn container(pool: &Pool, text: &str, content: &str) {
    pool.make(&c(text), VolumeSource::Empty, &none()).await.unwrap();
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

    pool.make(&at("c1", "snap0"), of_container("c1"), &none()).await.unwrap();
    write(&pool, "c1", "new");
    let volume = pool.volume_path(&at("c1", "snap0"));
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

    let again = pool.make(&at("c1", "snap0"), of_container("c1"), &none()).await.unwrap_err();
    assert!(matches!(again, Error::VolumeExists { .. }), "{again}");
    let missing = pool.make(&at("c1", "s"), of_container("c2"), &none()).await.unwrap_err();
    assert!(matches!(missing, Error::NoVolume { .. }), "{missing}");
    let missing = pool.make(&c("c2"), of_snapshot("c1", "s"), &none()).await.unwrap_err();
    assert!(matches!(missing, Error::NoVolume { .. }), "{missing}");
    pool.make(&c("c2"), of_snapshot("c1", "snap0"), &none()).await.unwrap();
    assert_eq!(content(&pool, "c2"), "old");
    pool.make(&at("c2", "copied"), of_snapshot("c1", "snap0"), &none()).await.unwrap();
    assert_eq!(pool.snapshots(&c("c2")).await.unwrap(), [snap("copied")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_get_other_names_and_go() {
    let host = Host::new();
    let pool = host.pool().await;
    container(&pool, "c1", "x").await;
    for text in ["a", ".tmp-b", "c d"] {
        pool.make(&at("c1", text), of_container("c1"), &none()).await.unwrap();
    }
    // Names that look like something half-made are names all the same.
    assert!(host.reopened().repair().await.unwrap().removed.is_empty());
    assert_eq!(pool.snapshots(&c("c1")).await.unwrap(), [snap(".tmp-b"), snap("a"), snap("c d")]);
    let taken = pool.rename(&at("c1", "a"), &at("c1", "c d")).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    let missing = pool.rename(&at("c1", "z"), &at("c1", "y")).await.unwrap_err();
    assert!(matches!(missing, Error::NoVolume { .. }), "{missing}");
    pool.rename(&at("c1", "a"), &at("c1", "b")).await.unwrap();

    pool.rename(&c("c1"), &c("c2")).await.unwrap();
    pool.rename(&c("c1"), &c("c2")).await.unwrap();
    assert_eq!(content(&pool, "c2"), "x");
    assert_eq!(pool.snapshots(&c("c2")).await.unwrap(), [snap(".tmp-b"), snap("b"), snap("c d")]);
    let link = |text: &str| host.var().join("snapshots").join(text);
    assert!(link("c1").symlink_metadata().is_err() && link("c2").join("b/rootfs").is_dir());

    assert!(pool.delete_volume(&at("c2", "b")).await.unwrap());
    assert!(!pool.delete_volume(&at("c2", "b")).await.unwrap());
    assert!(link("c2").symlink_metadata().is_ok());
    pool.delete_volume(&at("c2", "c d")).await.unwrap();
    pool.delete_volume(&at("c2", ".tmp-b")).await.unwrap();
    assert!(link("c2").symlink_metadata().is_err(), "the last one takes the link along");

    pool.make(&at("c1", "a"), of_container("c2"), &none()).await.unwrap();
    assert!(!pool.delete_volume(&c("c1")).await.unwrap(), "only what a failed creation left");
    pool.settle().await.unwrap();
    assert_eq!(fs::read_dir(pool.path().join("snapshots")).unwrap().count(), 0);
    assert!(link("c1").symlink_metadata().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_is_exchanged_once_however_often_it_is_asked_for() {
    let host = Host::new();
    let pool = host.pool().await;
    container(&pool, "c1", "old").await;
    pool.make(&at("c1", "s"), of_container("c1"), &none()).await.unwrap();
    write(&pool, "c1", "new");
    let staged = pool.stage(&c("c1"), of_snapshot("c1", "s"), &none()).await.unwrap();
    assert_eq!(content(&pool, "c1"), "new");
    // Killed here: the next daemon's repair leaves it to whoever staged it.
    let pool = host.reopened();
    assert!(pool.repair().await.unwrap().removed.is_empty());
    pool.commit_staged(&c("c1"), staged.clone()).await.unwrap();
    assert_eq!(content(&pool, "c1"), "old");
    write(&pool, "c1", "newest");
    pool.commit_staged(&c("c1"), staged.clone()).await.unwrap();
    assert_eq!(content(&pool, "c1"), "newest", "it was done already");

    // Killed after the exchange and before the old content was taken away.
    let staged = pool.stage(&c("c1"), of_snapshot("c1", "s"), &none()).await.unwrap();
    let containers = pool.path().join("containers");
    let (a, b) = (containers.join("c1"), containers.join(".staged-c1"));
    fs::rename(&a, containers.join("aside")).unwrap();
    fs::rename(&b, &a).unwrap();
    fs::rename(containers.join("aside"), &b).unwrap();
    pool.commit_staged(&c("c1"), staged.clone()).await.unwrap();
    assert_eq!(content(&pool, "c1"), "old");
    assert!(b.symlink_metadata().is_err());

    // Killed between the two steps of a file system that cannot exchange.
    let staged = pool.stage(&c("c1"), of_snapshot("c1", "s"), &none()).await.unwrap();
    fs::rename(&a, containers.join(".trash-c1")).unwrap();
    let pool = host.reopened();
    pool.repair().await.unwrap();
    pool.commit_staged(&c("c1"), staged.clone()).await.unwrap();
    assert_eq!(content(&pool, "c1"), "old");
    assert!(host.var().join("containers/c1/rootfs").is_dir(), "the link is back");

    let lost = pool.commit_staged(&c("c1"), Staged(1)).await.unwrap_err();
    assert!(matches!(lost, Error::NotStaged { .. }), "{lost}");
    pool.stage(&c("c1"), of_snapshot("c1", "s"), &none()).await.unwrap();
    pool.stage(&c("c1"), of_snapshot("c1", "s"), &none()).await.unwrap();
    pool.discard_staged(&c("c1")).await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(fs::read_dir(&containers).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_takes_its_snapshots_along() {
    let host = Host::new();
    let pool = host.pool().await;
    container(&pool, "c1", "one").await;
    pool.make(&at("c1", "a"), of_container("c1"), &none()).await.unwrap();
    write(&pool, "c1", "two");
    let along = VolumeSource::Volume { volume: c("c1"), snapshots: vec![snap("a")], running: false };
    pool.make(&c("c2"), along.clone(), &none()).await.unwrap();
    pool.delete_volume(&c("c1")).await.unwrap();
    assert_eq!(content(&pool, "c2"), "two");
    let then = pool.volume_path(&at("c2", "a")).join("rootfs/f");
    assert_eq!(fs::read_to_string(then).unwrap(), "one");
    assert!(host.var().join("snapshots/c2/a").is_dir());
    assert!(pool.make(&c("c3"), along, &none()).await.is_err());
    pool.settle().await.unwrap();
    assert_eq!(fs::read_dir(pool.path().join("snapshots")).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_becomes_a_volume_with_its_snapshots() {
    let host = Host::new();
    let pool = host.pool().await;
    let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    fs::create_dir(draft.path().join("rootfs")).unwrap();
    fs::write(draft.path().join("rootfs/f"), "one").unwrap();
    pool.draft_snapshot(&draft, &snap("a")).await.unwrap();
    fs::write(draft.path().join("rootfs/f"), "two").unwrap();
    fs::write(draft.path().join("backup.yaml"), "x").unwrap();
    pool.tidy(&draft).await.unwrap();
    pool.finish(draft, &c("c1")).await.unwrap();
    assert_eq!(content(&pool, "c1"), "two");
    assert!(!pool.volume_path(&c("c1")).join("backup.yaml").exists());
    assert_eq!(fs::read_to_string(host.var().join("snapshots/c1/a/rootfs/f")).unwrap(), "one");

    let draft = pool.draft(of_container("c1"), &none()).await.unwrap();
    pool.draft_snapshot(&draft, &snap("b")).await.unwrap();
    let taken = pool.finish(draft, &c("c1")).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    assert_eq!(pool.snapshots(&c("c1")).await.unwrap(), [snap("a")]);
    let draft = pool.draft(of_container("c1"), &none()).await.unwrap();
    pool.draft_snapshot(&draft, &snap("b")).await.unwrap();
    // Killed here.
    let pool = host.reopened();
    assert_eq!(pool.repair().await.unwrap().removed.len(), 2);
    assert_eq!(fs::read_dir(pool.path().join("snapshots")).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_volumes_and_their_snapshots() {
    let host = Host::new();
    let pool = host.pool().await;
    let volume = |text: &str| Volume::Custom(model::VolumeName::parse(text).unwrap());
    let data = volume("data");
    pool.make(&data, VolumeSource::Empty, &none()).await.unwrap();
    assert_eq!(mode(&pool.volume_path(&data)), 0o711);
    fs::write(pool.volume_path(&data).join("f"), "one").unwrap();
    let then = data.snapshot(&snap("a")).unwrap();
    pool.make(&then, VolumeSource::still(data.clone()), &none()).await.unwrap();
    fs::write(pool.volume_path(&data).join("f"), "two").unwrap();
    let staged = pool.stage(&data, VolumeSource::still(then.clone()), &none()).await.unwrap();
    pool.commit_staged(&data, staged).await.unwrap();
    pool.rename(&data, &volume("other")).await.unwrap();
    let other = volume("other");
    assert_eq!(fs::read_to_string(pool.volume_path(&other).join("f")).unwrap(), "one");
    assert_eq!(pool.volumes(Kind::CustomSnapshot).await.unwrap(), [other.snapshot(&snap("a")).unwrap()]);
    assert!(matches!(pool.delete().await.unwrap_err(), Error::PoolInUse { .. }));
    let size = VolumeConfig { size: Some(model::units::Bytes(1 << 20)), ..none() };
    let refused = pool.make(&volume("sized"), VolumeSource::Empty, &size).await.unwrap_err();
    assert!(refused.to_string().contains("keeps no quotas"), "{refused}");
    pool.delete_volume(&other).await.unwrap();
    pool.delete().await.unwrap();
    assert!(!pool.path().exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn another_pool_gets_the_same() {
    if tools::find("rsync").is_none() {
        eprintln!("SKIP another_pool_gets_the_same: rsync is not installed");
        return;
    }
    let (one, two) = (Host::new(), Host::new());
    let (from, to) = (one.pool().await, two.pool().await);
    container(&from, "c1", "one").await;
    from.make(&at("c1", "a"), of_container("c1"), &none()).await.unwrap();
    write(&from, "c1", "two");
    let parcel =
        crate::Parcel { volume: c("c1"), snapshots: vec![snap("a")], config: none(), running: false };
    to.copy_from(&from, &parcel, &c("c2"), &none()).await.unwrap();
    assert_eq!(content(&to, "c2"), "two");
    assert_eq!(fs::read_to_string(two.var().join("snapshots/c2/a/rootfs/f")).unwrap(), "one");
    assert!(to.copy_from(&from, &parcel, &c("c2"), &none()).await.is_err());
    assert_eq!(fs::read_dir(to.path().join("snapshots")).unwrap().count(), 1);
}
