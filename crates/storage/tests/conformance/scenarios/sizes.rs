//! Sizes: they hold, change, and never lock anybody out.

use crate::commands;
use crate::host::text;
use crate::site::{Site, TestPool, container, none, size, snapshot, still};
use std::path::Path;
use storage::{Error, Resized, Volume, VolumeSource};

/// Writes so many megabytes that nothing can compress, as somebody whom file systems grant nothing
/// beyond a limit. Gives how much fit.
fn fill(path: &Path, megabytes: u64) -> u64 {
    let (to, count) = (format!("of={}", text(path)), format!("count={megabytes}"));
    let arguments = [
        "--bounding-set=-sys_resource",
        "dd",
        "if=/dev/urandom",
        "bs=1000000",
        "conv=fsync",
        "iflag=fullblock",
    ];
    let _ = commands::run("setpriv", &[&arguments[..], &[&to, &count]].concat());
    path.metadata().map_or(0, |found| found.len() / 1_000_000)
}

async fn fill_volume(pool: &TestPool, volume: &Volume, megabytes: u64) -> u64 {
    pool.inside(volume, move |path| fill(&path.join("rootfs/big"), megabytes)).await
}

/// A pool whose volumes can have sizes. Others must refuse one.
async fn with_sizes(site: &Site) -> Option<TestPool> {
    let pool = site.pool().await;
    if pool.capabilities().quotas {
        return Some(pool);
    }
    let error = pool.make(&container("c1"), VolumeSource::Empty, &size(100)).await.unwrap_err();
    assert!(matches!(error, Error::Cannot { .. }), "{error}");
    assert_eq!(pool.all().await, []);
    pool.make(&container("c1"), VolumeSource::Empty, &none()).await.unwrap();
    let error = pool.resize(&container("c1"), &size(100)).await.unwrap_err();
    assert!(matches!(error, Error::Cannot { .. }), "{error}");
    pool.end().await;
    None
}

pub(crate) async fn a_limit_holds(site: &Site) {
    let Some(pool) = with_sizes(site).await else { return };
    let i = pool.image('a').await;
    for (name, source) in [("c1", still(&i)), ("c2", VolumeSource::Empty)] {
        let volume = container(name);
        pool.make(&volume, source, &size(120)).await.unwrap();
        let fit = fill_volume(&pool, &volume, 200).await;
        assert!((50..=121).contains(&fit), "{fit} MB fit into {volume} of 120 MB");
    }
    // A copy has the size that it is given, not the one of its source.
    let c3 = container("c3");
    pool.inside(&container("c1"), |path| std::fs::remove_file(path.join("rootfs/big")).unwrap()).await;
    pool.make(&c3, still(&container("c1")), &size(160)).await.unwrap();
    let fit = fill_volume(&pool, &c3, 250).await;
    assert!((80..=161).contains(&fit), "{fit} MB fit into a copy of 160 MB");
    pool.end().await;
}

pub(crate) async fn up_and_down(site: &Site) {
    let Some(pool) = with_sizes(site).await else { return };
    let i = pool.image('a').await;
    let c1 = container("c1");
    pool.make(&c1, still(&i), &size(120)).await.unwrap();
    pool.write(&c1, "rootfs/f", "x").await;
    assert_eq!(pool.resize(&c1, &size(250)).await.unwrap(), Resized::Now);
    let fit = fill_volume(&pool, &c1, 180).await;
    assert!(fit >= 175, "{fit} MB fit into 250 MB");
    pool.inside(&c1, |path| std::fs::remove_file(path.join("rootfs/big")).unwrap()).await;
    assert_eq!(pool.resize(&c1, &size(120)).await.unwrap(), Resized::Now);
    let fit = fill_volume(&pool, &c1, 250).await;
    assert!((50..=121).contains(&fit), "{fit} MB fit into 120 MB after 250 MB");
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("x"));

    // While it is in use it can at least grow.
    let mounted = pool.mount_volume(&c1, &none()).await.unwrap();
    assert_eq!(pool.resize(&c1, &size(200)).await.unwrap(), Resized::Now);
    let path = mounted.path().join("rootfs/more");
    let fit = tokio::task::spawn_blocking(move || fill(&path, 60)).await.unwrap();
    assert!(fit >= 50, "{fit} MB more fit after 120 MB became 200 MB");
    drop(mounted);
    pool.unmount_unused(&c1).await.unwrap();
    let pool = pool.after_a_crash().await;
    let fit = fill_volume(&pool, &c1, 250).await;
    assert!(fit < 200, "{fit} MB fit into 200 MB");
    pool.end().await;
}

pub(crate) async fn a_full_volume_can_be_managed(site: &Site) {
    let Some(pool) = with_sizes(site).await else { return };
    let i = pool.image('a').await;
    let c1 = container("c1");
    pool.make(&c1, still(&i), &size(120)).await.unwrap();
    pool.write(&c1, "rootfs/f", "x").await;
    fill_volume(&pool, &c1, 200).await;
    let s1 = pool.take(&c1, "s1").await;
    let c2 = container("c2");
    pool.make(&c2, still(&c1), &size(250)).await.unwrap();
    pool.rename(&c1, &container("c3")).await.unwrap();
    let (c3, s1) = (container("c3"), snapshot(&container("c3"), s1.name()));
    let pool = pool.after_a_crash().await;
    pool.inside(&c3, |path| std::fs::remove_file(path.join("rootfs/big")).unwrap()).await;
    let staged = pool.stage(&c3, still(&s1), &size(120)).await.unwrap();
    pool.commit_staged(&c3, staged).await.unwrap();
    for volume in [&c2, &c3, &s1] {
        assert_eq!(pool.read(volume, "rootfs/f").await.as_deref(), Some("x"), "{volume}");
    }
    pool.remove(&c3).await;
    pool.end().await;
}

pub(crate) async fn too_small_is_refused(site: &Site) {
    let Some(pool) = with_sizes(site).await else { return };
    let i = pool.image('a').await;
    let c1 = container("c1");
    pool.make(&c1, still(&i), &size(160)).await.unwrap();
    pool.write(&c1, "rootfs/f", "x").await;
    fill_volume(&pool, &c1, 100).await;
    let result = pool.resize(&c1, &size(40)).await;
    assert!(result.is_err(), "100 MB fit into 40 MB: {result:?}");
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("x"));
    let more = pool.inside(&c1, |path| fill(&path.join("rootfs/more"), 20)).await;
    assert_eq!(more, 20, "it has its old size after it was refused a smaller one");
    pool.end().await;
}
