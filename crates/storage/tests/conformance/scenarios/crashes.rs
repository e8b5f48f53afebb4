//! A daemon that dies at each step of each operation: afterwards a volume is there as a whole or not
//! at all, and what was begun can be finished or undone.

use crate::child::{self, Operation};
use crate::site::{Site, TestPool, container, image, snapshot};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;
use storage::{Kind, Volume};

/// What every operation finds: an image, and a container with two snapshots.
async fn prepare(pool: &TestPool, name: &str) {
    let i = pool.image('a').await;
    let c1 = pool.launch(name, &i).await;
    for (name, text) in [("s1", "one"), ("s2", "two")] {
        pool.write(&c1, "rootfs/f", text).await;
        pool.take(&c1, name).await;
    }
    pool.write(&c1, "rootfs/f", "now").await;
}

/// That container, under this name, with its snapshots.
async fn expect_whole(pool: &TestPool, volume: &Volume) {
    expect_content(pool, volume, "now").await;
}

async fn expect_content(pool: &TestPool, volume: &Volume, text: &str) {
    assert_eq!(pool.read(volume, "rootfs/f").await.as_deref(), Some(text), "{volume}");
    assert_eq!(pool.read(volume, "rootfs/etc/hostname").await.as_deref(), Some("image\n"), "{volume}");
    assert_eq!(pool.snapshot_names(volume).await, ["s1", "s2"], "{volume}");
    for (name, text) in [("s1", "one"), ("s2", "two")] {
        let snapshot = snapshot(volume, name);
        assert_eq!(pool.read(&snapshot, "rootfs/f").await.as_deref(), Some(text), "{snapshot}");
    }
}

/// Nothing but these, whatever a crash left.
async fn expect_only(pool: &TestPool, more: &[Volume]) {
    let c1 = container("c1");
    let mut expected = vec![image('a'), c1.clone(), snapshot(&c1, "s1"), snapshot(&c1, "s2")];
    expected.extend_from_slice(more);
    expected.sort();
    let mut found = pool.all().await;
    found.sort();
    assert_eq!(found, expected);
}

/// Dies at each step in turn. After each death, and after the end, `mend` looks at what there is and
/// makes of it what [`prepare`] made.
async fn at_each_step(
    site: &Site,
    operations: &[Operation],
    other: Option<&TestPool>,
    mend: impl AsyncFn(&TestPool, &Path, bool),
) {
    let pool = site.pool().await;
    prepare(&pool, "c1").await;
    let note = site.host.path("note");
    for &operation in operations {
        let mut nth = 1;
        loop {
            let pools: Vec<&TestPool> = std::iter::once(&pool).chain(other).collect();
            let died = child::die_at(nth, operation, &pools, &note);
            eprintln!(
                "{operation:?}: {}",
                if died { format!("died at step {nth}") } else { "done".to_owned() }
            );
            let pool = pool.after_a_crash().await;
            mend(&pool, &note, !died).await;
            pool.settle().await.unwrap();
            expect_whole(&pool, &container("c1")).await;
            expect_only(&pool, &[]).await;
            let again = pool.repair().await.unwrap();
            assert!(again.removed.is_empty() && again.links.is_empty(), "left after a repair: {again:?}");
            if !died {
                break;
            }
            // All of them, but on an emulated machine fewer of the later ones.
            nth += if crate::host::slow() > 1 { 1 + nth / 8 } else { 1 };
        }
    }
    pool.end().await;
}

pub(crate) async fn while_an_image_is_made(site: &Site) {
    at_each_step(site, &[Operation::Image], None, async |pool: &TestPool, _: &Path, done| {
        let b = image('b');
        let there = pool.has(&b).await.unwrap();
        assert!(there || !done);
        if there {
            let expected = pool.tree(&image('a')).await.without_times();
            expected.expect(&pool.tree(&b).await.without_times(), "an image");
            pool.remove(&b).await;
        }
    })
    .await;
}

pub(crate) async fn while_a_container_is_made(site: &Site) {
    let operations = [Operation::Container, Operation::Draft];
    at_each_step(site, &operations, None, async |pool: &TestPool, _: &Path, done| {
        let c2 = container("c2");
        let there = pool.has(&c2).await.unwrap();
        assert!(there || !done);
        if there {
            assert_eq!(pool.read(&c2, "rootfs/etc/hostname").await.as_deref(), Some("image\n"));
            pool.remove(&c2).await;
        } else {
            assert_eq!(pool.snapshot_names(&c2).await, [""; 0], "snapshots without their container");
        }
    })
    .await;
}

pub(crate) async fn while_a_snapshot_is_taken(site: &Site) {
    at_each_step(site, &[Operation::Snapshot], None, async |pool: &TestPool, _: &Path, done| {
        let new = snapshot(&container("c1"), "new");
        let there = pool.has(&new).await.unwrap();
        assert!(there || !done);
        if there {
            assert_eq!(pool.read(&new, "rootfs/f").await.as_deref(), Some("now"));
            pool.remove(&new).await;
        }
    })
    .await;
}

async fn expect_copy(pool: &TestPool, done: bool) {
    let c2 = container("c2");
    let there = pool.has(&c2).await.unwrap();
    assert!(there || !done);
    if there {
        expect_whole(pool, &c2).await;
        pool.remove(&c2).await;
    } else {
        assert_eq!(pool.snapshot_names(&c2).await, [""; 0], "snapshots without their container");
    }
}

pub(crate) async fn while_a_copy_is_made(site: &Site) {
    at_each_step(site, &[Operation::Copy], None, async |pool: &TestPool, _: &Path, done| {
        expect_copy(pool, done).await;
    })
    .await;
}

