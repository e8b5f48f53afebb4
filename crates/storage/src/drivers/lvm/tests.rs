//! Real volume groups, on loop devices. They need the kernel's device mapper.

use crate::block;
use crate::config::{DriverKind, VolumeConfig};
use crate::drivers::Driver as _;
use crate::error::{EnsureError, Error};
use crate::loopfile::LoopFile;
use crate::paths::PoolPaths;
use crate::pool::Pool;
use crate::volume::{Kind, Resized, Volume, VolumeSource};
use model::units::Bytes;
use model::{Fingerprint, InstanceName, PoolName, SnapshotName, VolumeName};
use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tools::lvm::Lvm as Tool;

const MIB: u64 = 1 << 20;

fn can(name: &str) -> bool {
    let lacking = [
        (!rustix::process::geteuid().is_root(), "this needs root"),
        (!Path::new("/dev/mapper/control").exists(), "there is no /dev/mapper/control"),
        (!Path::new("/dev/loop-control").exists(), "there are no loop devices"),
        (tools::find("lvm").is_none(), "lvm2 is not installed"),
    ];
    let why = lacking.iter().find(|(lacks, _)| *lacks).map(|(_, why)| why);
    if let Some(why) = why {
        eprintln!("SKIP {name}: {why}");
    }
    why.is_none()
}

/// A daemon's directory with a pool in it.
struct Place {
    var: PathBuf,
    pool: Pool,
    config: BTreeMap<String, String>,
    _temp: tempfile::TempDir,
}

