//! Which block devices are behind a path, as far as the kernel tells.
//!
//! Partitions count as their disk, mapped and multiple devices (device-mapper, md, bcache, btrfs) as
//! their members. A loop device counts itself, and what its file lies on.

use super::rates::Block;
use rustix::fs::{AtFlags, CWD, StatxFlags, major, minor, statx};
use std::collections::BTreeSet;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// How many layers are looked through.
const LAYERS: usize = 16;

/// Why nothing was found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unresolved {
    /// The path cannot be looked at.
    #[error("cannot look at {}", path.display())]
    Path { path: PathBuf, source: std::io::Error },
    /// There is no block device, or the kernel does not tell which.
    #[error("its file system ({kind}) is not known to lie on a block device")]
    Kind { kind: String },
}

/// The whole block devices that hold what is at a path: a file, a directory or a device itself.
/// Reads files of the kernel.
pub(crate) fn behind(path: &Path) -> Result<BTreeSet<Block>, Unresolved> {
    let mut found = BTreeSet::new();
    add_path(Path::new("/sys"), path, LAYERS, &mut found)?;
    if found.is_empty() {
        return Err(Unresolved::Kind { kind: "of another kind".to_owned() });
    }
    Ok(found)
}

fn block(device: u64) -> Block {
    Block { major: major(device), minor: minor(device) }
}

fn add_path(sys: &Path, path: &Path, layers: usize, found: &mut BTreeSet<Block>) -> Result<(), Unresolved> {
    let failed = |source| Unresolved::Path { path: path.to_owned(), source };
    let metadata = std::fs::metadata(path).map_err(failed)?;
    if metadata.file_type().is_block_device() {
        add(sys, block(metadata.rdev()), layers, found);
        return Ok(());
    }
    let device = block(metadata.dev());
    if device.major != 0 {
        add(sys, device, layers, found);
        return Ok(());
    }
    // The file system has a number of its own: its mount may tell what it lies on.
    let table = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mount = mount_of(path).and_then(|id| source(&table, id));
    let (kind, source) = mount.unwrap_or_else(|| ("unknown".to_owned(), String::new()));
    let Some(rdev) = std::fs::metadata(&source).ok().filter(|m| m.file_type().is_block_device()) else {
        return Err(Unresolved::Kind { kind });
    };
    let mut members = btrfs_members(sys, &kind, block(rdev.rdev()));
    members.insert(block(rdev.rdev()));
    for member in members {
        add(sys, member, layers, found);
    }
    Ok(())
}

/// The number of the mount that a path is on.
fn mount_of(path: &Path) -> Option<u64> {
    let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).ok()?;
    Some(found.stx_mnt_id)
}

/// Kind and source of a mount, `proc_pid_mountinfo(5)`.
fn source(table: &str, id: u64) -> Option<(String, String)> {
    let id = id.to_string();
    let line = table.lines().find(|line| line.split(' ').next() == Some(&id))?;
    let (_, end) = line.split_once(" - ")?;
    let mut fields = end.split(' ');
    Some((fields.next()?.to_owned(), fields.next()?.replace("\\040", " ")))
}

/// All devices of the btrfs file system of which this is one.
fn btrfs_members(sys: &Path, kind: &str, one: Block) -> BTreeSet<Block> {
    let Some(systems) = (kind == "btrfs").then(|| std::fs::read_dir(sys.join("fs/btrfs")).ok()).flatten()
    else {
        return BTreeSet::new();
    };
    systems
        .flatten()
        .map(|system| numbers(&system.path().join("devices")))
        .find(|members| members.contains(&one))
        .unwrap_or_default()
}

/// Numbers of the devices that are listed in a directory, each by its file `dev`.
fn numbers(directory: &Path) -> BTreeSet<Block> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter_map(|entry| number(&entry.path())).collect()
}

fn number(device: &Path) -> Option<Block> {
    let text = std::fs::read_to_string(device.join("dev")).ok()?;
    let (major, minor) = text.trim().split_once(':')?;
    Some(Block { major: major.parse().ok()?, minor: minor.parse().ok()? })
}

