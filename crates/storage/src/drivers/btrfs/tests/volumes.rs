//! What happens to volumes.

use super::*;
use crate::volume::{Kind, Resized};
use model::units::Bytes;
use std::os::unix::fs::PermissionsExt as _;

fn mode(pool: &Pool, volume: &Volume) -> u32 {
    pool.volume_path(volume).metadata().unwrap().permissions().mode() & 0o7777
}

#[tokio::test(flavor = "multi_thread")]
async fn volumes_share_their_data_and_outlive_each_other() {
    let Some(host) = Host::new("volumes_share_their_data_and_outlive_each_other") else { return };
    let pool = host.pool("p").await;
    let image = image(&pool).await;
    assert!(is_read_only(&pool.volume_path(&image)) && is_subvolume(&pool.volume_path(&image)));
    pool.make(&c("c1"), of(&image), &none()).await.unwrap();
    write(&pool, &c("c1"), "rootfs/file", "1");
    let snap0 = snapshot(&pool, &c("c1"), "snap0").await;
    write(&pool, &c("c1"), "rootfs/file", "2");
    snapshot(&pool, &c("c1"), "snap1").await;
    write(&pool, &c("c1"), "rootfs/file", "3");
    assert!(is_read_only(&pool.volume_path(&snap0)));
    assert_eq!([&image, &c("c1"), &snap0].map(|volume| mode(&pool, volume)), [0o700; 3]);

    pool.make(&c("c2"), with_snapshots(&c("c1"), &["snap0", "snap1"]), &none()).await.unwrap();
    assert_eq!(pool.snapshots(&c("c2")).await.unwrap(), [s("snap0"), s("snap1")]);
    assert!(pool.make(&c("c2"), of(&image), &none()).await.is_err());
    assert!(pool.delete_volume(&image).await.unwrap());
    assert!(pool.delete_volume(&c("c1")).await.unwrap());
    assert!(!pool.delete_volume(&c("c1")).await.unwrap());
    pool.settle().await.unwrap();
    let c2 = |name: &str| c("c2").snapshot(&s(name)).unwrap();
    assert_eq!(read(&pool, &c("c2"), "rootfs/file"), "3");
    assert_eq!(read(&pool, &c2("snap0"), "rootfs/file"), "1");
    assert_eq!(read(&pool, &c2("snap1"), "rootfs/etc/hostname"), "image");
    assert_eq!(subvolumes(&pool), ["containers/c2", "snapshots/c2/snap0", "snapshots/c2/snap1"]);

    pool.rename(&c("c2"), &c("c3")).await.unwrap();
    pool.rename(&c("c2"), &c("c3")).await.unwrap();
    let of_c3 = |name: &str| c("c3").snapshot(&s(name)).unwrap();
    pool.rename(&of_c3("snap0"), &of_c3("first")).await.unwrap();
    assert_eq!(pool.snapshots(&c("c3")).await.unwrap(), [s("first"), s("snap1")]);
    assert!(pool.delete_volume(&of_c3("first")).await.unwrap());
    pool.make(&of_c3("first"), of(&of_c3("snap1")), &none()).await.unwrap();
    assert_eq!(read(&pool, &of_c3("first"), "rootfs/file"), "2");
    pool.make(&c("empty"), VolumeSource::Empty, &none()).await.unwrap();
    assert!(pool.rootfs_path(&InstanceName::parse("empty").unwrap()).is_dir());
    assert_eq!(pool.volumes(Kind::Container).await.unwrap(), [c("c3"), c("empty")]);
    for name in ["c3", "empty"] {
        pool.delete_volume(&c(name)).await.unwrap();
    }
    pool.delete().await.unwrap();
    assert_gone(&host, "p");
}

