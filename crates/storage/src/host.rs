//! Which drivers this host can run, and what it runs them with.

use crate::config::DriverKind;
use std::path::Path;

/// A driver that can be used here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Available {
    /// Which.
    pub kind: DriverKind,
    /// The version of what it uses; empty: not known.
    pub version: String,
}

/// Programs that a driver cannot do without.
const fn programs(kind: DriverKind) -> &'static [&'static str] {
    match kind {
        DriverKind::Dir => &[],
        DriverKind::Btrfs => &["btrfs", "mkfs.btrfs"],
        DriverKind::Lvm => &["lvm", "mkfs.ext4"],
        DriverKind::Zfs => &["zfs", "zpool"],
        DriverKind::Ceph => &["ceph", "rbd"],
    }
}

/// True if the kernel has what a driver needs, or a module of it.
fn in_kernel(kind: DriverKind) -> bool {
    let module = |name: &str| {
        let release = rustix::system::uname();
        let base = Path::new("/lib/modules").join(release.release().to_string_lossy().as_ref());
        let listed = |file: &str| {
            let list = std::fs::read_to_string(base.join(file)).unwrap_or_default();
            let file = format!("/{name}.ko");
            list.lines().any(|line| line.split(':').next().is_some_and(|path| path.contains(&file)))
        };
        Path::new("/sys/module").join(name).exists() || listed("modules.builtin") || listed("modules.dep")
    };
    match kind {
        DriverKind::Dir => true,
        DriverKind::Btrfs => {
            let known = std::fs::read_to_string("/proc/filesystems").unwrap_or_default();
            known.lines().any(|line| line.trim_end().ends_with("\tbtrfs")) || module("btrfs")
        }
        DriverKind::Lvm => {
            Path::new("/dev/mapper/control").exists() && Path::new("/sys/class/misc/device-mapper").exists()
                || module("dm-mod")
                || module("dm_mod")
        }
        DriverKind::Zfs => Path::new("/dev/zfs").exists() || module("zfs"),
        DriverKind::Ceph => Path::new("/sys/bus/rbd").exists() || module("rbd"),
    }
}

/// Drivers whose programs and kernel parts this host has, the best ones first. Blocks for a moment.
#[must_use]
pub fn available() -> Vec<DriverKind> {
    [DriverKind::Zfs, DriverKind::Btrfs, DriverKind::Lvm, DriverKind::Ceph, DriverKind::Dir]
        .into_iter()
        .filter(|kind| programs(*kind).iter().all(|program| tools::find(program).is_some()))
        .filter(|kind| in_kernel(*kind))
        .collect()
}

/// The same with versions; programs are run for them.
pub async fn with_versions() -> Vec<Available> {
    let Ok(kinds) = tokio::task::spawn_blocking(available).await else { return Vec::new() };
    let mut all = Vec::new();
    for kind in kinds {
        all.push(Available { kind, version: version(kind).await });
    }
    all
}

async fn version(kind: DriverKind) -> String {
    match kind {
        DriverKind::Dir => "1".to_owned(),
        DriverKind::Btrfs => tools::btrfs::version().await.unwrap_or_default(),
        DriverKind::Zfs => {
            let module = std::fs::read_to_string("/sys/module/zfs/version").unwrap_or_default();
            module.trim().to_owned()
        }
        DriverKind::Lvm => tools::lvm::version().await.unwrap_or_default(),
        DriverKind::Ceph => {
            let run = tools::Run::new("rbd").arg("--version");
            let text = run.output().await.map(|output| output.stdout).unwrap_or_default();
            // ceph version 16.2.15 (…) pacific (stable)
            String::from_utf8_lossy(&text).split_whitespace().nth(2).unwrap_or_default().to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_directories_are_always_there_and_last() {
        assert_eq!(available().last(), Some(&DriverKind::Dir));
    }
}
