//! Where a directory is in its file system, and which file system that is: read from the kernel's list of
//! mounts.

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// One mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// What of the file system is mounted.
    root: PathBuf,
    /// Where.
    point: PathBuf,
    /// The device.
    pub(super) device: PathBuf,
}

/// The mount that a directory is on; `None`: it cannot be known.
pub(super) fn mount_of(path: &Path) -> Option<Mount> {
    let stat = statx(CWD, path, AtFlags::SYMLINK_NOFOLLOW, StatxFlags::MNT_ID).ok()?;
    parse(&std::fs::read("/proc/self/mountinfo").ok()?, stat.stx_mnt_id)
}

/// The path of a directory from the top of its file system, without a slash at its beginning.
pub(super) fn inside(path: &Path) -> Option<PathBuf> {
    mount_of(path)?.inside(&path.parent()?.canonicalize().ok()?.join(path.file_name()?))
}

impl Mount {
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let below = path.strip_prefix(&self.point).ok()?;
        Some(self.root.strip_prefix("/").ok()?.join(below))
    }
}

/// True if all of the file system that a directory is on is mounted there.
pub(super) fn is_whole(path: &Path) -> bool {
    mount_of(path).is_none_or(|mount| mount.root == Path::new("/"))
}

/// What the kernel shows about the file system that a directory is on: `/sys/fs/btrfs/<uuid>`.
pub(super) fn sysfs(path: &Path) -> Option<PathBuf> {
    let device = mount_of(path)?.device.canonicalize().ok()?;
    let name = device.file_name()?;
    let mut systems =
        std::fs::read_dir("/sys/fs/btrfs").ok()?.filter_map(Result::ok).map(|entry| entry.path());
    systems.find(|system| system.join("devices").join(name).symlink_metadata().is_ok())
}

/// A line of `/proc/<pid>/mountinfo` (see `proc(5)`): `36 35 98:0 /root /point options … - type device options`.
fn parse(mountinfo: &[u8], id: u64) -> Option<Mount> {
    let id = id.to_string();
    let lines = mountinfo.split(|&byte| byte == b'\n');
    let fields = lines.map(|line| line.split(|&byte| byte == b' ').collect::<Vec<_>>());
    let fields = fields.into_iter().find(|fields| fields.first() == Some(&id.as_bytes()))?;
    let end = fields.iter().skip(6).position(|field| *field == b"-")? + 6;
    if fields.get(end + 1) != Some(&&b"btrfs"[..]) {
        return None;
    }
    let path = |index: usize| fields.get(index).map(|field| PathBuf::from(unescape(field)));
    Some(Mount { root: path(3)?, point: path(4)?, device: path(end + 2)? })
}

/// The kernel writes blanks and the like as `\040`.
fn unescape(field: &[u8]) -> OsString {
    let mut plain = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| first == b'\\');
        let byte = digits.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        if let Some(byte) = byte {
            plain.push(byte);
            rest = &after[3..];
        } else {
            plain.push(first);
            rest = after;
        }
    }
    OsString::from_vec(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"21 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw\n\
        175 27 0:55 / /var/lib/lxd/storage-pools/p rw,relatime - btrfs /dev/loop0 rw,subvolid=5,subvol=/\n\
        176 27 0:56 /@/my\\040pool /var/lib/lxd/storage-pools/q rw shared:3 master:1 - btrfs /dev/mapper/x rw\n";

    #[test]
    fn directories_are_found_in_their_file_system() {
        let whole = parse(MOUNTS, 175).unwrap();
        assert_eq!(whole.device, Path::new("/dev/loop0"));
        let inside = |mount: &Mount, path: &str| mount.inside(Path::new(path));
        let container = inside(&whole, "/var/lib/lxd/storage-pools/p/containers/c1");
        assert_eq!(container, Some(PathBuf::from("containers/c1")));
        assert_eq!(inside(&whole, "/var/lib/lxd/storage-pools/q/containers/c1"), None);
        let part = parse(MOUNTS, 176).unwrap();
        let container = inside(&part, "/var/lib/lxd/storage-pools/q/containers/c1");
        assert_eq!(container, Some(PathBuf::from("@/my pool/containers/c1")));
        assert_eq!(parse(MOUNTS, 21), None, "another kind of file system");
        assert_eq!(parse(MOUNTS, 17), None);
        assert_eq!(unescape(b"a\\134b\\"), OsString::from("a\\b\\"));
    }
}