#[tokio::test(flavor = "multi_thread")]
async fn any_snapshot_is_restored_and_all_stay() {
    let Some(host) = Host::new("any_snapshot_is_restored_and_all_stay") else { return };
    let pool = host.pool("p").await;
    for volume in [c("c1"), custom("v1")] {
        pool.make(&volume, VolumeSource::Empty, &none()).await.unwrap();
        for text in ["0", "1", "2"] {
            write(&pool, &volume, "file", text);
            snapshot(&pool, &volume, &format!("snap{text}")).await;
        }
        write(&pool, &volume, "file", "now");
        let old = volume.snapshot(&s("snap0")).unwrap();
        let staged = pool.stage(&volume, of(&old), &none()).await.unwrap();
        assert_eq!(read(&pool, &volume, "file"), "now");
        pool.repair().await.unwrap();
        pool.commit_staged(&volume, staged.clone()).await.unwrap();
        pool.commit_staged(&volume, staged).await.unwrap();
        assert_eq!(read(&pool, &volume, "file"), "0");
        assert!(!is_read_only(&pool.volume_path(&volume)));
        assert_eq!(pool.snapshots(&volume).await.unwrap().len(), 3);
        assert_eq!(mode(&pool, &volume), if volume.kind() == Kind::Custom { 0o711 } else { 0o700 });
        assert_eq!(mode(&pool, &old), 0o700);
        let unused = pool.stage(&volume, of(&old), &none()).await.unwrap();
        pool.discard_staged(&volume).await.unwrap();
        assert!(pool.commit_staged(&volume, unused).await.is_err());
    }
    pool.settle().await.unwrap();
    let left = subvolumes(&pool);
    assert_eq!(left.len(), 8, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_become_volumes_of_every_kind() {
    let Some(host) = Host::new("drafts_become_volumes_of_every_kind") else { return };
    let pool = host.pool("p").await;
    for volume in [c("c1"), custom("v1")] {
        let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
        std::fs::write(draft.path().join("file"), "1").unwrap();
        pool.draft_snapshot(&draft, &s("snap0")).await.unwrap();
        std::fs::write(draft.path().join("file"), "2").unwrap();
        pool.finish(draft, &volume).await.unwrap();
        assert_eq!(read(&pool, &volume, "file"), "2");
        assert_eq!(read(&pool, &volume.snapshot(&s("snap0")).unwrap(), "file"), "1");
        assert!(is_read_only(&pool.volume_path(&volume.snapshot(&s("snap0")).unwrap())));
        // A second one of the same name leaves nothing.
        let draft = pool.draft(of(&volume), &none()).await.unwrap();
        pool.draft_snapshot(&draft, &s("snap0")).await.unwrap();
        assert!(pool.finish(draft, &volume).await.is_err());
        pool.delete_volume(&volume).await.unwrap();
    }
    pool.settle().await.unwrap();
    assert_eq!(subvolumes(&pool), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_crash_leaves_is_repaired() {
    let Some(host) = Host::new("what_a_crash_leaves_is_repaired") else { return };
    let (pool, recorded) = host.create("p", &[("size", "300MB")]).await.unwrap();
    pool.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    snapshot(&pool, &c("c1"), "snap0").await;
    let _draft = pool.draft(of(&c("c1")), &none()).await.unwrap();
    let staged = pool.stage(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    for left in ["containers/.tmp-c9-1-1", "containers/.trash-c8-1-1", "snapshots/c1/\u{1}trash-snap9-1-1"] {
        subvolume(&pool.path().join(left));
    }
    subvolume(&pool.path().join("containers/.tmp-c9-1-1/inner"));
    std::fs::create_dir_all(pool.path().join("snapshots/.trash-c8-1-1")).unwrap();
    subvolume(&pool.path().join("snapshots/.trash-c8-1-1/snap0"));
    std::fs::create_dir_all(pool.path().join("snapshots/c7")).unwrap();
    pool.make(&c("c1").snapshot(&s(".trash-mine")).unwrap(), of(&c("c1")), &none()).await.unwrap();
    for half in ["containers/.named-c6", "snapshots/c6/snap0"] {
        std::fs::create_dir_all(pool.path().join(half).parent().unwrap()).unwrap();
        subvolume(&pool.path().join(half));
    }
    let pool = host.reopened("p", &recorded);
    assert!(!pool.mount().await.unwrap());
    let repaired = pool.repair().await.unwrap();
    assert!(repaired.failed.is_empty(), "{repaired:?}");
    assert_eq!(repaired.removed.len(), 6, "{repaired:?}");
    assert!(!pool.path().join("snapshots/c7").exists());
    assert_eq!(
        subvolumes(&pool),
        ["containers/.staged-c1", "containers/c1", "snapshots/c1/.trash-mine", "snapshots/c1/snap0"]
    );
    pool.commit_staged(&c("c1"), staged).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_are_enforced_and_usage_is_counted() {
    let Some(host) = Host::new("sizes_are_enforced_and_usage_is_counted") else { return };
    let pool = host.pool("p").await;
    let image = image(&pool).await;
    pool.make(&c("free"), of(&image), &none()).await.unwrap();
    assert_eq!(pool.known_usage(&c("free")).await.unwrap(), None);
    assert_eq!(pool.resize(&c("free"), &none()).await.unwrap(), Resized::Now);
    let sized = |megabytes: u64| VolumeConfig { size: Some(Bytes(megabytes << 20)), ..none() };
    pool.make(&c("c1"), of(&image), &sized(16)).await.unwrap();
    let fill = |volume: &Volume, megabytes: usize| {
        let file = std::fs::File::create(pool.volume_path(volume).join("rootfs/big")).unwrap();
        let mut file = std::io::BufWriter::new(file);
        let written =
            (0..megabytes).try_for_each(|_| std::io::Write::write_all(&mut file, &vec![7; 1 << 20]));
        written.and_then(|()| file.into_inner().unwrap().sync_all())
    };
    assert!(fill(&c("c1"), 40).is_err(), "the limit holds");
    std::fs::remove_file(pool.volume_path(&c("c1")).join("rootfs/big")).unwrap();
    // A full container is still copied, snapshotted and restored.
    fill(&c("c1"), 10).unwrap();
    let snap = snapshot(&pool, &c("c1"), "snap0").await;
    let staged = pool.stage(&c("c1"), of(&snap), &sized(16)).await.unwrap();
    pool.commit_staged(&c("c1"), staged).await.unwrap();
    assert_eq!(read(&pool, &c("c1"), "rootfs/etc/hostname"), "image");

    fill(&c("free"), 20).unwrap();
    let error = pool.resize(&c("free"), &sized(10)).await.unwrap_err().to_string();
    assert!(error.contains("container free") && error.contains("storage pool p"), "{error}");
    let usage = pool.known_usage(&c("free")).await.unwrap().unwrap();
    assert!((20 << 20..22 << 20).contains(&usage), "{usage}");
    pool.resize(&c("free"), &sized(30)).await.unwrap();
    assert!(fill(&c("free"), 60).is_err());
    pool.resize(&c("free"), &none()).await.unwrap();
    fill(&c("free"), 60).unwrap();
    let groups = || {
        let system = super::super::place::sysfs(pool.path()).unwrap();
        std::fs::read_dir(system.join("qgroups")).unwrap().count()
    };
    let before = groups();
    for _ in 0..3 {
        pool.make(&c("short"), of(&image), &sized(16)).await.unwrap();
        pool.delete_volume(&c("short")).await.unwrap();
        pool.settle().await.unwrap();
    }
    assert!(groups() <= before, "nothing counts what is gone");
    let resources = pool.resources().await.unwrap();
    assert!(resources.space_used > 60 << 20 && resources.space_total > resources.space_used);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_pool_says_so_and_lives_on() {
    let Some(host) = Host::new("a_full_pool_says_so_and_lives_on") else { return };
    let (pool, recorded) = host.create("p", &[("size", "120MB")]).await.unwrap();
    pool.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    let file = std::fs::File::create(pool.volume_path(&c("c1")).join("big")).unwrap();
    let mut file = std::io::BufWriter::new(file);
    while std::io::Write::write_all(&mut file, &vec![7; 1 << 20]).is_ok() {}
    drop(file.into_parts().0);
    let mut number = 0;
    let error = loop {
        number += 1;
        assert!(number < 3000, "it never was full");
        let (name, path) = (c(&format!("x{number}")), pool.path().to_owned());
        match pool.make(&name, VolumeSource::Empty, &none()).await {
            Ok(()) => {
                let _ = std::fs::write(path.join(format!("containers/x{number}/file")), vec![1; 2000]);
            }
            Err(error) => break error.to_string(),
        }
    };
    assert!(error.contains("storage pool p"), "{error}");
    // Growing helps.
    let mut larger = recorded.clone();
    larger.insert("size".to_owned(), "300MB".to_owned());
    let (pool, _) = pool.update(&recorded, &larger).await.unwrap();
    assert!(pool.resources().await.unwrap().space_total > 250_000_000);
    pool.make(&c("more"), VolumeSource::Empty, &none()).await.unwrap();
    pool.delete_volume(&c("c1")).await.unwrap();
}
