//! Snapshots: they keep what was there, under names of their own.

use crate::site::{Site, container, none, snapshot, still};
use crate::tree;
use storage::{Error, VolumeSource};

pub(crate) async fn one_keeps_what_was_there(site: &Site) {
    let pool = site.pool().await;
    pool.fill_image('a', tree::odd).await.unwrap();
    let c1 = pool.launch("c1", &crate::site::image('a')).await;
    pool.write(&c1, "rootfs/f", "one").await;
    let before = pool.tree(&c1).await;
    let s1 = pool.take(&c1, "s1").await;
    pool.write(&c1, "rootfs/f", "two").await;
    pool.write(&c1, "rootfs/etc/hostname", None).await;
    let s2 = pool.take(&c1, "s2").await;
    pool.write(&c1, "rootfs/f", "three").await;

    before.expect(&pool.tree(&s1).await, "a snapshot");
    assert_eq!(pool.read(&s2, "rootfs/f").await.as_deref(), Some("two"));
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("three"));
    assert_eq!(pool.snapshot_names(&c1).await, ["s1", "s2"]);
    assert!(site.host.var().join("snapshots/c1").symlink_metadata().is_ok());
    let taken = pool.make(&s1, still(&c1), &none()).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");

    // One in the middle goes, the others stay.
    let s3 = pool.take(&c1, "s3").await;
    pool.remove(&s2).await;
    assert_eq!(pool.snapshot_names(&c1).await, ["s1", "s3"]);
    before.expect(&pool.tree(&s1).await, "a snapshot after another was deleted");
    assert_eq!(pool.read(&s3, "rootfs/f").await.as_deref(), Some("three"));
    pool.remove(&c1).await;
    assert_eq!(pool.snapshot_names(&c1).await, [""; 0]);
    assert!(site.host.var().join("snapshots/c1").symlink_metadata().is_err());
    pool.end().await;
}

/// As for a container that runs: its volume is mounted, and a file is open.
pub(crate) async fn one_of_a_volume_in_use(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    let mounted = pool.mount_volume(&c1, &none()).await.unwrap();
    let file = std::fs::File::create(mounted.path().join("rootfs/open")).unwrap();
    std::fs::write(mounted.path().join("rootfs/f"), "one").unwrap();
    let s1 = pool.take(&c1, "s1").await;
    let running = VolumeSource::Volume { volume: c1.clone(), snapshots: Vec::new(), running: true };
    let c2 = container("c2");
    pool.make(&c2, running, &none()).await.unwrap();
    std::fs::write(mounted.path().join("rootfs/f"), "two").unwrap();
    file.set_len(10).unwrap();
    for copy in [&s1, &c2] {
        assert_eq!(pool.read(copy, "rootfs/f").await.as_deref(), Some("one"), "{copy}");
    }
    // Others use it at the same time.
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("two"));
    assert!(mounted.path().join("rootfs/f").exists(), "unmounted while it is in use");
    drop((mounted, file));
    pool.unmount_unused(&c1).await.unwrap();
    pool.end().await;
}

pub(crate) async fn names_are_odd_and_change(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    let c2 = pool.launch("c1-a", &i).await;
    let names = [".tmp-x", "a", "a-b", "A", "a b", "a@b", "-rf", "a_b", "a.b", "a%b", "é", "snapshot-a"];
    for name in names {
        pool.write(&c1, "rootfs/f", name).await;
        pool.take(&c1, name).await;
        pool.take(&c2, name).await;
    }
    let pool = pool.after_a_crash().await;
    let mut sorted = names;
    sorted.sort_unstable();
    assert_eq!(pool.snapshot_names(&c1).await, sorted);
    for name in names {
        let content = pool.read(&snapshot(&c1, name), "rootfs/f").await;
        assert_eq!(content.as_deref(), Some(name));
    }
    let (a, b) = (snapshot(&c1, "a"), snapshot(&c1, "b"));
    let taken = pool.rename(&a, &snapshot(&c1, "A")).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    let missing = pool.rename(&snapshot(&c1, "z"), &b).await.unwrap_err();
    assert!(matches!(missing, Error::NoVolume { .. }), "{missing}");
    pool.rename(&a, &b).await.unwrap();
    assert_eq!(pool.read(&b, "rootfs/f").await.as_deref(), Some("a"));
    assert!(!pool.has(&a).await.unwrap());
    for name in names.iter().filter(|name| **name != "a") {
        pool.remove(&snapshot(&c1, name)).await;
    }
    assert_eq!(pool.snapshot_names(&c1).await, ["b"]);
    assert_eq!(pool.snapshot_names(&c2).await, sorted);
    pool.end().await;
}

/// As a refresh does it: a snapshot that was never one of its container's content.
pub(crate) async fn one_is_made_of_something_else(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let (c1, c2) = (pool.launch("c1", &i).await, pool.launch("c2", &i).await);
    pool.write(&c1, "rootfs/f", "one").await;
    pool.take(&c1, "s1").await;
    pool.write(&c2, "rootfs/f", "two").await;
    let s1 = pool.take(&c2, "s1").await;
    let other = snapshot(&c1, "of-two");
    pool.make(&other, still(&s1), &none()).await.unwrap();
    let whole = snapshot(&c1, "of-all-of-two");
    pool.make(&whole, still(&c2), &none()).await.unwrap();
    pool.remove(&c2).await;
    assert_eq!(pool.snapshot_names(&c1).await, ["of-all-of-two", "of-two", "s1"]);
    let pool = pool.after_a_crash().await;
    assert_eq!(pool.read(&other, "rootfs/f").await.as_deref(), Some("two"));

    let named = container("named");
    pool.rename(&c1, &named).await.unwrap();
    assert_eq!(pool.snapshot_names(&named).await, ["of-all-of-two", "of-two", "s1"]);
    let other = snapshot(&named, "of-two");
    let copy = pool.launch("copy", &other).await;
    assert_eq!(pool.read(&copy, "rootfs/f").await.as_deref(), Some("two"));
    pool.restore(&named, &other).await;
    assert_eq!(pool.read(&named, "rootfs/f").await.as_deref(), Some("two"));
    assert_eq!(pool.read(&snapshot(&named, "s1"), "rootfs/f").await.as_deref(), Some("one"));
    pool.rename(&other, &snapshot(&named, "again")).await.unwrap();
    pool.remove(&snapshot(&named, "again")).await;
    pool.remove(&named).await;
    assert_eq!(pool.read(&copy, "rootfs/f").await.as_deref(), Some("two"));
    pool.end().await;
}
