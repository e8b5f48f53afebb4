//! Drafts: volumes in the making, which become one as a whole or leave nothing.

use crate::site::{Site, TestPool, blocking, container, custom, none, snap, snapshot, still};
use storage::{Draft, Error, VolumeSource};

async fn write(draft: &Draft, file: &str, text: &str) {
    let (path, text) = (draft.path().join(file), text.to_owned());
    blocking(move || {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    })
    .await;
}

async fn repaired(pool: &TestPool) -> Vec<std::path::PathBuf> {
    pool.settle().await.unwrap();
    let again = TestPool::open(&pool.var, pool.name().as_str(), pool.kind(), pool.recorded.clone());
    again.mount().await.unwrap();
    let repaired = again.repair().await.unwrap();
    assert!(repaired.failed.is_empty(), "{repaired:?}");
    repaired.removed
}

pub(crate) async fn finished_and_discarded(site: &Site) {
    let pool = site.pool().await;
    let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    let names = std::fs::read_dir(draft.path()).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name != "lost+found").count(), 0, "an empty draft is empty");
    write(&draft, "rootfs/f", "one").await;
    assert_eq!(pool.all().await, [], "a draft is no volume");
    let c1 = container("c1");
    pool.finish(draft, &c1).await.unwrap();
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("one"));
    assert!(site.host.var().join("containers/c1").is_symlink());

    let draft = pool.draft(still(&c1), &none()).await.unwrap();
    write(&draft, "rootfs/f", "two").await;
    let path = draft.path().to_owned();
    let taken = pool.finish(draft, &c1).await.unwrap_err();
    assert!(matches!(taken, Error::VolumeExists { .. }), "{taken}");
    assert!(!path.join("rootfs").exists(), "a draft that cannot be finished goes");
    assert_eq!(pool.read(&c1, "rootfs/f").await.as_deref(), Some("one"));

    let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    write(&draft, "f", "v").await;
    pool.finish(draft, &custom("v")).await.unwrap();
    assert_eq!(pool.read(&custom("v"), "f").await.as_deref(), Some("v"));

    let draft = pool.draft(still(&c1), &none()).await.unwrap();
    let path = draft.path().to_owned();
    pool.discard(draft.clone()).await.unwrap();
    pool.discard(draft).await.unwrap();
    assert!(!path.join("rootfs").exists());
    assert_eq!(repaired(&pool).await, Vec::<std::path::PathBuf>::new());
    pool.end().await;
}

pub(crate) async fn with_snapshots(site: &Site) {
    let pool = site.pool().await;
    let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    for (name, text) in [("s1", "one"), ("s2", "two")] {
        write(&draft, "rootfs/f", text).await;
        pool.draft_snapshot(&draft, &snap(name)).await.unwrap();
    }
    write(&draft, "rootfs/f", "now").await;
    let c1 = container("c1");
    pool.finish(draft, &c1).await.unwrap();
    assert_eq!(pool.snapshot_names(&c1).await, ["s1", "s2"]);
    for (name, text) in [("s1", "one"), ("s2", "two")] {
        assert_eq!(pool.read(&snapshot(&c1, name), "rootfs/f").await.as_deref(), Some(text));
    }
    assert!(site.host.var().join("snapshots/c1").is_symlink());

    // What a refresh makes: a content, and then a snapshot, of a draft.
    let draft = pool.draft(still(&c1), &none()).await.unwrap();
    write(&draft, "rootfs/f", "received").await;
    let s3 = snapshot(&c1, "s3");
    pool.make(&s3, VolumeSource::Draft(draft.clone()), &none()).await.unwrap();
    let staged = pool.stage(&c1, VolumeSource::Draft(draft.clone()), &none()).await.unwrap();
    pool.commit_staged(&c1, staged).await.unwrap();
    pool.discard(draft).await.unwrap();
    for volume in [&c1, &s3] {
        assert_eq!(pool.read(volume, "rootfs/f").await.as_deref(), Some("received"), "{volume}");
    }
    assert_eq!(pool.snapshot_names(&c1).await, ["s1", "s2", "s3"]);

    let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    write(&draft, "rootfs/f", "x").await;
    pool.draft_snapshot(&draft, &snap("s")).await.unwrap();
    pool.discard(draft).await.unwrap();
    pool.end().await;
}

pub(crate) async fn forgotten_ones_go(site: &Site) {
    let pool = site.pool().await;
    let i = pool.image('a').await;
    let c1 = pool.launch("c1", &i).await;
    let one = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    write(&one, "rootfs/f", "x").await;
    pool.draft_snapshot(&one, &snap("s")).await.unwrap();
    let other = pool.draft(still(&c1), &none()).await.unwrap();
    let staged = pool.stage(&c1, still(&i), &none()).await.unwrap();
    assert!(!repaired(&pool).await.is_empty());
    for draft in [&one, &other] {
        assert!(!draft.path().join("rootfs").exists(), "{}", draft.path().display());
    }
    assert_eq!(pool.all().await, [i, c1.clone()]);
    // What was staged waits for whoever staged it.
    pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(repaired(&pool).await, Vec::<std::path::PathBuf>::new());
    pool.end().await;
}
