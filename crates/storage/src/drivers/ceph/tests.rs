//! Pools in a real cluster: `rbd` and `ceph` must be installed, and the cluster `ceph` must answer.

use super::*;
use crate::config::DriverKind;
use crate::pool::Pool;
use crate::volume::{Draft, Kind, Resized, VolumeSource};
use model::units::Bytes;
use model::{Fingerprint, InstanceName, VolumeName};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokio::sync::MutexGuard;

mod pools;
mod restored;
mod streams;
mod volumes;

/// One test at a time: a cluster for tests is small.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A host with a pool of its own in the cluster, which goes with it.
struct Host {
    _turn: MutexGuard<'static, ()>,
    dir: TempDir,
    osd_pool: String,
}

impl Host {
    /// `None`: there is no cluster; it says so.
    async fn new(test: &str) -> Option<Self> {
        let turn = TURN.lock().await;
        let skip = |why: &str| eprintln!("SKIP ceph::{test}: {why}");
        if tools::find("rbd").is_none() || tools::find("ceph").is_none() {
            skip("ceph-common is not installed");
            return None;
        }
        if !Path::new("/etc/ceph/ceph.conf").exists() {
            skip("there is no cluster in /etc/ceph/ceph.conf");
            return None;
        }
        if access().fsid().await.is_err() {
            skip("the cluster ceph does not answer");
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        for links in ["containers", "snapshots"] {
            std::fs::create_dir_all(dir.path().join("var").join(links)).unwrap();
        }
        let osd_pool = format!("test-{}", names::unique());
        Some(Self { _turn: turn, dir, osd_pool })
    }

    fn var(&self) -> PathBuf {
        self.dir.path().join("var")
    }

    async fn pool(&self, keys: &[(&str, &str)]) -> (Pool, BTreeMap<String, String>) {
        self.pool_named("pool", &self.osd_pool, keys).await
    }

    /// Volumes are small, because the cluster is.
    async fn pool_named(
        &self,
        name: &str,
        osd_pool: &str,
        keys: &[(&str, &str)],
    ) -> (Pool, BTreeMap<String, String>) {
        let mut config =
            map(&[("ceph.osd.pool_name", osd_pool), ("ceph.osd.pg_num", "1"), ("volume.size", "64MiB")]);
        config.extend(map(keys));
        let name = PoolName::parse(name).unwrap();
        Pool::create(&self.var(), name, DriverKind::Ceph, &config).await.unwrap()
    }

    /// The same pool after a restart of the daemon.
    async fn reopened(&self, config: &BTreeMap<String, String>) -> Pool {
        let pool =
            Pool::open(&self.var(), PoolName::parse("pool").unwrap(), DriverKind::Ceph, config).unwrap();
        pool.mount().await.unwrap();
        pool
    }

    fn rbd(&self) -> Rbd {
        Rbd { access: access(), pool: self.osd_pool.clone() }
    }

    /// The driver alone, as the pool has it.
    fn state(&self, config: &BTreeMap<String, String>) -> Arc<State> {
        let name = PoolName::parse("pool").unwrap();
        let paths = PoolPaths::new(&self.var(), &name);
        Ceph::new(name, &PoolConfig::parse(DriverKind::Ceph, config).unwrap(), paths).state
    }

    /// Names of devices and snapshots, what is unique about them cut off.
    async fn devices(&self) -> Vec<String> {
        let rows = self.rbd().list_all().await.unwrap();
        let cut = |name: &str| match name.find("zombie_") {
            Some(0) => name.rsplit_once('_').unwrap().0.to_owned(),
            _ => name.replace(&"a".repeat(64), "A"),
        };
        let mut names: Vec<String> = rows
            .iter()
            .filter(|row| !row.image.starts_with("lxd_"))
            .map(|row| match &row.snapshot {
                Some(snapshot) => format!("{}@{}", cut(&row.image), cut(snapshot)),
                None => cut(&row.image),
            })
            .map(|name| name.replace(&"a".repeat(64), "A"))
            .collect();
        names.sort();
        names
    }
}

fn access() -> Access {
    Access { cluster: "ceph".to_owned(), user: "admin".to_owned() }
}

fn map(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
    keys.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn c(name: &str) -> Volume {
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

fn image() -> Volume {
    Volume::Image(Fingerprint::parse(&"a".repeat(64)).unwrap())
}

fn none() -> VolumeConfig {
    VolumeConfig::default()
}

fn size(text: &str) -> VolumeConfig {
    VolumeConfig { size: Some(Bytes::parse(text).unwrap()), ..VolumeConfig::default() }
}

fn with_snapshots(volume: &Volume, names: &[&str]) -> VolumeSource {
    let snapshots = names.iter().map(|name| snap(name)).collect();
    VolumeSource::Volume { volume: volume.clone(), snapshots, running: false }
}

/// Makes an image's volume with a word in it.
async fn unpack(pool: &Pool) {
    let draft = pool.draft(VolumeSource::Empty, &none()).await.unwrap();
    assert_eq!(std::fs::read_dir(draft.path()).unwrap().count(), 0);
    std::fs::create_dir(draft.path().join("rootfs")).unwrap();
    std::fs::write(draft.path().join("rootfs/word"), "image").unwrap();
    pool.finish(draft, &image()).await.unwrap();
}

async fn write(pool: &Pool, volume: &Volume, word: &str) {
    let mounted = pool.mount_volume(volume, &none()).await.unwrap();
    std::fs::create_dir_all(mounted.path().join("rootfs")).unwrap();
    std::fs::write(mounted.path().join("rootfs/word"), word).unwrap();
    drop(mounted);
    pool.unmount_unused(volume).await.unwrap();
}

async fn read(pool: &Pool, volume: &Volume) -> String {
    let mounted = pool.mount_volume(volume, &none()).await.unwrap();
    let word = std::fs::read_to_string(mounted.path().join("rootfs/word")).unwrap();
    drop(mounted);
    pool.unmount_unused(volume).await.unwrap();
    word
}
