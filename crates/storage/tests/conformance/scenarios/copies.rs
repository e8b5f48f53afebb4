//! Copies: they live without what they were made of, in whatever order things go.

use crate::site::{Site, container, none, snapshot, still, with};
use crate::tree;

pub(crate) async fn one_lives_without_its_source(site: &Site) {
    let pool = site.pool().await;
    pool.fill_image('a', tree::odd).await.unwrap();
    let c1 = pool.launch("c1", &crate::site::image('a')).await;
    pool.write(&c1, "rootfs/f", "one").await;
    let s1 = pool.take(&c1, "s1").await;
    let before = pool.tree(&c1).await;
    let (c2, c3) = (pool.launch("c2", &c1).await, pool.launch("c3", &s1).await);
    pool.write(&c1, "rootfs/f", "changed").await;
    pool.remove(&c1).await;
    before.expect(&pool.tree(&c2).await, "a copy whose source was deleted");
    before.expect(&pool.tree(&c3).await, "a copy of a snapshot that was deleted");
    assert_eq!(pool.snapshot_names(&c2).await, [""; 0]);
    let pool = pool.after_a_crash().await;
    // A name that something hidden may still have.
    let c1 = pool.launch("c1", &c2).await;
    pool.take(&c1, "s1").await;
    before.expect(&pool.tree(&c1).await, "a copy under the name of the old source");
    pool.remove(&c2).await;
    pool.remove(&c3).await;
    before.expect(&pool.tree(&snapshot(&c1, "s1")).await, "the last of them");
    pool.end().await;
}

pub(crate) async fn with_all_snapshots(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    for (name, text) in [("b", "one"), ("a", "two"), ("c", "three")] {
        pool.write(&c1, "rootfs/f", text).await;
        pool.take(&c1, name).await;
    }
    pool.write(&c1, "rootfs/f", "now").await;
    let (c2, c3) = (container("c2"), container("c3"));
    pool.make(&c2, with(&c1, &["b", "a", "c"]), &none()).await.unwrap();
    pool.make(&c3, with(&c1, &["a"]), &none()).await.unwrap();
    assert_eq!(pool.snapshot_names(&c3).await, ["a"]);
    assert!(site.host.var().join("snapshots/c2").symlink_metadata().is_ok());
    pool.remove(&c1).await;
    assert_eq!(pool.snapshot_names(&c2).await, ["a", "b", "c"]);
    for (name, text) in [("b", "one"), ("a", "two"), ("c", "three")] {
        assert_eq!(pool.read(&snapshot(&c2, name), "rootfs/f").await.as_deref(), Some(text));
    }
    for copy in [&c2, &c3] {
        assert_eq!(pool.read(copy, "rootfs/f").await.as_deref(), Some("now"));
    }
    pool.end().await;
}

/// Chains of copies, removed from the beginning, the end and the middle.
pub(crate) async fn of_copies_go_in_any_order(site: &Site) {
    for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3]] {
        let pool = site.pool().await;
        let i = pool.image('a').await;
        let mut chain = vec![i];
        for number in 1..5 {
            let last = chain[chain.len() - 1].clone();
            let next = pool.launch(&format!("c{number}"), &last).await;
            pool.write(&next, "rootfs/f", number.to_string().as_str()).await;
            pool.take(&next, "s").await;
            chain.push(next);
        }
        for (gone, number) in order.iter().enumerate() {
            pool.remove(&chain[*number]).await;
            for left in order[gone + 1..].iter().filter(|left| **left > 0) {
                let text = pool.read(&chain[*left], "rootfs/f").await;
                assert_eq!(text, Some(left.to_string()), "{order:?} after {number}");
            }
        }
        assert_eq!(pool.all().await, []);
        pool.end().await;
    }
}

pub(crate) async fn at_the_same_time(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    pool.write(&c1, "rootfs/f", "x").await;
    let (a, b, c, s) = (container("a"), container("b"), container("c"), snapshot(&c1, "s"));
    let keys = none();
    let (one, two, three, four) = tokio::join!(
        pool.make(&a, still(&c1), &keys),
        pool.make(&b, still(&c1), &keys),
        pool.make(&c, still(&i), &keys),
        pool.make(&s, still(&c1), &keys),
    );
    for result in [one, two, three, four] {
        result.unwrap();
    }
    let d = container("d");
    let (one, two) = tokio::join!(pool.make(&d, still(&a), &keys), pool.delete_volume(&a));
    // Whoever came first.
    let made = one.is_ok();
    assert!(two.unwrap());
    assert_eq!(pool.has(&d).await.unwrap(), made);
    for volume in [&b, &s] {
        assert_eq!(pool.read(volume, "rootfs/f").await.as_deref(), Some("x"));
    }
    let (one, two) = tokio::join!(pool.rename(&b, &a), pool.rename(&c, &a));
    assert!(one.is_ok() != two.is_ok(), "one of two got the name: {one:?}, {two:?}");
    pool.end().await;
}
