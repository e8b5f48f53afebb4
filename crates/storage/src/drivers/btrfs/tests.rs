//! Pools on loop files in a temporary directory. They need root and a kernel with btrfs.

mod nested;
mod sources;
mod speed;
mod streams;
mod volumes;

use crate::config::{DriverKind, VolumeConfig};
use crate::pool::Pool;
use crate::volume::{Volume, VolumeSource};
use model::{Fingerprint, InstanceName, PoolName, SnapshotName, VolumeName};
use rustix::mount::{UnmountFlags, unmount};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A daemon's directory; whatever is mounted or attached below it goes with it.
struct Host {
    dir: TempDir,
}

impl Host {
    fn new(test: &str) -> Option<Self> {
        let has_btrfs =
            std::fs::read_to_string("/proc/filesystems").is_ok_and(|all| all.contains("\tbtrfs\n"));
        let programs = ["btrfs", "mkfs.btrfs", "losetup"];
        let why = if !rustix::process::geteuid().is_root() {
            "not root"
        } else if !has_btrfs {
            "the kernel has no btrfs"
        } else if programs.iter().any(|program| tools::find(program).is_none()) {
            "btrfs-progs are not installed"
        } else if !Path::new("/dev/loop-control").exists() {
            "there are no loop devices"
        } else {
            let dir = tempfile::tempdir().unwrap();
            for part in ["containers", "snapshots"] {
                std::fs::create_dir_all(dir.path().join("var").join(part)).unwrap();
            }
            return Some(Self { dir });
        };
        eprintln!("SKIP {test}: {why}");
        None
    }

    fn var(&self) -> PathBuf {
        self.dir.path().join("var")
    }

    /// A pool on a small loop file.
    async fn pool(&self, name: &str) -> Pool {
        self.create(name, &[("size", "300MB")]).await.unwrap().0
    }

    async fn create(
        &self,
        name: &str,
        config: &[(&str, &str)],
    ) -> Result<(Pool, BTreeMap<String, String>), crate::Error> {
        let name = PoolName::parse(name).unwrap();
        Pool::create(&self.var(), name, DriverKind::Btrfs, &map(config)).await
    }

    /// The same pool after a restart of the daemon.
    fn reopened(&self, name: &str, config: &BTreeMap<String, String>) -> Pool {
        Pool::open(&self.var(), PoolName::parse(name).unwrap(), DriverKind::Btrfs, config).unwrap()
    }

    /// A disk, as a loop device of the test's own.
    fn disk(&self, name: &str) -> Disk {
        let file = self.dir.path().join(name);
        std::fs::File::create(&file).unwrap().set_len(300 << 20).unwrap();
        self.disk_again(name)
    }

    /// One that was there before.
    fn disk_again(&self, name: &str) -> Disk {
        let file = self.dir.path().join(name);
        let output = Command::new("losetup").args(["--find", "--show"]).arg(&file).output().unwrap();
        let device = String::from_utf8(output.stdout).unwrap().trim().to_owned();
        assert!(device.starts_with("/dev/"), "{device}");
        Disk { device }
    }

    /// A btrfs that is mounted elsewhere.
    fn mounted(&self, disk: &Disk) -> PathBuf {
        let at = self.dir.path().join("elsewhere");
        std::fs::create_dir_all(&at).unwrap();
        run("mkfs.btrfs", &["-q".as_ref(), disk.device.as_ref()]);
        run("mount", &[disk.device.as_ref(), at.as_ref()]);
        at
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        let points = mounts.lines().rev().filter_map(|line| line.split(' ').nth(1));
        for point in points.filter(|point| Path::new(point).starts_with(self.dir.path())) {
            let _ = unmount(Path::new(point), UnmountFlags::DETACH);
        }
        for file in std::fs::read_dir(self.var().join("disks")).into_iter().flatten().flatten() {
            let _ = Command::new("sh")
                .args([
                    "-c",
                    "losetup --noheadings --list --output NAME --associated \"$0\" | xargs -r losetup -d",
                ])
                .arg(file.path())
                .status();
        }
    }
}

struct Disk {
    device: String,
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("losetup").args(["--detach", &self.device]).status();
    }
}

fn run(program: &str, arguments: &[&std::ffi::OsStr]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments:?}: {stderr}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn subvolume(path: &Path) {
    run("btrfs", &["-q".as_ref(), "subvolume".as_ref(), "create".as_ref(), path.as_os_str()]);
}

fn is_subvolume(path: &Path) -> bool {
    super::beneath::is_subvolume(path).unwrap()
}

fn is_read_only(path: &Path) -> bool {
    let probe = path.join(".probe");
    let refused = std::fs::write(&probe, "").is_err();
    let _ = std::fs::remove_file(&probe);
    refused
}

/// All subvolumes below a pool, as `btrfs` sees them.
fn subvolumes(pool: &Pool) -> Vec<String> {
    let list = run("btrfs", &["subvolume".as_ref(), "list".as_ref(), pool.path().as_ref()]);
    let mut all: Vec<String> =
        list.lines().filter_map(|line| line.split(" path ").nth(1)).map(str::to_owned).collect();
    all.retain(|path| {
        !["containers", "snapshots", "images", "custom", "custom-snapshots"].contains(&path.as_str())
    });
    all.sort();
    all
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

fn s(name: &str) -> SnapshotName {
    SnapshotName::parse(name).unwrap()
}

fn none() -> VolumeConfig {
    VolumeConfig::default()
}

fn of(volume: &Volume) -> VolumeSource {
    VolumeSource::still(volume.clone())
}

fn with_snapshots(volume: &Volume, names: &[&str]) -> VolumeSource {
    let snapshots = names.iter().map(|name| s(name)).collect();
    VolumeSource::Volume { volume: volume.clone(), snapshots, running: false }
}

#[derive(Debug, thiserror::Error)]
#[error("it did not work")]
struct Broken;

/// An image with one file.
async fn image(pool: &Pool) -> Volume {
    let fingerprint = Fingerprint::parse(&"a".repeat(64)).unwrap();
    let fill = |path: PathBuf| async move {
        std::fs::create_dir_all(path.join("rootfs/etc")).unwrap();
        std::fs::write(path.join("rootfs/etc/hostname"), "image").unwrap();
        Ok::<(), Broken>(())
    };
    pool.ensure_image(&fingerprint, fill).await.unwrap();
    Volume::Image(fingerprint)
}

fn write(pool: &Pool, volume: &Volume, path: &str, text: &str) {
    std::fs::write(pool.volume_path(volume).join(path), text).unwrap();
}

fn read(pool: &Pool, volume: &Volume, path: &str) -> String {
    std::fs::read_to_string(pool.volume_path(volume).join(path)).unwrap_or_else(|error| error.to_string())
}

async fn snapshot(pool: &Pool, volume: &Volume, name: &str) -> Volume {
    let snapshot = volume.snapshot(&s(name)).unwrap();
    pool.make(&snapshot, of(volume), &none()).await.unwrap();
    snapshot
}

/// Nothing remains of a pool on the host.
fn assert_gone(host: &Host, pool: &str) {
    assert!(!host.var().join("storage-pools").join(pool).exists());
    let left: Vec<_> = std::fs::read_dir(host.var().join("disks")).into_iter().flatten().flatten().collect();
    assert!(left.is_empty(), "{left:?}");
}

fn is_mounted(path: &Path) -> bool {
    crate::block::is_mounted(path).unwrap()
}
