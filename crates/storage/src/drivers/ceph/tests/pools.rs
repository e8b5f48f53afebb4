//! Pools: made, taken over, refused, unreachable, removed.

use super::*;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_made_and_goes_with_what_was_made_for_it() {
    let Some(host) = Host::new("a_pool_is_made_and_goes_with_what_was_made_for_it").await else { return };
    let (pool, recorded) = host.pool(&[]).await;
    assert_eq!(recorded.get("volatile.pool.pristine").map(String::as_str), Some("true"));
    assert_eq!(recorded.get("source"), Some(&host.osd_pool));
    assert_eq!(recorded.get("ceph.cluster_name").map(String::as_str), Some("ceph"));
    let resources = pool.resources().await.unwrap();
    assert!(resources.space_total > 0 && resources.space_used < resources.space_total);

    // Another server keeps off, unless it is told otherwise.
    let again = map(&[("source", &host.osd_pool)]);
    let name = PoolName::parse("again").unwrap();
    let refused = Pool::create(&host.var(), name.clone(), DriverKind::Ceph, &again).await.map(drop);
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("ceph.osd.force_reuse=true"), "{refused}");
    let mut forced = again.clone();
    forced.insert("ceph.osd.force_reuse".into(), "true".into());
    let (shared, recorded) = Pool::create(&host.var(), name, DriverKind::Ceph, &forced).await.unwrap();
    assert_eq!(recorded.get("volatile.pool.pristine").map(String::as_str), Some("false"));
    shared.delete().await.unwrap();
    assert!(!shared.path().exists());
    assert!(access().pools().await.unwrap().contains(&host.osd_pool));

    pool.delete().await.unwrap();
    assert!(!pool.path().exists());
    assert!(!access().pools().await.unwrap().contains(&host.osd_pool));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_osd_pool_of_somebody_else_stays() {
    let Some(host) = Host::new("an_osd_pool_of_somebody_else_stays").await else { return };
    access().create_pool(&host.osd_pool, 1).await.unwrap();
    host.rbd().init_pool().await.unwrap();
    host.rbd().create("vm-disk", 1 << 20).await.unwrap();
    let (pool, recorded) = host.pool(&[]).await;
    assert_eq!(recorded.get("volatile.pool.pristine").map(String::as_str), Some("false"));
    unpack(&pool).await;
    pool.make(&c("c1"), VolumeSource::still(image()), &none()).await.unwrap();
    assert!(matches!(pool.delete().await, Err(Error::PoolInUse { .. })));
    pool.delete_volume(&image()).await.unwrap();
    pool.delete_volume(&c("c1")).await.unwrap();
    unpack(&pool).await;
    pool.delete().await.unwrap();
    assert_eq!(host.rbd().list().await.unwrap(), ["vm-disk"]);
    access().delete_pool(&host.osd_pool).await.unwrap();
}

/// The example of the announcement, with a user and a cluster of one's own.
#[tokio::test(flavor = "multi_thread")]
async fn other_users_and_clusters_are_named() {
    let Some(host) = Host::new("other_users_and_clusters_are_named").await else { return };
    let etc = |file: &str| Path::new("/etc/ceph").join(file);
    std::fs::copy(etc("ceph.conf"), etc("my-cluster.conf")).unwrap();
    let keyring = std::fs::read_to_string(etc("ceph.client.admin.keyring")).unwrap();
    std::fs::write(etc("my-cluster.client.admin.keyring"), keyring).unwrap();
    let name = PoolName::parse("my-osd").unwrap();
    let config = map(&[
        ("ceph.user.name", "admin"),
        ("ceph.cluster_name", "my-cluster"),
        ("ceph.osd.pool_name", &host.osd_pool),
        ("ceph.osd.pg_num", "1"),
    ]);
    let (pool, _) = Pool::create(&host.var(), name.clone(), DriverKind::Ceph, &config).await.unwrap();
    pool.delete().await.unwrap();

    // Nobody listens there any more.
    let conf = std::fs::read_to_string(etc("my-cluster.conf")).unwrap();
    std::fs::write(etc("my-cluster.conf"), conf.replace("6789", "6799").replace("3300", "3399")).unwrap();
    let pool = Pool::open(&host.var(), name.clone(), DriverKind::Ceph, &config).unwrap();
    let began = Instant::now();
    let error = pool.mount().await.unwrap_err().to_string();
    assert!(error.contains("my-cluster does not answer"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(90));
    for file in ["my-cluster.conf", "my-cluster.client.admin.keyring"] {
        std::fs::remove_file(etc(file)).unwrap();
    }
    let error = pool.mount().await.unwrap_err().to_string();
    assert!(error.contains("my-osd") && error.contains("(ceph)"), "{error}");
    let error = Pool::create(&host.var(), name, DriverKind::Ceph, &map(&[("ceph.user.name", "../x")])).await;
    assert!(matches!(error.map(drop), Err(Error::Source { .. })));
}
