//! What a pool may be on, and what becomes of it.

use super::*;

async fn refused(host: &Host, config: &[(&str, &str)]) -> String {
    let error = host.create("p", config).await.map(drop).unwrap_err();
    assert!(!host.var().join("storage-pools/p").exists(), "something remains after {error}");
    let disks = std::fs::read_dir(host.var().join("disks")).into_iter().flatten().count();
    assert_eq!(disks, 0, "something remains after {error}");
    error.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_file_is_made_mounted_and_removed() {
    let Some(host) = Host::new("a_loop_file_is_made_mounted_and_removed") else { return };
    let (pool, recorded) = host.create("p", &[]).await.unwrap();
    let file = host.var().join("disks/p.img");
    assert_eq!(recorded.get("source").map(String::as_str), file.to_str());
    let size = recorded.get("size").cloned().unwrap();
    assert!(size.ends_with("GB"), "{size}");
    assert!(!recorded.contains_key("volatile.initial_source"));
    assert!(host.create("p", &[]).await.is_err());
    assert!(is_mounted(pool.path()));
    for part in ["containers", "snapshots", "images", "custom", "custom-snapshots"] {
        assert!(is_subvolume(&pool.path().join(part)), "{part}");
    }
    let pool = host.reopened("p", &recorded);
    assert!(!pool.mount().await.unwrap());
    assert!(pool.unmount().await.unwrap());
    assert!(!pool.unmount().await.unwrap());
    assert!(pool.mount().await.unwrap());
    pool.delete().await.unwrap();
    assert_gone(&host, "p");
    // Others look at all devices now and then, which keeps one for a moment.
    let attached = || run("losetup", &["--list".as_ref(), "--output".as_ref(), "BACK-FILE".as_ref()]);
    let mut tries = 0;
    while attached().contains(file.to_str().unwrap()) {
        tries += 1;
        assert!(tries < 50, "{}", attached());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_loop_file_that_is_gone_is_named() {
    let Some(host) = Host::new("a_loop_file_that_is_gone_is_named") else { return };
    let (pool, recorded) = host.create("p", &[("size", "300MB")]).await.unwrap();
    pool.unmount().await.unwrap();
    let (file, away) = (host.var().join("disks/p.img"), host.dir.path().join("away"));
    std::fs::rename(&file, &away).unwrap();
    let pool = host.reopened("p", &recorded);
    let error = pool.mount().await.unwrap_err().to_string();
    assert!(error.contains("disks/p.img") && error.contains("gone"), "{error}");
    std::fs::rename(&away, &file).unwrap();
    assert!(pool.mount().await.unwrap());
    // What cannot be seen is not taken for nothing.
    pool.make(&custom("v1"), VolumeSource::Empty, &none()).await.unwrap();
    pool.unmount().await.unwrap();
    assert!(matches!(pool.delete().await, Err(crate::Error::PoolInUse { .. })));
    assert!(file.exists() && pool.has(&custom("v1")).await.unwrap());
    pool.unmount().await.unwrap();
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, vec![0; 300_000_000]).unwrap();
    assert!(pool.delete().await.is_err() && file.exists());
    std::fs::write(&file, whole).unwrap();
    assert!(pool.mount().await.unwrap());
    pool.unmount().await.unwrap();
    std::fs::remove_file(&file).unwrap();
    pool.delete().await.unwrap();
    assert_gone(&host, "p");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_creation_that_was_killed_is_forgotten() {
    let Some(host) = Host::new("a_creation_that_was_killed_is_forgotten") else { return };
    let (pool, _) = host.create("p", &[("size", "300MB")]).await.unwrap();
    let disks = host.var().join("disks");
    std::fs::rename(disks.join("p.img"), disks.join("p.new")).unwrap();
    assert!(is_mounted(pool.path()));
    let (pool, _) = host.create("p", &[("size", "200MB")]).await.unwrap();
    assert!(pool.resources().await.unwrap().space_total < 250_000_000);
    pool.delete().await.unwrap();
    assert_gone(&host, "p");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_is_known_by_its_file_system() {
    let Some(host) = Host::new("a_disk_is_known_by_its_file_system") else { return };
    let disk = host.disk("disk");
    let (pool, recorded) = host.create("p", &[("source", &disk.device), ("size", "1GB")]).await.unwrap();
    let uuid = recorded.get("source").cloned().unwrap();
    assert_eq!(uuid.len(), 36, "{uuid}");
    assert_eq!(recorded.get("volatile.initial_source"), Some(&disk.device));
    assert!(!recorded.contains_key("size"));
    pool.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    assert!(pool.unmount().await.unwrap());
    let error = host.create("q", &[("source", &disk.device)]).await.map(drop).unwrap_err().to_string();
    assert!(error.contains(&disk.device) && error.contains("wipefs"), "{error}");
    let pool = host.reopened("p", &recorded);
    assert!(pool.mount().await.unwrap());
    assert!(pool.has(&c("c1")).await.unwrap());
    pool.unmount().await.unwrap();
    let device = disk.device.clone();
    drop(disk);
    let error = pool.mount().await.unwrap_err().to_string();
    assert!(error.contains(&device) && error.contains(&uuid), "{error}");
    let disk = host.disk_again("disk");
    pool.mount().await.unwrap();
    pool.delete_volume(&c("c1")).await.unwrap();
    pool.delete().await.unwrap();
    assert_gone(&host, "p");
    // It is free for the next one.
    host.create("p", &[("source", &disk.device)]).await.unwrap().0.delete().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn subvolumes_and_paths_on_btrfs_are_bound() {
    let Some(host) = Host::new("subvolumes_and_paths_on_btrfs_are_bound") else { return };
    let disk = host.disk("disk");
    let at = host.mounted(&disk);
    let path = |name: &str| at.join(name).display().to_string();
    subvolume(&at.join("empty"));
    subvolume(&at.join("full"));
    std::fs::write(at.join("full/file"), "mine").unwrap();
    std::fs::create_dir(at.join("directory")).unwrap();
    for name in ["empty", "new", "directory"] {
        let (pool, recorded) = host.create("p", &[("source", path(name).as_str())]).await.unwrap();
        assert_eq!(recorded.get("source"), Some(&path(name)));
        assert!(is_subvolume(&at.join(name)) && is_mounted(pool.path()));
        pool.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
        assert!(at.join(name).join("containers/c1/rootfs").is_dir());
        assert!(pool.unmount().await.unwrap() && pool.mount().await.unwrap());
        subvolume(&pool.volume_path(&c("c1")).join("rootfs/inner"));
        snapshot(&pool, &c("c1"), "snap0").await;
        pool.delete_volume(&c("c1")).await.unwrap();
        let error = pool
            .update(
                &recorded,
                &map(&[
                    ("source", path(name).as_str()),
                    ("size", "1GB"),
                    ("volatile.initial_source", path(name).as_str()),
                ]),
            )
            .await
            .map(drop)
            .unwrap_err();
        assert!(error.to_string().contains("loop file"), "{error}");
        pool.delete().await.unwrap();
        assert_gone(&host, "p");
        assert!(!at.join(name).exists());
    }
    assert!(refused(&host, &[("source", path("full").as_str())]).await.contains("not empty"));
    assert_eq!(std::fs::read_to_string(at.join("full/file")).unwrap(), "mine");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemons_directory_may_be_on_btrfs() {
    let Some(host) = Host::new("the_daemons_directory_may_be_on_btrfs") else { return };
    let disk = host.disk("disk");
    let var = host.mounted(&disk).join("var");
    for part in ["containers", "snapshots"] {
        std::fs::create_dir_all(var.join(part)).unwrap();
    }
    let source = var.join("storage-pools/p").display().to_string();
    let name = PoolName::parse("p").unwrap();
    let config = map(&[("source", source.as_str())]);
    let (pool, recorded) = Pool::create(&var, name.clone(), DriverKind::Btrfs, &config).await.unwrap();
    pool.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    subvolume(&pool.volume_path(&c("c1")).join("rootfs/inner"));
    pool.make(&c("c2"), of(&c("c1")), &none()).await.unwrap();
    assert!(is_subvolume(&pool.volume_path(&c("c2")).join("rootfs/inner")));
    let pool = Pool::open(&var, name, DriverKind::Btrfs, &recorded).unwrap();
    assert!(!pool.mount().await.unwrap() && !pool.unmount().await.unwrap());
    assert!(pool.has(&c("c2")).await.unwrap());
    for name in ["c1", "c2"] {
        pool.delete_volume(&c(name)).await.unwrap();
    }
    pool.delete().await.unwrap();
    assert!(!var.join("storage-pools/p").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn sources_that_cannot_be_used_leave_nothing() {
    let Some(host) = Host::new("sources_that_cannot_be_used_leave_nothing") else { return };
    let outside = host.dir.path().join("outside").display().to_string();
    let inside = host.var().join("pool").display().to_string();
    let file = host.dir.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let file = file.display().to_string();
    for (source, why) in [
        ("relative", "absolute path"),
        ("/srv/../etc", "absolute path"),
        (outside.as_str(), "neither a disk nor on a btrfs"),
        (inside.as_str(), "inside the daemon's directory"),
        (file.as_str(), "loop file"),
        ("3ed588c2-a4ee-41db-9bcb-6802300fbf09", "path of the disk"),
    ] {
        let error = refused(&host, &[("source", source)]).await;
        assert!(error.contains(why), "{source}: {error}");
    }
    assert!(refused(&host, &[("size", "1MB")]).await.contains("too few"));
    assert!(refused(&host, &[("btrfs.mount_options", "subvol=x")]).await.contains("subvol=x"));
}

#[tokio::test(flavor = "multi_thread")]
async fn size_and_mount_options_change_live() {
    let Some(host) = Host::new("size_and_mount_options_change_live") else { return };
    let given = [("size", "200MB"), ("btrfs.mount_options", "noatime,compress=zstd")];
    let (pool, mut recorded) = host.create("p", &given).await.unwrap();
    let options = || {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
        let line =
            mounts.lines().find(|line| line.contains(pool.path().to_str().unwrap())).unwrap().to_owned();
        line.split(' ').nth(3).unwrap().to_owned()
    };
    assert!(options().contains("noatime") && options().contains("compress=zstd"), "{}", options());
    let mut new = recorded.clone();
    new.insert("btrfs.mount_options".to_owned(), "user_subvol_rm_allowed".to_owned());
    new.insert("size".to_owned(), "400MB".to_owned());
    let before = pool.resources().await.unwrap().space_total;
    let (pool2, changed) = pool.update(&recorded, &new).await.unwrap();
    assert!(!options().contains("noatime") && !options().contains("compress"), "{}", options());
    assert!(options().contains("user_subvol_rm_allowed"), "{}", options());
    assert!(pool2.resources().await.unwrap().space_total > before + 150_000_000);
    recorded = changed;
    for (key, value, why) in
        [("size", "300MB", "only grows"), ("btrfs.mount_options", "bogus", "mount option")]
    {
        let mut bad = recorded.clone();
        bad.insert(key.to_owned(), value.to_owned());
        let error = pool2.update(&recorded, &bad).await.map(drop).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
    pool2.unmount().await.unwrap();
    pool2.mount().await.unwrap();
    assert!(pool2.resources().await.unwrap().space_total > before + 150_000_000);
}
