//! Pools: made on every kind of source, opened again, refused, removed.

use crate::drivers::Config;
use crate::site::{Site, TestPool, container, custom, none, snapshot};
use storage::{Error, VolumeSource};

pub(crate) async fn one_is_made_used_and_removed(site: &Site) {
    let pool = site.pool().await;
    live_in(&pool).await;
    pool.end().await;
}

pub(crate) async fn each_source_works(site: &Site) {
    for source in site.driver.sources {
        let name = site.unused();
        eprintln!("source: {}", source.name);
        let config = (source.make)(&site.host, &name);
        let pool = site.create(site.driver, &name, &config).await.unwrap();
        if let Some(given) = config.get("source") {
            assert_eq!(pool.recorded.get("volatile.initial_source"), Some(given));
        }
        live_in(&pool).await;
        pool.end().await;
        site.host.remove_made();
    }
}

/// A container's life in a pool, and the pool's own restart in the middle.
async fn live_in(pool: &TestPool) {
    assert!(!pool.mount().await.unwrap(), "a new pool is mounted");
    let resources = pool.resources().await.unwrap();
    assert!(resources.space_total > 0 && resources.space_used <= resources.space_total, "{resources:?}");
    let image = pool.image('a').await;
    let c1 = pool.launch("c1", &image).await;
    pool.write(&c1, "rootfs/f", "one").await;
    pool.take(&c1, "s").await;
    pool.write(&c1, "rootfs/f", "two").await;
    let in_use = pool.delete().await.unwrap_err();
    assert!(matches!(in_use, Error::PoolInUse { .. }), "{in_use}");

    pool.settle().await.unwrap();
    pool.unmount().await.unwrap();
    let again = pool.after_a_crash().await;
    assert_eq!(again.all().await, pool.all().await);
    assert_eq!(again.read(&c1, "rootfs/f").await.as_deref(), Some("two"));
    assert_eq!(again.read(&snapshot(&c1, "s"), "rootfs/f").await.as_deref(), Some("one"));
    let nothing = again.repair().await.unwrap();
    assert!(
        nothing.removed.is_empty() && nothing.links.is_empty() && nothing.failed.is_empty(),
        "{nothing:?}"
    );
    again.remove(&c1).await;
    again.settle().await.unwrap();
}

pub(crate) async fn wrong_sources_leave_nothing(site: &Site) {
    let refused = |name: String, config: Config| async move {
        let result = site.create(site.driver, &name, &config).await;
        assert!(result.is_err(), "made a pool of {config:?}");
    };
    let source = |text: &str| {
        let mut config = (site.driver.config)(&site.host, &site.unused());
        config.remove("size");
        config.insert("source".to_owned(), text.to_owned());
        config
    };
    refused(site.unused(), source("/dev/null")).await;
    refused(site.unused(), source("../somewhere")).await;
    let inside = site.host.var().join("inside");
    refused(site.unused(), source(crate::host::text(&inside))).await;
    assert!(!inside.exists());
    site.host.remove_made();
    assert_eq!(site.host.left(), Vec::<String>::new());

    // The same name once more; the first pool does not notice.
    let pool = site.pool().await;
    let c1 = container("c1");
    pool.make(&c1, VolumeSource::Empty, &none()).await.unwrap();
    pool.write(&c1, "rootfs/f", "x").await;
    refused(pool.name().as_str().to_owned(), pool.recorded.clone()).await;
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("x"));
    pool.end().await;
}

pub(crate) async fn two_are_apart(site: &Site) {
    let (one, other) = (site.pool().await, site.pool().await);
    let (i, v) = (one.image('a').await, custom("v"));
    let c1 = one.launch("c1", &i).await;
    assert!(!other.has(&i).await.unwrap() && !other.has(&c1).await.unwrap());
    for (pool, text) in [(&one, "one"), (&other, "other")] {
        pool.make(&v, VolumeSource::Empty, &none()).await.unwrap();
        pool.write(&v, "f", text).await;
    }
    other.end().await;
    assert_eq!(one.read(&v, "f").await.as_deref(), Some("one"));
    assert_eq!(one.all().await, [i, c1, v]);
    one.end().await;
}

/// Pools on loop files can get more room.
pub(crate) async fn a_loop_file_grows(site: &Site) {
    let pool = site.pool().await;
    if !pool.recorded.contains_key("size") {
        pool.end().await;
        return;
    }
    let c1 = container("c1");
    pool.make(&c1, VolumeSource::Empty, &none()).await.unwrap();
    pool.write(&c1, "rootfs/f", "x").await;
    let before = pool.resources().await.unwrap().space_total;
    let mut config = pool.recorded.clone();
    config.insert("size".to_owned(), "6GB".to_owned());
    let (grown, recorded) = pool.update(&pool.recorded, &config).await.unwrap();
    assert_eq!(recorded["size"], "6GB");
    let after = grown.resources().await.unwrap().space_total;
    assert!(after > before + 1_000_000_000, "{before} became {after}");
    let grown = TestPool { pool: grown, recorded, ..pool };
    assert_eq!(grown.read(&c1, "rootfs/f").await.as_deref(), Some("x"));
    let again = grown.after_a_crash().await;
    assert_eq!(again.resources().await.unwrap().space_total, after);
    again.end().await;
}

/// A pool whose disk is gone says so, and is back as soon as the disk is.
pub(crate) async fn one_whose_disk_is_gone_comes_back(site: &Site) {
    let pool = site.pool().await;
    let c1 = container("c1");
    pool.make(&c1, VolumeSource::Empty, &none()).await.unwrap();
    pool.write(&c1, "rootfs/f", "x").await;
    let disk = site.host.var().join("disks").join(format!("{}.img", pool.name()));
    if !disk.exists() {
        pool.end().await;
        return;
    }
    pool.settle().await.unwrap();
    pool.unmount().await.unwrap();
    let away = site.host.path("away");
    std::fs::rename(&disk, &away).unwrap();
    let again = TestPool::open(&pool.var, pool.name().as_str(), pool.kind(), pool.recorded.clone());
    let error = again.mount().await.unwrap_err();
    eprintln!("without its disk: {error}");
    assert!(!disk.exists(), "an empty disk was made in the place of the one that is gone");
    std::fs::rename(&away, &disk).unwrap();
    assert!(again.mount().await.unwrap());
    assert_eq!(again.read(&c1, "rootfs/f").await.as_deref(), Some("x"));
    again.end().await;
}
