//! Control groups that a daemon left behind. Groups outlive every namespace, so that they are the
//! one thing that has to be removed by name.

use std::path::{Path, PathBuf};

/// Where control groups are mounted: the hierarchies of version 1, the unified one.
fn hierarchies() -> Vec<PathBuf> {
    let base = Path::new("/sys/fs/cgroup");
    let mut found = vec![base.to_owned()];
    for entry in std::fs::read_dir(base).into_iter().flatten().flatten() {
        if entry.path().join("cgroup.procs").is_file() {
            found.push(entry.path());
        }
    }
    found
}

/// The groups at the top of every hierarchy that exist for one daemon.
pub(crate) fn of_daemon(lxd_dir: &Path) -> Vec<PathBuf> {
    let name = format!("lxd-{}", tag(lxd_dir));
    hierarchies().into_iter().map(|h| h.join(&name)).filter(|group| group.is_dir()).collect()
}

/// Remove a group and those in it. What still has processes stays.
pub(crate) fn remove(group: &Path) {
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            remove(&entry.path());
        }
    }
    let _ = std::fs::remove_dir(group);
}

/// The part of the groups' name that the daemon makes from its directory: FNV-1a, 32 bits.
fn tag(lxd_dir: &Path) -> String {
    let step = |hash: u32, byte: &u8| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    format!("{:08x}", lxd_dir.as_os_str().as_encoded_bytes().iter().fold(0x811c_9dc5, step))
}
