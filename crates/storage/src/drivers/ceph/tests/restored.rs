//! Restored volumes, and what crashes leave.

use super::*;
use crate::volume::Staged;

async fn with_three_snapshots(pool: &Pool, volume: &Volume) {
    pool.make(volume, VolumeSource::Empty, &none()).await.unwrap();
    for word in ["one", "two", "three"] {
        write(pool, volume, word).await;
        pool.make(&of(volume, word), VolumeSource::still(volume.clone()), &none()).await.unwrap();
    }
    write(pool, volume, "now").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_snapshot_is_restored_and_newer_ones_stay() {
    let Some(host) = Host::new("any_snapshot_is_restored_and_newer_ones_stay").await else { return };
    let (pool, config) = host.pool(&[]).await;
    let c1 = c("c1");
    with_three_snapshots(&pool, &c1).await;
    let staged = pool.stage(&c1, VolumeSource::still(of(&c1, "one")), &none()).await.unwrap();
    assert_eq!(read(&pool, &c1).await, "now");
    // Mounted before and after, as somebody who uses it does not expect otherwise.
    let mounted = pool.mount_volume(&c1, &none()).await.unwrap();
    pool.commit_staged(&c1, staged.clone()).await.unwrap();
    assert_eq!(std::fs::read_to_string(mounted.path().join("rootfs/word")).unwrap(), "one");
    std::fs::write(mounted.path().join("rootfs/word"), "later").unwrap();
    drop(mounted);
    pool.unmount_unused(&c1).await.unwrap();
    // Whoever does not know that it was done calls again, and nothing happens.
    let pool = host.reopened(&config).await;
    pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(read(&pool, &c1).await, "later");
    assert_eq!(read(&pool, &of(&c1, "three")).await, "three");
    assert_eq!(pool.snapshots(&c1).await.unwrap(), [snap("one"), snap("three"), snap("two")]);

    let staged = pool.stage(&c1, VolumeSource::still(of(&c1, "two")), &none()).await.unwrap();
    pool.discard_staged(&c1).await.unwrap();
    let gone = pool.commit_staged(&c1, staged).await;
    assert!(matches!(gone, Err(Error::NotStaged { .. })), "{gone:?}");
    pool.delete_volume(&c1).await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(host.devices().await, Vec::<String>::new());
    pool.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn another_content_leaves_the_snapshots_alone() {
    let Some(host) = Host::new("another_content_leaves_the_snapshots_alone").await else { return };
    let (pool, config) = host.pool(&[]).await;
    let c1 = c("c1");
    with_three_snapshots(&pool, &c1).await;
    let draft = pool.draft(VolumeSource::still(c1.clone()), &none()).await.unwrap();
    std::fs::write(draft.path().join("rootfs/word"), "draft").unwrap();
    let stage = |draft: &Draft| VolumeSource::Draft(draft.clone());
    let staged = pool.stage(&c1, stage(&draft), &none()).await.unwrap();
    pool.discard(draft).await.unwrap();
    // The power fails in the middle of the exchange, and again.
    let state = host.state(&config);
    for name in ["one", "two"] {
        let snapshot = names::snapshot(&snap(name));
        state.rbd.snap_protect("container_c1", &snapshot).await.unwrap();
        state.rbd.clone_snapshot("container_c1", &snapshot, &names::device(&of(&c1, name))).await.unwrap();
    }
    let pool = host.reopened(&config).await;
    assert!(pool.repair().await.unwrap().failed.is_empty());
    pool.settle().await.unwrap();
    state.rbd.rename("container_c1", &names::old(&c1)).await.unwrap();
    let pool = host.reopened(&config).await;
    assert!(pool.repair().await.unwrap().failed.is_empty());
    assert_eq!(read(&pool, &c1).await, "now");
    pool.commit_staged(&c1, staged.clone()).await.unwrap();
    pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(read(&pool, &c1).await, "draft");
    for word in ["one", "two", "three"] {
        assert_eq!(read(&pool, &of(&c1, word)).await, word);
    }
    // These are devices of their own now.
    let staged = pool.stage(&c1, VolumeSource::still(of(&c1, "two")), &none()).await.unwrap();
    pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(read(&pool, &c1).await, "two");
    assert_eq!(pool.snapshots(&c1).await.unwrap(), [snap("one"), snap("three"), snap("two")]);
    let never = pool.commit_staged(&c1, Staged(2)).await;
    assert!(matches!(never, Err(Error::NotStaged { .. })), "{never:?}");
    pool.delete_volume(&c1).await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(host.devices().await, Vec::<String>::new());
    pool.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_is_removed() {
    let Some(host) = Host::new("what_a_crash_leaves_is_removed").await else { return };
    let (pool, config) = host.pool(&[]).await;
    unpack(&pool).await;
    let c1 = c("c1");
    pool.make(&c1, VolumeSource::still(image()), &none()).await.unwrap();
    pool.make(&of(&c1, "s"), VolumeSource::still(c1.clone()), &none()).await.unwrap();
    // A draft that is being filled, a snapshot that is being looked at, a copy of which only the base
    // was made, a deleted volume that nobody removed, and a device that was mapped for nothing.
    let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    std::mem::forget(pool.mount_volume(&of(&c1, "s"), &none()).await.unwrap());
    let state = host.state(&config);
    state.base(&c1).await.unwrap();
    state.rbd.create(&names::zombie("container_c9"), 1 << 20).await.unwrap();
    state.rbd.create("custom_idle", 1 << 20).await.unwrap();
    state.map("custom_idle").await.unwrap();
    assert_eq!(host.devices().await.len(), 9);

    let pool = host.reopened(&config).await;
    let repaired = pool.repair().await.unwrap();
    assert!(repaired.failed.is_empty(), "{:?}", repaired.failed);
    pool.settle().await.unwrap();
    assert!(!draft.path().exists() && !pool.volume_path(&of(&c1, "s")).exists());
    assert_eq!(
        host.devices().await,
        ["container_c1", "container_c1@snapshot_s", "custom_idle", "image_A", "image_A@readonly"]
    );
    assert_eq!(state.mappings().await.unwrap(), []);
    assert_eq!(read(&pool, &of(&c1, "s")).await, "image");
    let again = pool.repair().await.unwrap();
    assert!(again.removed.is_empty() && again.failed.is_empty(), "{again:?}");
    for volume in [&c1, &image(), &custom("idle")] {
        pool.delete_volume(volume).await.unwrap();
    }
    pool.delete().await.unwrap();
}
