//! Images: unpacked once, shared, hidden when they go while others need them.

use crate::site::{Broken, Site, fingerprint, image};
use crate::tree;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use storage::Ensured;

pub(crate) async fn many_ask_and_one_fills(site: &Site) {
    let pool = site.pool().await;
    let filled = Arc::new(AtomicUsize::new(0));
    let ask = || {
        let filled = filled.clone();
        pool.fill_image('a', move |root| {
            filled.fetch_add(1, Ordering::SeqCst);
            tree::small(root);
        })
    };
    let (one, two, other) = tokio::join!(ask(), ask(), pool.fill_image('b', tree::small));
    assert_eq!([one.unwrap(), two.unwrap(), other.unwrap()], [Ensured::Made; 3]);
    assert_eq!(ask().await.unwrap(), Ensured::Present);
    assert_eq!(filled.load(Ordering::SeqCst), 1);
    assert_eq!(pool.all().await, [image('a'), image('b')]);
    let (a, b) = (pool.tree(&image('a')).await, pool.tree(&image('b')).await);
    assert_eq!(a.len(), b.len());
    pool.remove(&image('a')).await;
    assert_eq!(pool.all().await, [image('b')]);
    pool.end().await;
}

pub(crate) async fn a_failed_one_leaves_nothing(site: &Site) {
    let pool = site.pool().await;
    let name = fingerprint('a');
    let result = pool.ensure_image(&name, |path| async move {
        std::fs::write(path.join("half"), "x").unwrap();
        Err(Broken)
    });
    assert!(result.await.is_err());
    assert_eq!(pool.all().await, []);
    let repaired = pool.after_a_crash().await.repair().await.unwrap();
    assert!(repaired.removed.is_empty(), "{repaired:?}");
    pool.image('a').await;
    assert_eq!(pool.read(&image('a'), "half").await, None);
    pool.end().await;
}

pub(crate) async fn one_that_is_used_can_go_and_come_back(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let (c1, c2) = (pool.launch("c1", &i).await, pool.launch("c2", &i).await);
    let before = pool.tree(&c1).await;
    pool.remove(&i).await;
    assert_eq!(pool.all().await, [c1.clone(), c2.clone()]);
    before.expect(&pool.tree(&c1).await, "a container whose image was deleted");
    let pool = pool.after_a_crash().await;
    assert_eq!(pool.all().await, [c1.clone(), c2.clone()]);

    // The same image again: unpacked anew, or taken out of hiding.
    pool.image('a').await;
    let c3 = pool.launch("c3", &i).await;
    assert_eq!(pool.tree(&c3).await.len(), before.len());
    pool.remove(&i).await;
    pool.remove(&c1).await;
    pool.image('a').await;
    pool.remove(&c3).await;
    pool.remove(&i).await;
    before.expect(&pool.tree(&c2).await, "the last container of an image that came and went");
    pool.remove(&c2).await;
    assert_eq!(pool.all().await, []);
    pool.end().await;
}