fn map(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
    keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn var() -> tempfile::TempDir {
    let temp = tempfile::tempdir().unwrap();
    for part in ["containers", "snapshots", "storage-pools"] {
        std::fs::create_dir(temp.path().join(part)).unwrap();
    }
    temp
}

async fn place(name: &str, keys: &[(&str, &str)]) -> Place {
    let temp = var();
    let var = temp.path().to_owned();
    let name = PoolName::parse(name).unwrap();
    let (pool, config) = Pool::create(&var, name, DriverKind::Lvm, &map(keys)).await.unwrap();
    Place { var, pool, config, _temp: temp }
}

impl Place {
    /// As the next daemon finds it.
    fn again(&self) -> Pool {
        Pool::open(&self.var, self.pool.name().clone(), DriverKind::Lvm, &self.config).unwrap()
    }

    fn group(&self) -> &str {
        &self.config["lvm.vg_name"]
    }

    async fn end(self) {
        for kind in [Kind::Container, Kind::Custom] {
            for volume in self.pool.volumes(kind).await.unwrap() {
                self.pool.delete_volume(&volume).await.unwrap();
            }
        }
        self.pool.delete().await.unwrap();
        if self.config.get("volatile.initial_source").is_none_or(|source| source.starts_with('/')) {
            assert_eq!(Tool::of_host().group(self.group()).await.unwrap(), None);
        }
        assert!(!self.pool.path().exists());
        if let Ok(mut disks) = std::fs::read_dir(self.var.join("disks")) {
            assert!(disks.next().is_none());
        }
    }
}

fn container(name: &str) -> Volume {
    Volume::Container(InstanceName::parse(name).unwrap())
}

fn custom(name: &str) -> Volume {
    Volume::Custom(VolumeName::parse(name).unwrap())
}

fn snap(name: &str) -> SnapshotName {
    SnapshotName::parse(name).unwrap()
}

fn of(volume: &Volume, name: &str) -> Volume {
    volume.snapshot(&snap(name)).unwrap()
}

fn image() -> Fingerprint {
    Fingerprint::parse(&"ab".repeat(32)).unwrap()
}

fn none() -> VolumeConfig {
    VolumeConfig::default()
}

fn sized(size: u64) -> VolumeConfig {
    VolumeConfig { size: Some(Bytes(size)), ..VolumeConfig::default() }
}

async fn ensure(pool: &Pool) {
    let fingerprint = image();
    let made = pool.ensure_image(&fingerprint, |path| async move {
        assert!(std::fs::read_dir(&path)?.next().is_none(), "a draft is empty");
        std::fs::create_dir(path.join("rootfs"))?;
        std::fs::write(path.join("rootfs/file"), "image")
    });
    made.await.unwrap();
}

/// What a volume's file says; `None`: there is none.
async fn read(pool: &Pool, volume: &Volume) -> Option<String> {
    let mounted = pool.mount_volume(volume, &none()).await.unwrap();
    std::fs::read_to_string(mounted.path().join("rootfs/file")).ok()
}

async fn write(pool: &Pool, volume: &Volume, text: &str) {
    let mounted = pool.mount_volume(volume, &none()).await.unwrap();
    std::fs::write(mounted.path().join("rootfs/file"), text).unwrap();
}

/// What every configuration of a pool can do.
async fn life(name: &str, keys: &[(&str, &str)]) {
    let place = place(name, keys).await;
    let pool = &place.pool;
    ensure(pool).await;
    let (c1, c2, c3) = (container("c1"), container("c-2"), container("c3"));
    pool.make(&c1, VolumeSource::still(Volume::Image(image())), &none()).await.unwrap();
    assert!(matches!(
        pool.make(&c1, VolumeSource::still(Volume::Image(image())), &none()).await,
        Err(Error::VolumeExists { .. })
    ));
    assert_eq!(read(pool, &c1).await.as_deref(), Some("image"));
    let first = pool.mount_volume(&c1, &none()).await.unwrap();
    assert_eq!(first.path().metadata().unwrap().mode() & 0o7777, 0o700);
    for (text, name) in [("one", "s-1"), ("two", "s 2")] {
        write(pool, &c1, text).await;
        pool.make(&of(&c1, name), VolumeSource::still(c1.clone()), &none()).await.unwrap();
    }
    write(pool, &c1, "three").await;
    // All at once, with the same UUID or not.
    let held = pool.mount_volume(&of(&c1, "s-1"), &none()).await.unwrap();
    assert!(std::fs::write(held.path().join("rootfs/file"), "x").is_err(), "snapshots stay as they are");
    assert_eq!(read(pool, &of(&c1, "s-1")).await.as_deref(), Some("one"));
    assert_eq!(read(pool, &of(&c1, "s 2")).await.as_deref(), Some("two"));
    assert_eq!(read(pool, &c1).await.as_deref(), Some("three"));
    drop((held, first));
    assert_eq!(pool.snapshots(&c1).await.unwrap(), [snap("s 2"), snap("s-1")]);

    let along = vec![snap("s-1"), snap("s 2")];
    let source = VolumeSource::Volume { volume: c1.clone(), snapshots: along, running: false };
    pool.make(&c2, source, &none()).await.unwrap();
    assert_eq!(read(pool, &of(&c2, "s-1")).await.as_deref(), Some("one"));
    assert_eq!(read(pool, &c2).await.as_deref(), Some("three"));
    pool.make(&c3, VolumeSource::still(of(&c1, "s 2")), &none()).await.unwrap();
    assert_eq!(read(pool, &c3).await.as_deref(), Some("two"));

    // Any snapshot is restored, and the newer ones stay; twice is as good as once.
    let staged = pool.stage(&c1, VolumeSource::still(of(&c1, "s-1")), &none()).await.unwrap();
    assert_eq!(read(pool, &c1).await.as_deref(), Some("three"));
    pool.commit_staged(&c1, staged.clone()).await.unwrap();
    place.again().commit_staged(&c1, staged).await.unwrap();
    assert_eq!(read(pool, &c1).await.as_deref(), Some("one"));
    let staged = pool.stage(&c1, VolumeSource::still(of(&c1, "s 2")), &none()).await.unwrap();
    pool.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(read(pool, &c1).await.as_deref(), Some("two"));
    assert_eq!(read(pool, &of(&c1, "s-1")).await.as_deref(), Some("one"));

    pool.rename(&c1, &container("new")).await.unwrap();
    pool.rename(&c1, &container("new")).await.unwrap();
    let c1 = container("new");
    pool.rename(&of(&c1, "s-1"), &of(&c1, "s1")).await.unwrap();
    assert_eq!(pool.snapshots(&c1).await.unwrap(), [snap("s 2"), snap("s1")]);
    assert_eq!(read(pool, &c1).await.as_deref(), Some("two"));
    assert_eq!(read(pool, &of(&c1, "s1")).await.as_deref(), Some("one"));
    assert_eq!(pool.volumes(Kind::Container).await.unwrap(), [c2.clone(), c3.clone(), c1.clone()]);
    assert_eq!(pool.volumes(Kind::ContainerSnapshot).await.unwrap().len(), 4);

    assert!(pool.delete_volume(&Volume::Image(image())).await.unwrap());
    assert!(pool.delete_volume(&of(&c1, "s1")).await.unwrap());
    assert!(pool.delete_volume(&c1).await.unwrap());
    assert!(!pool.delete_volume(&c1).await.unwrap());
    assert_eq!(pool.volumes(Kind::ContainerSnapshot).await.unwrap().len(), 2);
    assert_eq!(read(pool, &c2).await.as_deref(), Some("three"));
    pool.settle().await.unwrap();
    let repaired = pool.repair().await.unwrap();
    assert!(repaired.removed.is_empty() && repaired.failed.is_empty(), "{repaired:?}");
    place.end().await;
}

#[tokio::test]
async fn ext4_in_a_thin_pool() {
    if can("ext4_in_a_thin_pool") {
        life("lvmtest1", &[("size", "3GiB"), ("volume.size", "200MiB")]).await;
    }
}

#[tokio::test]
async fn btrfs_in_a_thin_pool() {
    if can("btrfs_in_a_thin_pool") {
        let keys = [("size", "3GiB"), ("volume.size", "200MiB"), ("volume.block.filesystem", "btrfs")];
        life("lvm test-2", &keys).await;
    }
}

#[tokio::test]
async fn xfs_in_a_thin_pool() {
    if can("xfs_in_a_thin_pool") {
        let keys = [
            ("size", "4GiB"),
            ("volume.size", "320MiB"),
            ("volume.block.filesystem", "xfs"),
            ("volume.block.mount_options", "noatime,discard"),
        ];
        life("lvmtest3", &keys).await;
    }
}

#[tokio::test]
async fn ext4_without_a_thin_pool() {
    if can("ext4_without_a_thin_pool") {
        life("lvmtest4", &[("size", "3GiB"), ("volume.size", "64MiB"), ("lvm.use_thinpool", "false")]).await;
    }
}

#[tokio::test]
async fn btrfs_without_a_thin_pool() {
    if can("btrfs_without_a_thin_pool") {
        let keys = [
            ("size", "4GiB"),
            ("volume.size", "128MiB"),
            ("lvm.use_thinpool", "false"),
            ("volume.block.filesystem", "btrfs"),
        ];
        life("lvmtest5", &keys).await;
    }
}

#[tokio::test]
async fn volumes_grow_and_shrink() {
    if !can("volumes_grow_and_shrink") {
        return;
    }
    let place = place("lvmtest6", &[("size", "3GiB"), ("volume.size", "256MiB")]).await;
    let pool = &place.pool;
    let data = custom("data.x_y z");
    pool.make(&data, VolumeSource::Empty, &none()).await.unwrap();
    let total = |pool: &Pool, volume: &Volume| {
        let stat = rustix::fs::statvfs(pool.volume_path(volume)).unwrap();
        stat.f_blocks * stat.f_frsize
    };
    {
        let mounted = pool.mount_volume(&data, &none()).await.unwrap();
        assert!(std::fs::read_dir(mounted.path()).unwrap().next().is_none());
        assert_eq!(mounted.path().metadata().unwrap().mode() & 0o7777, 0o711);
        std::fs::write(mounted.path().join("file"), vec![1; 100 << 20]).unwrap();
        assert!(total(pool, &data) < 256 * MIB);
        assert_eq!(pool.resize(&data, &sized(512 * MIB)).await.unwrap(), Resized::Now);
        assert!(total(pool, &data) > 400 * MIB);
        assert_eq!(pool.resize(&data, &sized(300 * MIB)).await.unwrap(), Resized::Later);
        let used = pool.known_usage(&data).await.unwrap().unwrap();
        assert!((100 * MIB..140 * MIB).contains(&used), "{used}");
    }
    pool.unmount_unused(&data).await.unwrap();
    let used = pool.known_usage(&data).await.unwrap().unwrap();
    assert!((100 * MIB..140 * MIB).contains(&used), "{used}");
    assert_eq!(pool.resize(&data, &sized(300 * MIB)).await.unwrap(), Resized::Now);
    let error = pool.resize(&data, &sized(64 * MIB)).await.unwrap_err();
    assert!(error.to_string().contains("does not fit"), "{error}");
    let mounted = pool.mount_volume(&data, &none()).await.unwrap();
    assert!((200 * MIB..300 * MIB).contains(&total(pool, &data)));
    assert_eq!(std::fs::read(mounted.path().join("file")).unwrap().len(), 100 << 20);
    drop(mounted);
    let resources = pool.resources().await.unwrap();
    assert!(resources.space_used > 50 * MIB && resources.space_total > 2 << 30, "{resources:?}");

    // From an image, with sizes of their own: by a clone, and for an XFS that would have to shrink by files.
    ensure(pool).await;
    let (small, large) = (container("small"), container("large"));
    for (volume, size) in [(&small, 100 * MIB), (&large, 400 * MIB)] {
        pool.make(volume, VolumeSource::still(Volume::Image(image())), &sized(size)).await.unwrap();
        assert_eq!(read(pool, volume).await.as_deref(), Some("image"));
        let _mounted = pool.mount_volume(volume, &none()).await.unwrap();
        assert!((size / 2..=size).contains(&total(pool, volume)));
    }
    let refused = VolumeConfig { mount_options: Some("journal_path=/dev/vda".into()), ..none() };
    assert!(pool.make(&custom("bad"), VolumeSource::Empty, &refused).await.is_err());
    assert!(!pool.has(&custom("bad")).await.unwrap());
    place.end().await;
}

#[tokio::test]
async fn pools_are_renamed_and_grow() {
    if !can("pools_are_renamed_and_grow") {
        return;
    }
    let mut place = place("lvmtest7", &[("size", "1GiB"), ("volume.size", "128MiB")]).await;
    let c1 = container("c1");
    ensure(&place.pool).await;
    place.pool.make(&c1, VolumeSource::still(Volume::Image(image())), &none()).await.unwrap();
    let mounted = place.pool.mount_volume(&c1, &none()).await.unwrap();
    let mut new = place.config.clone();
    new.extend(map(&[("lvm.vg_name", "lvmtest7-b"), ("lvm.thinpool_name", "thin2"), ("size", "2GiB")]));
    let (pool, recorded) = place.pool.update(&place.config, &new).await.unwrap();
    assert_eq!(recorded, new);
    assert!(pool.resources().await.unwrap().space_total > 1800 * MIB);
    assert_eq!(std::fs::read_to_string(mounted.path().join("rootfs/file")).unwrap(), "image");
    drop(mounted);
    assert!(pool.unmount().await.unwrap());
    (place.pool, place.config) = (pool, recorded);
    place.pool = place.again();
    assert!(place.pool.mount().await.unwrap() && !place.pool.mount().await.unwrap());
    assert_eq!(read(&place.pool, &c1).await.as_deref(), Some("image"));
    for (key, value) in [("size", "1GiB"), ("lvm.vg_name", "a b"), ("lvm.thinpool_name", "images_x")] {
        let mut wrong = place.config.clone();
        wrong.insert(key.into(), value.into());
        assert!(place.pool.update(&place.config, &wrong).await.is_err(), "{key}");
    }
    place.end().await;
}

#[tokio::test]
async fn sources_of_all_forms() {
    if !can("sources_of_all_forms") {
        return;
    }
    let temp = tempfile::tempdir().unwrap();
    let disk = LoopFile::at(temp.path().join("disk"));
    disk.create(Bytes(1 << 30)).await.unwrap();
    let device = disk.attach().await.unwrap();
    let source = device.to_str().unwrap();
    // A device.
    let first = place("lvmtest8", &[("source", source), ("volume.size", "64MiB")]).await;
    assert_eq!(first.config["source"], "lvmtest8");
    assert_eq!(first.config["volatile.initial_source"], source);
    let other = async |keys: &[(&str, &str)]| {
        let temp = var();
        let name = PoolName::parse("other").unwrap();
        let made = Pool::create(temp.path(), name, DriverKind::Lvm, &map(keys)).await;
        assert!(!temp.path().join("storage-pools/other").exists());
        made.map(drop).unwrap_err().to_string()
    };
    let error = other(&[("source", "lvmtest8")]).await;
    assert!(error.contains("storage pool lvmtest8"), "{error}");
    let error = other(&[("source", source)]).await;
    assert!(error.contains(source), "{error}");
    first.end().await;
    // A volume group with something in it; with a thin pool; of nothing.
    let tool = Tool::of_host();
    tool.create_group("lvmtest9", &device, "x").await.unwrap();
    tool.create("lvmtest9", None, "root", 8 * MIB, None).await.unwrap();
    let error = other(&[("source", "lvmtest9")]).await;
    assert!(error.contains("logical volume root"), "{error}");
    tool.remove("lvmtest9", &["root".to_owned()]).await.unwrap();
    tool.create_pool("lvmtest9", "mine", 8 * MIB, "theirs").await.unwrap();
    let error = other(&[("source", "lvmtest9")]).await;
    assert!(error.contains("lvm.thinpool_name to mine"), "{error}");
    assert!(other(&[("source", "lvmtest9"), ("lvm.vg_name", "x")]).await.contains("lvm.vg_name"));
    assert!(other(&[("source", "nosuch")]).await.contains("no such LVM volume group"));
    let keys = [("source", "lvmtest9"), ("lvm.thinpool_name", "mine"), ("volume.size", "64MiB")];
    let second = place("p9", &keys).await;
    second.pool.make(&custom("v"), VolumeSource::Empty, &none()).await.unwrap();
    // Its disk is gone, and comes back.
    assert!(second.pool.unmount_unused(&custom("v")).await.is_ok());
    tool.deactivate_group("lvmtest9").await.unwrap();
    disk.detach().await.unwrap();
    let error = second.again().mount().await.unwrap_err().to_string();
    assert!(error.contains("no LVM volume group lvmtest9"), "{error}");
    disk.attach().await.unwrap();
    second.again().mount().await.unwrap();
    assert!(second.pool.has(&custom("v")).await.unwrap());
    second.end().await;
    // What was there before stays, as it was.
    let left = tool.volumes("lvmtest9").await.unwrap().unwrap();
    assert_eq!(left.iter().map(|found| found.name.as_str()).collect::<Vec<_>>(), ["mine"]);
    assert_eq!(tool.group("lvmtest9").await.unwrap().unwrap().tags, ["x"]);
    tool.remove_group("lvmtest9").await.unwrap();
    tool.forget_device(&device).await.unwrap();
    // Something that may be needed.
    let device = disk.attach().await.unwrap();
    block::make(&device, crate::config::Filesystem::Ext4, true).await.unwrap();
    let error = other(&[("source", device.to_str().unwrap())]).await;
    assert!(error.contains("it holds data (ext4)"), "{error}");
    disk.remove().await.unwrap();
}

#[tokio::test]
async fn full_pools_say_how_much_is_missing() {
    if !can("full_pools_say_how_much_is_missing") {
        return;
    }
    let place1 = place("lvmtest10", &[("size", "256MiB"), ("volume.size", "1GiB")]).await;
    let pool = &place1.pool;
    let c1 = container("c1");
    ensure(pool).await;
    pool.make(&c1, VolumeSource::still(Volume::Image(image())), &none()).await.unwrap();
    let big = Fingerprint::parse(&"cd".repeat(32)).unwrap();
    let made = pool.ensure_image(&big, |path| async move {
        std::fs::create_dir(path.join("rootfs"))?;
        std::fs::write(path.join("rootfs/big"), vec![5; 400 << 20])
    });
    let error = made.await.unwrap_err();
    let EnsureError::Storage(Error::Full { missing, .. }) = &error else { panic!("{error}") };
    assert!(missing.0 > 100 * MIB, "{error}");
    assert!(!pool.has(&Volume::Image(big)).await.unwrap());
    assert_eq!(read(pool, &c1).await.as_deref(), Some("image"));
    write(pool, &c1, "still there").await;
    assert_eq!(read(pool, &c1).await.as_deref(), Some("still there"));
    place1.end().await;

    let keys = [("size", "256MiB"), ("volume.size", "100MiB"), ("lvm.use_thinpool", "false")];
    let place2 = place("lvmtest11", &keys).await;
    let pool = &place2.pool;
    pool.make(&custom("a"), VolumeSource::Empty, &none()).await.unwrap();
    pool.make(&custom("b"), VolumeSource::Empty, &none()).await.unwrap();
    let error =
        pool.make(&of(&custom("a"), "s"), VolumeSource::still(custom("a")), &none()).await.unwrap_err();
    let Error::Full { missing, .. } = &error else { panic!("{error}") };
    assert!((40 * MIB..100 * MIB).contains(&missing.0), "{error}");
    assert!(
        pool.make(&custom("c"), VolumeSource::Empty, &none())
            .await
            .unwrap_err()
            .to_string()
            .contains("is full")
    );
    assert!(pool.resize(&custom("a"), &sized(300 * MIB)).await.is_err());
    place2.end().await;
}

#[tokio::test]
async fn crashes_leave_nothing_behind() {
    if !can("crashes_leave_nothing_behind") {
        return;
    }
    let place = place("lvmtest12", &[("size", "1GiB"), ("volume.size", "64MiB")]).await;
    let (pool, group) = (&place.pool, place.group());
    ensure(pool).await;
    let (c1, c2) = (container("c1"), container("c2"));
    for volume in [&c1, &c2] {
        pool.make(volume, VolumeSource::still(Volume::Image(image())), &none()).await.unwrap();
        pool.make(&of(volume, "s0"), VolumeSource::still(volume.clone()), &none()).await.unwrap();
    }
    // A draft, and a volume that got half of its names.
    let draft = pool.draft(VolumeSource::still(c1.clone()), &none()).await.unwrap();
    pool.draft_snapshot(&draft, &snap("s0")).await.unwrap();
    let device =
        LoopFile::of(&PoolPaths::new(&place.var, pool.name()), pool.name()).device().await.unwrap().unwrap();
    let tool = Tool::of_device(&device);
    tool.rename(group, "containers_c2", "new_containers_c2").await.unwrap();
    // A snapshot that somebody looks at, and a restore that came to its middle.
    let view = pool.mount_volume(&of(&c1, "s0"), &none()).await.unwrap();
    std::mem::forget(view);
    write(pool, &c1, "changed").await;
    let staged = pool.stage(&c1, VolumeSource::still(of(&c1, "s0")), &none()).await.unwrap();
    pool.unmount_unused(&c1).await.unwrap();
    tool.rename(group, "containers_c1", "trash_1").await.unwrap();

    let next = place.again();
    next.mount().await.unwrap();
    let repaired = next.repair().await.unwrap();
    assert!(repaired.failed.is_empty(), "{repaired:?}");
    next.settle().await.unwrap();
    next.commit_staged(&c1, staged.clone()).await.unwrap();
    next.commit_staged(&c1, staged).await.unwrap();
    assert_eq!(read(&next, &c1).await.as_deref(), Some("image"));
    let names = |list: Vec<tools::lvm::Logical>| list.into_iter().map(|found| found.name).collect::<Vec<_>>();
    let mut left = names(tool.volumes(group).await.unwrap().unwrap());
    left.retain(|name| !name.starts_with("images_") && !name.starts_with("view_"));
    left.sort();
    assert_eq!(left, ["LXDThinpool", "containers_c1", "containers_c1-s0"]);
    assert_eq!(next.snapshots(&c1).await.unwrap(), [snap("s0")]);
    assert_eq!(read(&next, &of(&c1, "s0")).await.as_deref(), Some("image"));

    // One that somebody still uses loses its name at once, and its space later.
    let mounted = next.mount_volume(&c1, &none()).await.unwrap();
    let open = std::fs::File::open(mounted.path().join("rootfs/file")).unwrap();
    assert!(next.delete_volume(&c1).await.unwrap());
    assert!(!next.has(&c1).await.unwrap());
    drop((open, mounted));
    next.settle().await.unwrap();
    place.end().await;
}

#[tokio::test]
async fn unusual_names_and_other_file_systems() {
    if !can("unusual_names_and_other_file_systems") {
        return;
    }
    let mut place = place("lvmtest13", &[("size", "2GiB"), ("volume.size", "128MiB")]).await;
    let pool = &place.pool;
    let long = "a-".repeat(31) + "b";
    let odd = ["a-", "b--", "x--help", "ä ö", "_tdata", "x'\"$(reboot)`", long.as_str(), &"ü".repeat(120)];
    for name in odd {
        let volume = custom(name);
        pool.make(&volume, VolumeSource::Empty, &none()).await.unwrap();
        pool.make(&of(&volume, name), VolumeSource::still(volume.clone()), &none()).await.unwrap();
        let other = custom(&format!("{name}-"));
        pool.rename(&volume, &other).await.unwrap();
        assert_eq!(pool.snapshots(&other).await.unwrap(), [snap(name)]);
        let _mounted = pool.mount_volume(&of(&other, name), &none()).await.unwrap();
    }
    assert_eq!(pool.volumes(Kind::Custom).await.unwrap().len(), odd.len());
    // New volumes get another file system: images are made anew, and what was there stays as it is.
    ensure(pool).await;
    let (c1, c2) = (container("c1"), container("c2"));
    pool.make(&c1, VolumeSource::still(Volume::Image(image())), &none()).await.unwrap();
    let mut new = place.config.clone();
    new.insert("volume.block.filesystem".into(), "btrfs".into());
    let (pool, recorded) = place.pool.update(&place.config, &new).await.unwrap();
    (place.pool, place.config) = (pool, recorded);
    let pool = &place.pool;
    assert!(!pool.has(&Volume::Image(image())).await.unwrap());
    ensure(pool).await;
    pool.make(&c2, VolumeSource::still(Volume::Image(image())), &none()).await.unwrap();
    for (volume, magic) in [(&c1, 0xEF53), (&c2, 0x9123_683E)] {
        let mounted = pool.mount_volume(volume, &none()).await.unwrap();
        assert_eq!(rustix::fs::statfs(mounted.path()).unwrap().f_type, magic);
        assert_eq!(read(pool, volume).await.as_deref(), Some("image"));
    }
    place.end().await;
}

#[test]
fn pools_know_what_they_are_on() {
    let paths = PoolPaths::new(Path::new("/var/lib/lxd"), &PoolName::parse("p").unwrap());
    let lvm = |keys: &[(&str, &str)]| {
        let config = crate::PoolConfig::parse(DriverKind::Lvm, &map(keys)).unwrap();
        super::Lvm::new(PoolName::parse("p").unwrap(), &config, paths.clone())
    };
    let group = |keys: &[(&str, &str)]| lvm(keys).group;
    assert_eq!(group(&[]), "p");
    assert_eq!(group(&[("lvm.vg_name", "x")]), "x");
    assert_eq!(group(&[("source", "vg0")]), "vg0");
    assert_eq!(group(&[("source", "vg0"), ("lvm.vg_name", "vg1")]), "vg1");
    assert_eq!(group(&[("source", "/dev/sdb")]), "p");
    let own = lvm(&[("source", "/var/lib/lxd/disks/p.img"), ("lvm.use_thinpool", "false")]);
    assert!(matches!(own.source, super::Source::File(_)) && own.thin.is_none());
    assert!(!own.capabilities().copy_on_write);
}
