//! Custom volumes: as users keep their data in them.

use crate::site::{Site, custom, none, size, snapshot, still, with};
use std::os::unix::fs::MetadataExt as _;
use storage::{Error, VolumeSource};

pub(crate) async fn a_life(site: &Site) {
    let pool = site.pool().await;
    let config = if pool.capabilities().quotas { size(120) } else { none() };
    let v = custom("v");
    pool.make(&v, VolumeSource::Empty, &config).await.unwrap();
    let (mode, names) = pool
        .inside(&v, |path| {
            let names = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().file_name());
            let names: Vec<_> = names.filter(|name| name != "lost+found").collect();
            (path.metadata().unwrap().mode() & 0o7777, names)
        })
        .await;
    assert_eq!((mode, names), (0o711, Vec::new()));
    let taken = pool.make(&v, VolumeSource::Empty, &config).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    pool.write(&v, "f", "one").await;
    // What users make of its root directory stays.
    pool.inside(&v, |path| {
        std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o1777)).unwrap();
    })
    .await;
    pool.unmount().await.unwrap();
    let pool = pool.after_a_crash().await;
    let mode = pool.inside(&v, |path| path.metadata().unwrap().mode() & 0o7777).await;
    assert_eq!(mode, 0o1777, "the mode that a user gave the volume");
    let w = custom("w");
    pool.rename(&v, &w).await.unwrap();
    assert_eq!(pool.read(&w, "f").await.as_deref(), Some("one"));
    assert_eq!(pool.all().await, std::slice::from_ref(&w));
    let in_use = pool.delete().await.unwrap_err();
    assert!(matches!(in_use, Error::PoolInUse { .. }), "{in_use}");
    pool.remove(&w).await;
    pool.end().await;
}

pub(crate) async fn snapshots_and_copies(site: &Site) {
    let pool = site.pool().await;
    let (v, w) = (custom("v"), custom("w"));
    pool.make(&v, VolumeSource::Empty, &none()).await.unwrap();
    for (name, text) in [("s1", "one"), ("s2", "two")] {
        pool.write(&v, "f", text).await;
        pool.take(&v, name).await;
    }
    pool.write(&v, "f", "now").await;
    assert_eq!(pool.snapshot_names(&v).await, ["s1", "s2"]);
    pool.restore(&v, &snapshot(&v, "s1")).await;
    assert_eq!(pool.read(&v, "f").await.as_deref(), Some("one"));
    assert_eq!(pool.snapshot_names(&v).await, ["s1", "s2"]);
    pool.make(&w, with(&v, &["s1", "s2"]), &none()).await.unwrap();
    let x = custom("x");
    pool.make(&x, still(&snapshot(&v, "s2")), &none()).await.unwrap();
    pool.rename(&snapshot(&v, "s2"), &snapshot(&v, "s3")).await.unwrap();
    pool.rename(&v, &custom("y")).await.unwrap();
    let y = custom("y");
    assert_eq!(pool.snapshot_names(&y).await, ["s1", "s3"]);
    pool.remove(&y).await;
    let pool = pool.after_a_crash().await;
    assert_eq!(pool.read(&w, "f").await.as_deref(), Some("one"));
    assert_eq!(pool.read(&snapshot(&w, "s2"), "f").await.as_deref(), Some("two"));
    assert_eq!(pool.read(&x, "f").await.as_deref(), Some("two"));
    pool.end().await;
}

/// Names as long as they may be: they work, or are refused before anything is made.
pub(crate) async fn the_longest_names(site: &Site) {
    let pool = site.pool().await;
    for name in ["v".repeat(127), "v".repeat(200), "é".repeat(100), "v".repeat(255)] {
        let v = custom(&name);
        if let Err(error) = pool.make(&v, VolumeSource::Empty, &none()).await {
            eprintln!("{} bytes: {error}", name.len());
            assert_eq!(pool.all().await, []);
            continue;
        }
        pool.write(&v, "f", "one").await;
        let s = pool.take(&v, "s").await;
        if name.len() < 240 {
            pool.restore(&v, &s).await;
            let w = custom("w");
            pool.make(&w, with(&v, &["s"]), &none()).await.unwrap();
            pool.remove(&v).await;
            pool.rename(&w, &v).await.unwrap();
        }
        let pool = pool.after_a_crash().await;
        assert_eq!(pool.read(&s, "f").await.as_deref(), Some("one"));
        assert_eq!(pool.read(&v, "f").await.as_deref(), Some("one"));
        pool.remove(&v).await;
        pool.settle().await.unwrap();
    }
    let repaired = pool.repair().await.unwrap();
    assert!(repaired.removed.is_empty(), "{repaired:?}");
    pool.end().await;
}