pub(crate) async fn while_one_comes_from_another_pool(site: &Site) {
    for driver in [&crate::drivers::DIR, site.driver] {
        let other = site.pool_of(driver).await;
        prepare(&other, "far").await;
        at_each_step(site, &[Operation::Transfer], Some(&other), async |pool: &TestPool, _: &Path, done| {
            let other = other.after_a_crash().await;
            expect_whole(&other, &container("far")).await;
            expect_copy(pool, done).await;
        })
        .await;
        other.end().await;
    }
}

/// Whoever renames asks again after a crash, for it is known what was wanted.
pub(crate) async fn while_one_is_renamed(site: &Site) {
    at_each_step(site, &[Operation::Rename], None, async |pool: &TestPool, _: &Path, _| {
        let (c1, c2) = (container("c1"), container("c2"));
        pool.rename(&c1, &c2).await.unwrap();
        expect_whole(pool, &c2).await;
        assert!(!pool.has(&c1).await.unwrap());
        assert_eq!(pool.snapshot_names(&c1).await, [""; 0]);
        pool.rename(&c2, &c1).await.unwrap();
    })
    .await;
}

/// Whoever restores notes what was staged before it is committed: with the note the restore is
/// finished, without it is taken back.
pub(crate) async fn while_one_is_restored(site: &Site) {
    at_each_step(site, &[Operation::Restore], None, async |pool: &TestPool, note: &Path, _| {
        let c1 = container("c1");
        match child::staged(note) {
            Some(staged) => {
                pool.commit_staged(&c1, staged).await.unwrap();
                expect_content(pool, &c1, "one").await;
                pool.write(&c1, "rootfs/f", "now").await;
            }
            None => pool.discard_staged(&c1).await.unwrap(),
        }
    })
    .await;
}

/// Whoever deletes asks again after a crash.
pub(crate) async fn while_one_is_removed(site: &Site) {
    let operations = [Operation::DeleteSnapshot, Operation::Delete];
    at_each_step(site, &operations, None, async |pool: &TestPool, _: &Path, done| {
        let c1 = container("c1");
        let only_one = pool.snapshot_names(&c1).await == ["s2"] && pool.has(&c1).await.unwrap();
        if only_one || pool.snapshot_names(&c1).await.len() < 2 || !pool.has(&c1).await.unwrap() || !done {
            pool.delete_volume(&c1).await.unwrap();
            assert!(!pool.has(&c1).await.unwrap());
            for kind in [Kind::Container, Kind::ContainerSnapshot] {
                assert_eq!(pool.volumes(kind).await.unwrap(), []);
            }
            prepare(pool, "c1").await;
        }
    })
    .await;
}

pub(crate) async fn while_one_is_resized(site: &Site) {
    let pool = site.pool().await;
    let sizes = pool.capabilities().quotas;
    pool.end().await;
    if !sizes {
        return;
    }
    at_each_step(site, &[Operation::Grow], None, async |pool: &TestPool, note: &Path, _| {
        child::operate(Operation::Grow, pool, None, note).await;
    })
    .await;
}

/// A pool that was half removed can be removed again, usable or not.
pub(crate) async fn while_a_pool_is_removed(site: &Site) {
    let note = site.host.path("note");
    for nth in 1.. {
        let pool = site.pool().await;
        pool.image('a').await;
        let died = child::die_at(nth, Operation::DeletePool, &[&pool], &note);
        if died {
            eprintln!("died at step {nth}");
            let again = TestPool::open(&pool.var, pool.name().as_str(), pool.kind(), pool.recorded.clone());
            if let Err(error) = again.mount().await {
                eprintln!("  it cannot be mounted: {error}");
            }
            again.delete().await.unwrap();
        }
        site.host.remove_made();
        assert_eq!(site.host.left(), Vec::<String>::new());
        if !died {
            break;
        }
    }
}

/// A future that is given up after it was asked so many times.
struct UpTo<F> {
    future: Pin<Box<F>>,
    left: u32,
}

impl<F: Future> Future for UpTo<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        self.left -= 1;
        match self.future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            // Nobody else may ask again once the last time is over.
            Poll::Pending if self.left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// As when a client goes away or the daemon shuts down.
pub(crate) async fn while_a_future_is_dropped(site: &Site) {
    let pool = site.pool().await;
    prepare(&pool, "c1").await;
    let note = site.host.path("note");
    for operation in [Operation::Container, Operation::Snapshot, Operation::Copy, Operation::Draft] {
        for left in [1, 2, 3, 5, 8, 13, 21] {
            let using = pool.after_a_crash().await;
            let future = Box::pin(child::operate(operation, &using, None, &note));
            let done = UpTo { future, left }.await.is_some();
            // What runs in the background comes to its end; programs were killed.
            tokio::time::sleep(Duration::from_millis(200) * crate::host::slow().min(3)).await;
            using.settle().await.unwrap();
            let pool = pool.after_a_crash().await;
            for volume in [container("c2"), snapshot(&container("c1"), "new")] {
                if pool.has(&volume).await.unwrap() {
                    let text = pool.read(&volume, "rootfs/f").await;
                    assert!(matches!(text.as_deref(), Some("now") | None), "{operation:?} {left}: {text:?}");
                    pool.remove(&volume).await;
                }
            }
            pool.settle().await.unwrap();
            expect_whole(&pool, &container("c1")).await;
            expect_only(&pool, &[]).await;
            if done {
                break;
            }
        }
    }
    pool.end().await;
}
