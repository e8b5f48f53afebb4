//! Copies between pools of every two drivers: nothing that a file has is lost.

use crate::DRIVERS;
use crate::site::{Site, TestPool, container, custom, none, snap, snapshot};
use crate::tree;
use storage::{Parcel, Volume, VolumeSource};

fn parcel(volume: &Volume, snapshots: &[&str]) -> Parcel {
    let snapshots = snapshots.iter().map(|name| snap(name)).collect();
    Parcel { volume: volume.clone(), snapshots, config: none(), running: false }
}

/// A pool of each driver that this machine has, one after the other.
async fn each_other(site: &Site, use_it: impl AsyncFn(&TestPool)) {
    for driver in DRIVERS {
        if driver.ready().is_err() {
            continue;
        }
        eprintln!("other pool: {}", driver.name);
        let other = site.pool_of(driver).await;
        use_it(&other).await;
        other.end().await;
    }
}

pub(crate) async fn to_and_from_every_driver(site: &Site) {
    let pool = site.pool().await;
    pool.fill_image('a', tree::odd).await.unwrap();
    let c1 = pool.launch("c1", &crate::site::image('a')).await;
    let before = pool.tree(&c1).await;
    each_other(site, async |other: &TestPool| {
        let (there, back) = (container("there"), container("back"));
        other.copy_from(&pool, &parcel(&c1, &[]), &there, &none()).await.unwrap();
        before.expect(&other.tree(&there).await, "a copy in another pool");
        assert_eq!(other.all().await, std::slice::from_ref(&there));
        let again = other.copy_from(&pool, &parcel(&c1, &[]), &there, &none()).await;
        assert!(again.is_err(), "two volumes of one name");
        pool.copy_from(other, &parcel(&there, &[]), &back, &none()).await.unwrap();
        before.expect(&pool.tree(&back).await, "a copy that came back");
        pool.remove(&back).await;
        // The image goes with the pool; the copy needs nothing of it.
        let s = other.take(&there, "s").await;
        let third = other.launch("third", &s).await;
        other.remove(&there).await;
        before.expect(&other.tree(&third).await, "a copy of a copy from another pool");
    })
    .await;
    pool.end().await;
}

pub(crate) async fn with_snapshots(site: &Site) {
    let pool = site.pool().await;
    pool.fill_image('a', tree::odd).await.unwrap();
    let i = crate::site::image('a');
    let c1 = pool.launch("c1", &i).await;
    for (name, text) in [("s2", "one"), ("s1", "two")] {
        pool.write(&c1, "rootfs/f", text).await;
        pool.write(&c1, &format!("rootfs/{name}"), text).await;
        pool.take(&c1, name).await;
    }
    pool.write(&c1, "rootfs/s2", None).await;
    pool.write(&c1, "rootfs/f", "now").await;
    let volumes = |of: &Volume| [of.clone(), snapshot(of, "s1"), snapshot(of, "s2")];
    each_other(site, async |other: &TestPool| {
        let (there, back) = (container("there"), container("back"));
        other.copy_from(&pool, &parcel(&c1, &["s2", "s1"]), &there, &none()).await.unwrap();
        assert_eq!(other.snapshot_names(&there).await, ["s1", "s2"]);
        other.restore(&there, &snapshot(&there, "s2")).await;
        other.restore(&there, &snapshot(&there, "s1")).await;
        other.write(&there, "rootfs/f", "now").await;
        other.write(&there, "rootfs/s2", None).await;
        pool.copy_from(other, &parcel(&there, &["s2", "s1"]), &back, &none()).await.unwrap();
        for (from, to) in volumes(&c1).iter().zip(volumes(&back)) {
            let (from, to) = (pool.tree(from).await.without_times(), pool.tree(&to).await.without_times());
            from.expect(&to, "a snapshot that went there and back");
        }
        pool.remove(&back).await;
        // A snapshot by itself.
        let single = container("single");
        other.copy_from(&pool, &parcel(&snapshot(&c1, "s1"), &[]), &single, &none()).await.unwrap();
        assert_eq!(other.read(&single, "rootfs/f").await.as_deref(), Some("two"));
    })
    .await;
    pool.end().await;
}

pub(crate) async fn of_custom_volumes(site: &Site) {
    let pool = site.pool().await;
    let v = custom("v");
    pool.make(&v, VolumeSource::Empty, &none()).await.unwrap();
    pool.write(&v, "f", "one").await;
    pool.take(&v, "s").await;
    pool.write(&v, "f", "two").await;
    each_other(site, async |other: &TestPool| {
        let w = custom("w");
        other.copy_from(&pool, &parcel(&v, &["s"]), &w, &none()).await.unwrap();
        assert_eq!(other.read(&w, "f").await.as_deref(), Some("two"));
        assert_eq!(other.read(&snapshot(&w, "s"), "f").await.as_deref(), Some("one"));
        assert_eq!(other.all().await, [w.clone(), snapshot(&w, "s")]);
    })
    .await;
    pool.end().await;
}
