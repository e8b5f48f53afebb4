//! What pools can be on.

use super::*;
use crate::loopfile::LoopFile;

#[tokio::test(flavor = "multi_thread")]
async fn pools_on_files_grow_and_come_back() {
    let Some(mut host) = Host::new("file", &[("size", "200MB")]).await else { return };
    let file = LoopFile::of(&PoolPaths::new(&host.var(), &host.name), &host.name);
    assert_eq!(host.config.get("source").unwrap(), &file.source());
    assert_eq!(host.config.get("zfs.pool_name").unwrap(), host.name.as_str());
    host.make(&v("v1"), VolumeSource::Empty).await;
    host.write(&v("v1"), "kept").await;
    let before = host.pool.resources().await.unwrap().space_total;
    let mut new = host.config.clone();
    new.insert("size".to_owned(), "600MB".to_owned());
    let (pool, recorded) = host.pool.update(&host.config, &new).await.unwrap();
    (host.pool, host.config) = (pool, recorded);
    assert!(host.pool.resources().await.unwrap().space_total > 2 * before);
    new.insert("size".to_owned(), "300MB".to_owned());
    let smaller = host.pool.update(&host.config, &new).await.err().unwrap().to_string();
    assert!(smaller.contains("only grow"), "{smaller}");

    assert!(!host.pool.mount().await.unwrap());
    assert!(host.pool.unmount().await.unwrap());
    assert!(!host.pool.unmount().await.unwrap());
    let aside = host.dir.path().join("aside");
    fs::rename(file.path(), &aside).unwrap();
    let gone = host.pool.mount().await.unwrap_err().to_string();
    assert!(gone.contains("is gone") && gone.contains(host.name.as_str()), "{gone}");
    fs::rename(&aside, file.path()).unwrap();
    assert!(host.pool.mount().await.unwrap());
    host.restart().await;
    assert_eq!(host.read(&v("v1")).await, "kept");
    let twice =
        Pool::create(&host.var(), host.name.clone(), DriverKind::Zfs, &map(&[("size", "200MB")])).await;
    assert!(matches!(twice.err().unwrap(), Error::PoolExists { .. }));
    host.pool.delete_volume(&v("v1")).await.unwrap();
    host.end().await;
    assert!(!file.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn pools_take_devices_pools_and_datasets() {
    if !is_there("devices") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let file = LoopFile::at(dir.path().join("disk"));
    file.create(Bytes(400 << 20)).await.unwrap();
    let device = file.attach().await.unwrap();
    let device_text = device.display().to_string();
    let host = Host::new("device", &[("source", &device_text)]).await.unwrap();
    let zpool = host.name.as_str().to_owned();
    assert_eq!(host.config.get("source").unwrap(), &zpool);
    assert_eq!(host.config.get("volatile.initial_source").unwrap(), &device_text);

    // A pool may be in a dataset of another's.
    let source = format!("{zpool}/deep/lxd");
    let mut inner = Host::new("dataset", &[("source", &source)]).await.unwrap();
    assert_eq!(inner.names().root(), source);
    inner.make(&c("c1"), still(&inner.image('a').await)).await;
    inner.restart().await;
    assert_eq!(inner.read(&c("c1")).await, "image");
    inner.pool.delete_volume(&c("c1")).await.unwrap();
    inner.end().await;
    let root = |name: String| async move { host_has(&name).await };
    assert!(!root(source.clone()).await && root(format!("{zpool}/deep")).await);

    // One that is there must be empty, and stays.
    zfs::create(&source, &["mountpoint=none".to_owned()]).await.unwrap();
    let given = Host::new("given", &[("source", &source)]).await.unwrap();
    let full = refuse(&[("source", &source)]).await;
    assert!(full.contains("has datasets or snapshots already"), "{full}");
    given.make(&v("v1"), VolumeSource::Empty).await;
    given.pool.delete_volume(&v("v1")).await.unwrap();
    given.end().await;
    assert!(root(source.clone()).await);
    let missing = refuse(&[("source", "no-such-zpool")]).await;
    assert!(missing.contains("no ZFS pool no-such-zpool"), "{missing}");
    let taken = refuse(&[("zfs.pool_name", &zpool), ("size", "200MB")]).await;
    assert!(taken.contains("already"), "{taken}");
    let no_device = refuse(&[("source", "/dev/null")]).await;
    assert!(no_device.contains("no block device"), "{no_device}");

    host.end().await;
    assert!(!root(zpool).await);
    file.remove().await.unwrap();
}

async fn host_has(dataset: &str) -> bool {
    zfs::list(dataset, Below::Itself, Types::Filesystems, &["name"]).await.unwrap().is_some()
}

/// Why a pool cannot be made.
async fn refuse(keys: &[(&str, &str)]) -> String {
    let dir = tempfile::tempdir().unwrap();
    let name = PoolName::parse("refused").unwrap();
    let made = Pool::create(dir.path(), name, DriverKind::Zfs, &map(keys)).await;
    assert!(!dir.path().join("storage-pools/refused").exists());
    assert!(fs::read_dir(dir.path().join("disks")).map_or(0, Iterator::count) == 0);
    made.err().unwrap().to_string()
}