fn add(sys: &Path, device: Block, layers: usize, found: &mut BTreeSet<Block>) {
    let Ok(mut directory) = std::fs::canonicalize(sys.join("dev/block").join(device.to_string())) else {
        return;
    };
    let mut whole = device;
    if directory.join("partition").exists()
        && let Some(disk) = directory.parent().and_then(|disk| Some((disk.to_owned(), number(disk)?)))
    {
        (directory, whole) = disk;
    }
    let members = numbers(&directory.join("slaves"));
    if !members.is_empty() && layers > 0 {
        for member in members {
            add(sys, member, layers - 1, found);
        }
        return;
    }
    found.insert(whole);
    if let Ok(file) = std::fs::read_to_string(directory.join("loop/backing_file"))
        && layers > 0
    {
        // A file that is gone or lies on nothing known leaves the loop device itself.
        let _ = add_path(sys, Path::new(file.trim_end_matches('\n')), layers - 1, found);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A made-up `/sys`: a disk with a partition, a volume over two disks, a loop device.
    fn tree() -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let sys = dir.path();
        std::fs::create_dir_all(sys.join("dev/block")).unwrap();
        for (path, numbers) in [
            ("devices/sda", "8:0"),
            ("devices/sda/sda1", "8:1"),
            ("devices/sdb", "8:16"),
            ("devices/dm-0", "253:0"),
            ("devices/loop0", "7:0"),
        ] {
            std::fs::create_dir_all(sys.join(path)).unwrap();
            std::fs::write(sys.join(path).join("dev"), format!("{numbers}\n")).unwrap();
            symlink(sys.join(path), sys.join("dev/block").join(numbers)).unwrap();
        }
        std::fs::write(sys.join("devices/sda/sda1/partition"), "1\n").unwrap();
        std::fs::create_dir(sys.join("devices/dm-0/slaves")).unwrap();
        symlink(sys.join("devices/sda/sda1"), sys.join("devices/dm-0/slaves/sda1")).unwrap();
        symlink(sys.join("devices/sdb"), sys.join("devices/dm-0/slaves/sdb")).unwrap();
        std::fs::create_dir(sys.join("devices/loop0/loop")).unwrap();
        std::fs::write(sys.join("devices/loop0/loop/backing_file"), "/nowhere/at/all\n").unwrap();
        std::fs::create_dir_all(sys.join("fs/btrfs/1-2/devices")).unwrap();
        symlink(sys.join("devices/sda/sda1"), sys.join("fs/btrfs/1-2/devices/sda1")).unwrap();
        symlink(sys.join("devices/sdb"), sys.join("fs/btrfs/1-2/devices/sdb")).unwrap();
        dir
    }

    fn whole(sys: &Path, major: u32, minor: u32) -> Vec<String> {
        let mut found = BTreeSet::new();
        add(sys, Block { major, minor }, LAYERS, &mut found);
        found.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn partitions_are_their_disk_and_volumes_their_members() {
        let sys = tree();
        assert_eq!(whole(sys.path(), 8, 1), ["8:0"]);
        assert_eq!(whole(sys.path(), 253, 0), ["8:0", "8:16"]);
        assert_eq!(whole(sys.path(), 7, 0), ["7:0"], "its file is gone");
        assert!(whole(sys.path(), 9, 9).is_empty());
        let members = btrfs_members(sys.path(), "btrfs", Block { major: 8, minor: 16 });
        assert_eq!(members.len(), 2);
        assert!(btrfs_members(sys.path(), "ext4", Block { major: 8, minor: 16 }).is_empty());
    }

    #[test]
    fn mounts_tell_their_source() {
        let table = "31 1 0:28 /@ /srv rw shared:9 - btrfs /dev/my\\040disk rw,subvol=/@\n";
        assert_eq!(source(table, 31), Some(("btrfs".to_owned(), "/dev/my disk".to_owned())));
        assert_eq!(source(table, 3), None);
    }

    #[test]
    fn what_lies_on_no_device_says_so() {
        let error = behind(Path::new("/proc/self/status")).unwrap_err().to_string();
        assert!(error.contains("proc"), "{error}");
        assert!(behind(Path::new("/nowhere/at/all")).unwrap_err().to_string().contains("/nowhere"));
    }
}
