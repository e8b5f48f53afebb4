//! Volumes: cloned, copied, renamed, resized, deleted with those that share their data.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn clones_outlive_what_they_were_made_of() {
    let Some(host) = Host::new("clones_outlive_what_they_were_made_of").await else { return };
    let (pool, _) = host.pool(&[]).await;
    unpack(&pool).await;
    let (c1, c2, c3) = (c("c1"), c("c2"), c("c3"));
    pool.make(&c1, VolumeSource::still(image()), &none()).await.unwrap();
    assert_eq!(read(&pool, &c1).await, "image");
    let taken = pool.make(&c1, VolumeSource::still(image()), &none()).await;
    assert!(matches!(taken, Err(Error::VolumeExists { .. })), "{taken:?}");
    write(&pool, &c1, "one").await;
    pool.make(&of(&c1, "a b"), VolumeSource::still(c1.clone()), &none()).await.unwrap();
    let taken = pool.make(&of(&c1, "a b"), VolumeSource::still(c1.clone()), &none()).await;
    assert!(matches!(taken, Err(Error::VolumeExists { .. })), "{taken:?}");
    write(&pool, &c1, "two").await;
    assert_eq!(read(&pool, &of(&c1, "a b")).await, "one");
    pool.make(&c2, with_snapshots(&c1, &["a b"]), &none()).await.unwrap();
    pool.make(&c3, VolumeSource::still(of(&c2, "a b")), &none()).await.unwrap();
    assert_eq!(pool.snapshots(&c2).await.unwrap(), [snap("a b")]);
    assert_eq!(pool.volumes(Kind::ContainerSnapshot).await.unwrap(), [of(&c1, "a b"), of(&c2, "a b")]);

    // Everything that they were made of goes, in the order that hurts.
    pool.delete_volume(&image()).await.unwrap();
    assert!(!pool.has(&image()).await.unwrap());
    assert!(pool.delete_volume(&of(&c1, "a b")).await.unwrap());
    assert!(!pool.delete_volume(&of(&c1, "a b")).await.unwrap());
    assert!(pool.delete_volume(&c1).await.unwrap());
    assert!(!pool.delete_volume(&c1).await.unwrap());
    pool.settle().await.unwrap();
    assert_eq!(pool.volumes(Kind::Container).await.unwrap(), [c2.clone(), c3.clone()]);
    assert_eq!(read(&pool, &c2).await, "two");
    assert_eq!(read(&pool, &of(&c2, "a b")).await, "one");
    assert_eq!(read(&pool, &c3).await, "one");
    pool.delete_volume(&c2).await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(read(&pool, &c3).await, "one");
    pool.delete_volume(&c3).await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(host.devices().await, Vec::<String>::new());
    pool.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn names_move_with_their_snapshots() {
    let Some(host) = Host::new("names_move_with_their_snapshots").await else { return };
    let (pool, config) = host.pool(&[]).await;
    let (old, new, other) = (custom("a_b 50%"), custom("größer"), custom("other"));
    pool.make(&old, VolumeSource::Empty, &none()).await.unwrap();
    write(&pool, &old, "one").await;
    pool.make(&of(&old, "x_y"), VolumeSource::still(old.clone()), &none()).await.unwrap();
    write(&pool, &old, "two").await;
    pool.make(&other, VolumeSource::Empty, &none()).await.unwrap();
    // A snapshot of something else, as a refreshed copy has.
    pool.make(&of(&old, "alien"), VolumeSource::still(of(&old, "x_y")), &none()).await.unwrap();
    let taken = pool.rename(&old, &other).await;
    assert!(matches!(taken, Err(Error::VolumeExists { .. })), "{taken:?}");
    // As a crash leaves it: the volume was renamed, one of its snapshots was not.
    host.rbd().rename(&names::device(&old), &names::device(&new)).await.unwrap();
    assert_eq!(pool.snapshots(&old).await.unwrap(), [snap("alien")]);
    pool.rename(&old, &new).await.unwrap();
    pool.rename(&old, &new).await.unwrap();
    pool.rename(&of(&new, "x_y"), &of(&new, "z")).await.unwrap();
    pool.rename(&of(&new, "alien"), &of(&new, "guest")).await.unwrap();
    assert_eq!(pool.volumes(Kind::Custom).await.unwrap(), [new.clone(), other.clone()]);
    assert_eq!(pool.snapshots(&new).await.unwrap(), [snap("guest"), snap("z")]);
    let pool = host.reopened(&config).await;
    assert_eq!(read(&pool, &new).await, "two");
    assert_eq!(read(&pool, &of(&new, "guest")).await, "one");
    assert_eq!(read(&pool, &of(&new, "z")).await, "one");
    let gone = pool.rename(&old, &custom("elsewhere")).await;
    assert!(matches!(gone, Err(Error::NoVolume { .. })), "{gone:?}");
    let gone = pool.make(&custom("x"), VolumeSource::still(old.clone()), &none()).await;
    assert!(matches!(gone, Err(Error::NoVolume { .. })), "{gone:?}");
    for volume in [&new, &other] {
        pool.delete_volume(volume).await.unwrap();
    }
    pool.settle().await.unwrap();
    assert_eq!(host.devices().await, Vec::<String>::new());
    pool.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_change_while_mounted_or_not() {
    let Some(host) = Host::new("sizes_change_while_mounted_or_not").await else { return };
    let (pool, _) = host.pool(&[]).await;
    unpack(&pool).await;
    let c1 = c("c1");
    pool.make(&c1, VolumeSource::still(image()), &size("96MiB")).await.unwrap();
    let space = |path: &Path| {
        let stat = rustix::fs::statvfs(path).unwrap();
        (stat.f_blocks * stat.f_frsize) >> 20
    };
    let mounted = pool.mount_volume(&c1, &none()).await.unwrap();
    let before = space(mounted.path());
    assert!((70..96).contains(&before), "{before}");
    assert_eq!(pool.resize(&c1, &size("160MiB")).await.unwrap(), Resized::Now);
    assert!(space(mounted.path()) > before + 40);
    assert!(pool.known_usage(&c1).await.unwrap().is_some());
    assert_eq!(pool.resize(&c1, &size("96MiB")).await.unwrap(), Resized::Later);
    drop(mounted);
    pool.unmount_unused(&c1).await.unwrap();
    assert_eq!(pool.resize(&c1, &size("96MiB")).await.unwrap(), Resized::Now);
    assert_eq!(host.rbd().info("container_c1").await.unwrap().unwrap().size, 96 << 20);
    assert_eq!(read(&pool, &c1).await, "image");

    let xfs = VolumeConfig { filesystem: Some(crate::config::Filesystem::Xfs), ..size("320MiB") };
    let data = custom("data");
    pool.make(&data, VolumeSource::Empty, &xfs).await.unwrap();
    write(&pool, &data, "xfs").await;
    let refused = pool.resize(&data, &size("310MiB")).await.unwrap_err().to_string();
    assert!(refused.contains("xfs"), "{refused}");
    pool.make(&of(&data, "s"), VolumeSource::still(data.clone()), &xfs).await.unwrap();
    let beside = pool.mount_volume(&data, &xfs).await.unwrap();
    assert_eq!(read(&pool, &of(&data, "s")).await, "xfs");
    drop(beside);
    pool.unmount_unused(&data).await.unwrap();
    for volume in [&c1, &data, &image()] {
        pool.delete_volume(volume).await.unwrap();
    }
    pool.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_btrfs_and_its_copies_are_mounted_side_by_side() {
    let Some(host) = Host::new("a_btrfs_and_its_copies_are_mounted_side_by_side").await else { return };
    let (pool, _) = host
        .pool(&[
            ("volume.block.filesystem", "btrfs"),
            ("volume.size", "256MiB"),
            ("ceph.rbd.clone_copy", "false"),
        ])
        .await;
    unpack(&pool).await;
    let (c1, c2) = (c("c1"), c("c2"));
    pool.make(&c1, VolumeSource::still(image()), &none()).await.unwrap();
    pool.make(&of(&c1, "s"), VolumeSource::still(c1.clone()), &none()).await.unwrap();
    pool.make(&c2, with_snapshots(&c1, &["s"]), &none()).await.unwrap();
    let one = pool.mount_volume(&c1, &none()).await.unwrap();
    let other = pool.mount_volume(&c2, &none()).await.unwrap();
    let snapshot = pool.mount_volume(&of(&c1, "s"), &none()).await.unwrap();
    let word = |path: &Path| std::fs::read_to_string(path.join("rootfs/word")).unwrap();
    std::fs::write(one.path().join("rootfs/word"), "one").unwrap();
    assert_eq!(
        (word(one.path()), word(other.path()), word(snapshot.path())),
        ("one".into(), "image".into(), "image".into())
    );
    drop((one, other, snapshot));
    for volume in [&c1, &c2, &of(&c1, "s")] {
        pool.unmount_unused(volume).await.unwrap();
    }
    // Copies have data of their own.
    let parent = host.rbd().info("container_c2").await.unwrap().unwrap().parent;
    assert_eq!(parent, None);
    for volume in [&c1, &image()] {
        pool.delete_volume(volume).await.unwrap();
    }
    pool.settle().await.unwrap();
    assert_eq!(host.devices().await, ["container_c2", "snapshots_c2_s"]);
    pool.delete_volume(&c2).await.unwrap();
    pool.delete().await.unwrap();
}

/// The kernel maps nothing with more than 16 ancestors.
#[tokio::test(flavor = "multi_thread")]
async fn copies_of_copies_have_no_end() {
    let Some(host) = Host::new("copies_of_copies_have_no_end").await else { return };
    let (pool, config) = host.pool(&[]).await;
    let state = host.state(&config);
    pool.make(&c("c0"), VolumeSource::Empty, &none()).await.unwrap();
    write(&pool, &c("c0"), "first").await;
    for generation in 1..=17 {
        let (from, to) = (c(&format!("c{}", generation - 1)), c(&format!("c{generation}")));
        state.make(&to, &VolumeSource::still(from.clone()), &none()).await.unwrap();
        state.delete_volume(&from).await.unwrap();
    }
    state.removals.settle().await.unwrap();
    assert_eq!(read(&pool, &c("c17")).await, "first");
    state.delete_volume(&c("c17")).await.unwrap();
    state.removals.settle().await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(host.devices().await, Vec::<String>::new());
    pool.delete().await.unwrap();
}
