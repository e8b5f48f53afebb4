//! Restoring: another content takes the place of the present one, and the snapshots stay.

use crate::site::{Site, TestPool, container, none, snapshot, still, with};
use storage::{Error, Volume};

/// A container with the snapshots s1, s2 and s3 of what its file said then.
async fn three(pool: &TestPool) -> Volume {
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    for (name, text) in [("s1", "one"), ("s2", "two"), ("s3", "three")] {
        pool.write(&c1, "rootfs/f", text).await;
        pool.write(&c1, &format!("rootfs/{name}"), text).await;
        pool.take(&c1, name).await;
    }
    pool.write(&c1, "rootfs/f", "now").await;
    c1
}

async fn expect_three(pool: &TestPool, c1: &Volume) {
    assert_eq!(pool.snapshot_names(c1).await, ["s1", "s2", "s3"]);
    for (name, text) in [("s1", "one"), ("s2", "two"), ("s3", "three")] {
        let snapshot = snapshot(c1, name);
        assert_eq!(pool.read(&snapshot, "rootfs/f").await.as_deref(), Some(text), "{snapshot}");
    }
}

pub(crate) async fn the_newest(site: &Site) {
    let pool = site.pool().await;
    let c1 = three(&pool).await;
    let s3 = snapshot(&c1, "s3");
    let expected = pool.tree(&s3).await;
    for _ in 0..2 {
        pool.write(&c1, "rootfs/f", "lost").await;
        pool.restore(&c1, &s3).await;
        expected.expect(&pool.tree(&c1).await, "a restored container");
        expect_three(&pool, &c1).await;
    }
    assert_eq!(pool.all().await.len(), 5);
    pool.end().await;
}

pub(crate) async fn an_older_one_keeps_the_newer(site: &Site) {
    let pool = site.pool().await;
    let c1 = three(&pool).await;
    for (name, text) in [("s1", "one"), ("s3", "three"), ("s2", "two"), ("s1", "one")] {
        let s = snapshot(&c1, name);
        let expected = pool.tree(&s).await;
        pool.restore(&c1, &s).await;
        expected.expect(&pool.tree(&c1).await, name);
        assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some(text));
        expect_three(&pool, &c1).await;
    }
    // New ones on top of an old one, and everything goes on as ever.
    pool.write(&c1, "rootfs/f", "branch").await;
    let s4 = pool.take(&c1, "s4").await;
    let pool = pool.after_a_crash().await;
    pool.remove(&snapshot(&c1, "s1")).await;
    let c2 = container("c2");
    pool.rename(&c1, &c2).await.unwrap();
    let s4 = snapshot(&c2, s4.name());
    pool.restore(&c2, &snapshot(&c2, "s3")).await;
    pool.restore(&c2, &s4).await;
    assert_eq!(pool.read(&c2, "rootfs/f").await.as_deref(), Some("branch"));
    assert_eq!(pool.snapshot_names(&c2).await, ["s2", "s3", "s4"]);
    pool.end().await;
}

pub(crate) async fn one_that_is_taken_back(site: &Site) {
    let pool = site.pool().await;
    let c1 = three(&pool).await;
    let s1 = snapshot(&c1, "s1");
    let staged = pool.stage(&c1, still(&s1), &none()).await.unwrap();
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("now"));
    assert_eq!(pool.all().await.len(), 5, "what is staged is no volume");
    pool.discard_staged(&c1).await.unwrap();
    pool.discard_staged(&c1).await.unwrap();
    let gone = pool.commit_staged(&c1, staged).await.unwrap_err();
    assert!(matches!(gone, Error::NotStaged { .. }), "{gone}");
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("now"));

    // What is staged survives the daemon; who asks twice gets it once.
    let staged = pool.stage(&c1, still(&s1), &none()).await.unwrap();
    let pool = pool.after_a_crash().await;
    pool.commit_staged(&c1, staged.clone()).await.unwrap();
    pool.write(&c1, "rootfs/f", "later").await;
    pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("later"));
    expect_three(&pool, &c1).await;
    pool.end().await;
}

pub(crate) async fn of_a_copied_snapshot(site: &Site) {
    let pool = site.pool().await;
    let c1 = three(&pool).await;
    let c2 = container("c2");
    pool.make(&c2, with(&c1, &["s1", "s2", "s3"]), &none()).await.unwrap();
    pool.restore(&c2, &snapshot(&c2, "s1")).await;
    assert_eq!(pool.read(&c2, "rootfs/f").await.as_deref(), Some("one"));
    expect_three(&pool, &c2).await;
    pool.remove(&c1).await;
    pool.restore(&c2, &snapshot(&c2, "s2")).await;
    expect_three(&pool, &c2).await;
    pool.end().await;
}
