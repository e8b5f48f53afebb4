//! From one pool to another.

use super::*;
use crate::pool::Parcel;

async fn copy(from: &Pool, to: &Pool, volume: &Volume, snapshots: &[&str], target: &Volume) {
    let snapshots = snapshots.iter().map(|name| s(name)).collect();
    let parcel = Parcel { volume: volume.clone(), snapshots, config: none(), running: false };
    to.copy_from(from, &parcel, target, &none()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_sent_as_differences() {
    let Some(host) = Host::new("snapshots_are_sent_as_differences") else { return };
    let (one, other) = (host.pool("one").await, host.pool("other").await);
    let image = image(&one).await;
    one.make(&c("c1"), of(&image), &none()).await.unwrap();
    let big: Vec<u8> = (0..20_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    std::fs::write(one.volume_path(&c("c1")).join("rootfs/big"), &big).unwrap();
    for text in ["0", "1", "2"] {
        write(&one, &c("c1"), "rootfs/file", text);
        snapshot(&one, &c("c1"), &format!("snap{text}")).await;
    }
    write(&one, &c("c1"), "rootfs/file", "now");
    let before = other.resources().await.unwrap().space_used;
    copy(&one, &other, &c("c1"), &["snap0", "snap1", "snap2"], &c("copy")).await;
    rustix::fs::sync();
    let taken = other.resources().await.unwrap().space_used - before;
    assert!(taken < 30_000_000, "the large file is there once: {taken}");
    assert_eq!(read(&other, &c("copy"), "rootfs/file"), "now");
    assert_eq!(std::fs::read(other.volume_path(&c("copy")).join("rootfs/big")).unwrap(), big);
    for text in ["0", "1", "2"] {
        let snap = c("copy").snapshot(&s(&format!("snap{text}"))).unwrap();
        assert_eq!(read(&other, &snap, "rootfs/file"), text);
        assert!(is_read_only(&other.volume_path(&snap)));
    }
    assert!(!is_read_only(&other.volume_path(&c("copy"))));
    // Back again, a snapshot alone, and a custom volume.
    copy(&other, &one, &c("copy"), &["snap1", "snap2"], &c("back")).await;
    assert_eq!(read(&one, &c("back").snapshot(&s("snap1")).unwrap(), "rootfs/file"), "1");
    copy(&one, &other, &c("c1").snapshot(&s("snap1")).unwrap(), &[], &c("alone")).await;
    assert_eq!(read(&other, &c("alone"), "rootfs/file"), "1");
    one.make(&custom("v1"), VolumeSource::Empty, &none()).await.unwrap();
    write(&one, &custom("v1"), "file", "data");
    snapshot(&one, &custom("v1"), "snap0").await;
    copy(&one, &other, &custom("v1"), &["snap0"], &custom("v2")).await;
    assert_eq!(read(&other, &custom("v2").snapshot(&s("snap0")).unwrap(), "file"), "data");
    for pool in [&one, &other] {
        pool.settle().await.unwrap();
        let left = subvolumes(pool);
        assert!(left.iter().all(|path| !path.contains("/.")), "{left:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn subvolumes_inside_come_along() {
    let Some(host) = Host::new("subvolumes_inside_come_along") else { return };
    let (one, other) = (host.pool("one").await, host.pool("other").await);
    one.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    write(&one, &c("c1"), "rootfs/file", "0");
    snapshot(&one, &c("c1"), "snap0").await;
    for inner in ["rootfs/a", "rootfs/a/b"] {
        subvolume(&one.volume_path(&c("c1")).join(inner));
        write(&one, &c("c1"), &format!("{inner}/file"), inner);
    }
    snapshot(&one, &c("c1"), "snap1").await;
    snapshot(&one, &c("c1"), "snap2").await;
    copy(&one, &other, &c("c1"), &["snap0", "snap1", "snap2"], &c("c2")).await;
    assert_eq!(read(&other, &c("c2").snapshot(&s("snap0")).unwrap(), "rootfs/file"), "0");
    for volume in [c("c2"), c("c2").snapshot(&s("snap1")).unwrap(), c("c2").snapshot(&s("snap2")).unwrap()] {
        for inner in ["rootfs/a", "rootfs/a/b"] {
            assert!(is_subvolume(&other.volume_path(&volume).join(inner)));
            assert_eq!(read(&other, &volume, &format!("{inner}/file")), inner);
        }
    }
    let snap = other.volume_path(&c("c2").snapshot(&s("snap1")).unwrap());
    assert!(is_read_only(&snap) && is_read_only(&snap.join("rootfs/a/b")));
    assert!(!is_read_only(&other.volume_path(&c("c2")).join("rootfs/a/b")));
    other.settle().await.unwrap();
    // With the one that all snapshots are in.
    assert_eq!(subvolumes(&other).len(), 11);
    other.delete_volume(&c("c2")).await.unwrap();
    other.settle().await.unwrap();
    assert_eq!(subvolumes(&other), [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_volume_is_refused() {
    let Some(host) = Host::new("what_is_no_volume_is_refused") else { return };
    let (one, other) = (host.pool("one").await, host.pool("other").await);
    let parcel = Parcel { volume: c("missing"), snapshots: Vec::new(), config: none(), running: false };
    let error = other.copy_from(&one, &parcel, &c("c1"), &none()).await.unwrap_err().to_string();
    assert!(error.contains("container missing"), "{error}");
    other.settle().await.unwrap();
    assert_eq!(subvolumes(&other), [""; 0]);
    assert!(std::fs::read_dir(other.path().join("snapshots")).unwrap().next().is_none());
}

/// Two pools that are subvolumes of one file system.
#[tokio::test(flavor = "multi_thread")]
async fn pools_may_share_a_file_system() {
    let Some(host) = Host::new("pools_may_share_a_file_system") else { return };
    let disk = host.disk("disk");
    let at = host.mounted(&disk);
    let source = |name: &str| at.join(name).display().to_string();
    let (one, _) = host.create("one", &[("source", source("one").as_str())]).await.unwrap();
    let (other, _) = host.create("other", &[("source", source("other").as_str())]).await.unwrap();
    one.make(&c("c1"), VolumeSource::Empty, &none()).await.unwrap();
    for text in ["0", "1"] {
        write(&one, &c("c1"), "file", text);
        snapshot(&one, &c("c1"), &format!("snap{text}")).await;
    }
    copy(&one, &other, &c("c1"), &["snap0", "snap1"], &c("c1")).await;
    assert_eq!(read(&other, &c("c1").snapshot(&s("snap1")).unwrap(), "file"), "1");
    copy(&other, &one, &c("c1"), &["snap0", "snap1"], &c("c2")).await;
    assert_eq!(read(&one, &c("c2").snapshot(&s("snap1")).unwrap(), "file"), "1");
    subvolume(&one.volume_path(&c("c1")).join("rootfs/inner"));
    one.make(&c("c3"), of(&c("c1")), &none()).await.unwrap();
    assert!(is_subvolume(&one.volume_path(&c("c3")).join("rootfs/inner")));
}
