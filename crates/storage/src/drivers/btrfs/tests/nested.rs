//! Subvolumes that containers make.

use super::*;
use std::os::unix::fs::symlink;

/// A container with subvolumes in subvolumes, one of them read-only.
async fn container(pool: &Pool, name: &str) -> Volume {
    let volume = c(name);
    pool.make(&volume, VolumeSource::Empty, &none()).await.unwrap();
    let path = pool.volume_path(&volume);
    for inner in ["rootfs/a", "rootfs/a/b", "rootfs/a/b/c", "rootfs/ro"] {
        subvolume(&path.join(inner));
        write(pool, &volume, &format!("{inner}/file"), inner);
    }
    let ro = path.join("rootfs/ro");
    run("btrfs", &["property", "set", "-ts", ro.to_str().unwrap(), "ro", "true"].map(AsRef::as_ref));
    volume
}

fn assert_whole(pool: &Pool, volume: &Volume) {
    for inner in ["rootfs/a", "rootfs/a/b", "rootfs/a/b/c", "rootfs/ro"] {
        assert!(is_subvolume(&pool.volume_path(volume).join(inner)), "{volume} {inner}");
        assert_eq!(read(pool, volume, &format!("{inner}/file")), inner, "{volume}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_copied_restored_and_deleted() {
    let Some(host) = Host::new("they_are_copied_restored_and_deleted") else { return };
    let pool = host.pool("p").await;
    let knows = |volume: &Volume| {
        let directory = std::fs::File::open(pool.volume_path(volume)).unwrap();
        sys::ioctl_btrfs::has_subvolumes(std::os::fd::AsFd::as_fd(&directory)).unwrap()
    };
    pool.make(&c("c0"), VolumeSource::Empty, &none()).await.unwrap();
    assert!(!knows(&c("c0")));
    pool.delete_volume(&c("c0")).await.unwrap();
    let c1 = container(&pool, "c1").await;
    assert!(knows(&c1));
    let snap = snapshot(&pool, &c1, "snap0").await;
    assert_whole(&pool, &snap);
    for inner in ["", "rootfs/a", "rootfs/a/b", "rootfs/a/b/c", "rootfs/ro"] {
        assert!(is_read_only(&pool.volume_path(&snap).join(inner)), "{inner}");
    }
    pool.make(&c("c2"), with_snapshots(&c1, &["snap0"]), &none()).await.unwrap();
    assert_whole(&pool, &c("c2"));
    assert_whole(&pool, &c("c2").snapshot(&s("snap0")).unwrap());
    assert!(is_read_only(&pool.volume_path(&c("c2")).join("rootfs/ro")), "it was read-only in the original");
    assert!(!is_read_only(&pool.volume_path(&c("c2")).join("rootfs/a/b/c")));
    write(&pool, &c1, "rootfs/a/b/file", "changed");
    let staged = pool.stage(&c1, of(&snap), &none()).await.unwrap();
    pool.commit_staged(&c1, staged).await.unwrap();
    assert_whole(&pool, &c1);
    assert!(!is_read_only(&pool.volume_path(&c1).join("rootfs/a/b/c")));
    for volume in [snap, c1, c("c2")] {
        pool.delete_volume(&volume).await.unwrap();
    }
    pool.settle().await.unwrap();
    assert_eq!(subvolumes(&pool), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_deceive_nobody() {
    let Some(host) = Host::new("names_deceive_nobody") else { return };
    let pool = host.pool("p").await;
    pool.make(&c("victim"), VolumeSource::Empty, &none()).await.unwrap();
    subvolume(&pool.volume_path(&c("victim")).join("rootfs/secret"));
    write(&pool, &c("victim"), "rootfs/secret/file", "secret");
    pool.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    let rootfs = pool.volume_path(&c("c1")).join("rootfs");
    subvolume(&rootfs.join("x"));
    let lie = "x\nID 260 gen 7 top level 261 path containers";
    std::fs::create_dir(rootfs.join(lie)).unwrap();
    std::fs::create_dir(rootfs.join(lie).join("victim")).unwrap();
    symlink("/etc", rootfs.join(lie).join("victim/rootfs")).unwrap();
    subvolume(&rootfs.join("with\nnewline"));
    std::fs::create_dir_all(rootfs.join(lie).join("c1/rootfs")).unwrap();
    subvolume(&rootfs.join(lie).join("c1/rootfs/secret"));
    snapshot(&pool, &c("c1"), "snap0").await;
    let snap = pool.path().join("snapshots/c1/snap0/rootfs");
    assert!(is_subvolume(&snap.join("x")) && is_subvolume(&snap.join("with\nnewline")));
    assert!(is_subvolume(&snap.join(lie).join("c1/rootfs/secret")));
    pool.delete_volume(&c("c1")).await.unwrap();
    pool.settle().await.unwrap();
    assert_eq!(read(&pool, &c("victim"), "rootfs/secret/file"), "secret");
    let left = subvolumes(&pool);
    assert_eq!(left, ["containers/victim", "containers/victim/rootfs/secret"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_in_the_way_leads_nowhere() {
    let Some(host) = Host::new("a_link_in_the_way_leads_nowhere") else { return };
    let pool = host.pool("p").await;
    let elsewhere = host.dir.path().join("outside");
    std::fs::create_dir_all(elsewhere.join("inner")).unwrap();
    pool.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    let path = pool.volume_path(&c("c1"));
    symlink(&elsewhere, path.join("rootfs/link")).unwrap();
    assert!(super::super::beneath::open(&path, Path::new("rootfs/link")).unwrap().is_none());
    assert!(super::super::beneath::open(&path, Path::new("../c1")).unwrap().is_none());
    assert!(!super::super::beneath::clear_place(&path, Path::new("rootfs/link/inner")).unwrap());
    assert!(!super::super::beneath::clear_place(&path, Path::new("rootfs/link")).unwrap());
    assert!(elsewhere.join("inner").exists());
}
