//! Real pools on files, where there is ZFS.

use super::*;
use crate::config::DriverKind;
use crate::pool::{Parcel, Pool};
use model::units::Bytes;
use model::{Fingerprint, InstanceName, VolumeName};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tools::zfs::{Below, Types};

mod crashes;
mod forms;
mod life;

/// The state of a pool that is never made.
pub(super) fn state(pool: &str, keys: &[(&str, &str)]) -> State {
    let pool = PoolName::parse(pool).unwrap();
    let config = PoolConfig::parse(DriverKind::Zfs, &map(keys)).unwrap();
    let paths = PoolPaths::new(Path::new("/var/lib/x"), &pool);
    State::new(pool, &config, paths)
}

fn map(keys: &[(&str, &str)]) -> BTreeMap<String, String> {
    keys.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// A daemon's directory, and one pool in it.
struct Host {
    dir: TempDir,
    pool: Pool,
    config: BTreeMap<String, String>,
    name: PoolName,
}

impl Host {
    /// `None`, and why, where there is no ZFS.
    async fn new(test: &str, keys: &[(&str, &str)]) -> Option<Self> {
        if !is_there(test) {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let var = dir.path().join("var");
        for part in ["containers", "snapshots"] {
            fs::create_dir_all(var.join(part)).unwrap();
        }
        let name = PoolName::parse(&format!("zt-{}-{test}", std::process::id())).unwrap();
        let mut keys = map(keys);
        if !keys.contains_key("source") {
            keys.entry("size".to_owned()).or_insert_with(|| "400MB".to_owned());
        }
        let (pool, config) = Pool::create(&var, name.clone(), DriverKind::Zfs, &keys).await.unwrap();
        Some(Self { dir, pool, config, name })
    }

    fn var(&self) -> PathBuf {
        self.dir.path().join("var")
    }

    /// The same pool after a restart of the daemon, repaired.
    async fn restart(&mut self) -> Repaired {
        self.pool = Pool::open(&self.var(), self.name.clone(), DriverKind::Zfs, &self.config).unwrap();
        self.pool.mount().await.unwrap();
        let repaired = self.pool.repair().await.unwrap();
        assert!(repaired.failed.is_empty(), "{repaired:?}");
        repaired
    }

    fn state(&self) -> State {
        let config = PoolConfig::parse(DriverKind::Zfs, &self.config).unwrap();
        State::new(self.name.clone(), &config, PoolPaths::new(&self.var(), &self.name))
    }

    fn names(&self) -> names::Names {
        self.state().names
    }

    /// All datasets and snapshots, without the root's name.
    async fn all(&self) -> Vec<String> {
        self.pool.settle().await.unwrap();
        let root = self.names().root().to_owned();
        let rows = zfs::list(&root, Below::All, Types::Anything, &["name"]).await.unwrap().unwrap();
        rows.into_iter().flatten().map(|name| name[root.len()..].to_owned()).collect()
    }

    async fn make(&self, volume: &Volume, source: VolumeSource) {
        self.pool.make(volume, source, &none()).await.unwrap();
    }

    async fn write(&self, volume: &Volume, content: &str) {
        let mounted = self.pool.mount_volume(volume, &none()).await.unwrap();
        fs::write(inside(volume, mounted.path()).join("f"), content).unwrap();
    }

    async fn read(&self, volume: &Volume) -> String {
        let mounted = self.pool.mount_volume(volume, &none()).await.unwrap();
        fs::read_to_string(inside(volume, mounted.path()).join("f")).unwrap()
    }

    /// A snapshot that says its own name.
    async fn snapshot(&self, of: &Volume, name: &str) {
        self.write(of, name).await;
        self.make(&at(of, name), VolumeSource::still(of.clone())).await;
    }

    /// What a restore does.
    async fn restore(&self, volume: &Volume, source: VolumeSource, config: &VolumeConfig) {
        let staged = self.pool.stage(volume, source, config).await.unwrap();
        self.pool.commit_staged(volume, staged).await.unwrap();
    }

    async fn snapshots(&self, of: &Volume) -> Vec<String> {
        self.pool.snapshots(of).await.unwrap().iter().map(ToString::to_string).collect()
    }

    async fn image(&self, digit: char) -> Volume {
        let fingerprint = Fingerprint::parse(&digit.to_string().repeat(64)).unwrap();
        let fill = |path: PathBuf| async move {
            fs::create_dir(path.join("rootfs"))?;
            fs::write(path.join("rootfs/f"), "image")
        };
        self.pool.ensure_image(&fingerprint, fill).await.unwrap();
        Volume::Image(fingerprint)
    }

    async fn end(self) {
        self.pool.delete().await.unwrap();
        assert!(!self.pool.path().exists());
    }
}

/// Where a volume's own files are.
fn inside(volume: &Volume, path: &Path) -> PathBuf {
    match volume {
        Volume::Custom(_) | Volume::CustomSnapshot(..) => path.to_owned(),
        Volume::Image(_) | Volume::Container(_) | Volume::ContainerSnapshot(..) => path.join("rootfs"),
    }
}

fn is_there(test: &str) -> bool {
    if Path::new("/dev/zfs").exists() && rustix::process::geteuid().is_root() {
        return true;
    }
    eprintln!("SKIP {test}: no ZFS here");
    false
}

fn c(name: &str) -> Volume {
    Volume::Container(InstanceName::parse(name).unwrap())
}

fn v(name: &str) -> Volume {
    Volume::Custom(VolumeName::parse(name).unwrap())
}

fn snap(name: &str) -> SnapshotName {
    SnapshotName::parse(name).unwrap()
}

fn at(of: &Volume, name: &str) -> Volume {
    of.snapshot(&snap(name)).unwrap()
}

fn none() -> VolumeConfig {
    VolumeConfig::default()
}

fn still(volume: &Volume) -> VolumeSource {
    VolumeSource::still(volume.clone())
}

fn with(volume: &Volume, snapshots: &[&str]) -> VolumeSource {
    let snapshots = snapshots.iter().map(|name| snap(name)).collect();
    VolumeSource::Volume { volume: volume.clone(), snapshots, running: false }
}

/// What a pool has that nothing is in.
const BARE: [&str; 6] = ["", "/containers", "/custom", "/deleted", "/images", "/snapshots"];
