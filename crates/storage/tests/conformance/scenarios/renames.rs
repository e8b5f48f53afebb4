//! Renaming: a volume with all that belongs to it, and without what depends on it noticing.

use crate::site::{Site, container, none, snapshot};
use storage::Error;

pub(crate) async fn with_snapshots(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    for name in ["s1", "s2"] {
        pool.write(&c1, "rootfs/f", name).await;
        pool.take(&c1, name).await;
    }
    pool.write(&c1, "rootfs/f", "now").await;
    let (c2, taken) = (container("new-name"), pool.launch("taken", &i).await);
    let error = pool.rename(&c1, &taken).await.unwrap_err();
    assert!(matches!(error, Error::VolumeExists { .. }), "{error}");
    let error = pool.rename(&container("missing"), &c2).await.unwrap_err();
    assert!(matches!(error, Error::NoVolume { .. }), "{error}");
    pool.rename(&c1, &c2).await.unwrap();
    // Whoever does not know whether it was done asks again.
    pool.rename(&c1, &c2).await.unwrap();
    assert!(!pool.has(&c1).await.unwrap());
    assert_eq!(pool.snapshot_names(&c1).await, [""; 0]);
    assert_eq!(pool.snapshot_names(&c2).await, ["s1", "s2"]);
    for name in ["s1", "s2"] {
        assert_eq!(pool.read(&snapshot(&c2, name), "rootfs/f").await.as_deref(), Some(name));
    }
    assert_eq!(pool.read(&c2, "rootfs/f").await.as_deref(), Some("now"));
    let var = site.host.var();
    for part in ["containers", "snapshots"] {
        assert!(var.join(part).join("c1").symlink_metadata().is_err());
        assert!(var.join(part).join("new-name").exists() || var.join(part).join("new-name").is_symlink());
    }
    // The old name is free.
    let c1 = pool.launch("c1", &i).await;
    pool.take(&c1, "s1").await;
    pool.remove(&c1).await;
    assert_eq!(pool.read(&snapshot(&c2, "s1"), "rootfs/f").await.as_deref(), Some("s1"));
    pool.end().await;
}

pub(crate) async fn of_what_others_are_made_of(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    pool.write(&c1, "rootfs/f", "one").await;
    let s1 = pool.take(&c1, "s1").await;
    let (a, b) = (pool.launch("a", &c1).await, pool.launch("b", &s1).await);
    let c2 = container("c2");
    pool.rename(&c1, &c2).await.unwrap();
    pool.rename(&snapshot(&c2, "s1"), &snapshot(&c2, "other")).await.unwrap();
    pool.write(&c2, "rootfs/f", "two").await;
    for copy in [&a, &b] {
        assert_eq!(pool.read(copy, "rootfs/f").await.as_deref(), Some("one"));
    }
    pool.restore(&c2, &snapshot(&c2, "other")).await;
    assert_eq!(pool.read(&c2, "rootfs/f").await.as_deref(), Some("one"));
    pool.remove(&c2).await;
    pool.make(&snapshot(&a, "s"), storage::VolumeSource::still(a.clone()), &none()).await.unwrap();
    for copy in [&a, &b] {
        assert_eq!(pool.read(copy, "rootfs/f").await.as_deref(), Some("one"));
    }
    pool.end().await;
}
