//! Which programs are used, what for, and where they are.

use crate::run::RunError;
use std::collections::HashMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

/// Where programs are looked for, in this order. `PATH` is never used: what root runs must not
/// depend on the environment the daemon was started in.
pub const DIRECTORIES: [&str; 6] =
    ["/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin"];

/// A program that may be run, and whether this host has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name of the file.
    pub program: &'static str,
    /// The Debian package that brings it.
    pub package: &'static str,
    /// What does not work without it.
    pub needed_for: &'static str,
    /// Where it is; `None` when the host lacks it.
    pub found: Option<PathBuf>,
}

const PROGRAMS: &[(&str, &str, &str)] = &[
    ("apparmor_parser", "apparmor", "confining containers by AppArmor profiles"),
    ("blkid", "util-linux", "disks whose source is a block device"),
    ("btrfs", "btrfs-progs", "btrfs storage pools, and volumes with btrfs in other pools"),
    ("btrfstune", "btrfs-progs", "volumes with btrfs in LVM and Ceph storage pools"),
    ("bzip2", "bzip2", "publishing images compressed with bzip2"),
    ("ceph", "ceph-common", "storage pools in a Ceph cluster"),
    ("dnsmasq", "dnsmasq-base", "DHCP and DNS on managed bridges"),
    ("e2fsck", "e2fsprogs", "volumes with ext4 in LVM and Ceph storage pools"),
    ("gzip", "gzip", "publishing images compressed with gzip"),
    ("lbzip2", "lbzip2", "publishing images compressed with bzip2 on several processors"),
    ("losetup", "mount", "storage pools that are files on the host"),
    ("lvm", "lvm2", "LVM storage pools"),
    ("lz4", "lz4", "publishing images compressed with lz4"),
    ("lzma", "xz-utils", "publishing images compressed with lzma"),
    ("mkfs.btrfs", "btrfs-progs", "btrfs storage pools, and volumes with btrfs in other pools"),
    ("mkfs.ext4", "e2fsprogs", "volumes with ext4 in LVM and Ceph storage pools"),
    ("mkfs.xfs", "xfsprogs", "volumes with xfs in LVM and Ceph storage pools"),
    ("mksquashfs", "squashfs-tools", "publishing images as squashfs"),
    ("modprobe", "kmod", "loading kernel modules (linux.kernel_modules)"),
    ("nft", "nftables", "NAT and firewall of managed bridges"),
    ("pbzip2", "pbzip2", "publishing images compressed with bzip2 on several processors"),
    ("pigz", "pigz", "publishing images compressed with gzip on several processors"),
    ("pixz", "pixz", "publishing images compressed with xz on several processors"),
    ("rbd", "ceph-common", "storage pools in a Ceph cluster"),
    ("resize2fs", "e2fsprogs", "volumes with ext4 in LVM and Ceph storage pools"),
    ("rsync", "rsync", "copying and moving containers between servers"),
    ("unsquashfs", "squashfs-tools", "importing images that are squashfs files"),
    ("wipefs", "util-linux", "freeing the disks of storage pools that were deleted"),
    ("xfs_growfs", "xfsprogs", "volumes with xfs in LVM and Ceph storage pools"),
    ("xz", "xz-utils", "publishing images compressed with xz"),
    ("zfs", "zfsutils-linux", "storage pools of the driver zfs"),
    ("zpool", "zfsutils-linux", "storage pools of the driver zfs"),
    ("zstd", "zstd", "publishing images compressed with zstd"),
    ("setfacl", "acl", "shifting access control lists without idmapped mounts"),
];

/// All programs that may be run, with where they were found.
#[must_use]
pub fn inventory() -> Vec<Entry> {
    PROGRAMS
        .iter()
        .map(|&(program, package, needed_for)| Entry { program, package, needed_for, found: find(program) })
        .collect()
}

/// The Debian package that brings `program`, when it is one of ours.
#[must_use]
pub fn package_of(program: &str) -> Option<&'static str> {
    PROGRAMS.iter().find(|(name, ..)| *name == program).map(|&(_, package, _)| package)
}

/// The absolute path of a program.
///
/// What was found once is remembered; what was missing is looked for again, because installing
/// the package is how people repair that. A name with a slash is never found.
#[must_use]
pub fn find(program: &str) -> Option<PathBuf> {
    static FOUND: LazyLock<Mutex<HashMap<String, PathBuf>>> = LazyLock::new(Mutex::default);
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(path) = found.get(program) {
        return Some(path.clone());
    }
    let path = look_for(program)?;
    found.insert(program.to_owned(), path.clone());
    Some(path)
}

/// Says in time that a program is missing, before work begins that needs it.
///
/// # Errors
/// [`RunError::NotFound`].
pub fn require(program: &str) -> Result<(), RunError> {
    if find(program).is_some() {
        return Ok(());
    }
    Err(RunError::NotFound { program: program.to_owned(), package: package_of(program) })
}

fn look_for(program: &str) -> Option<PathBuf> {
    if program.is_empty() || program.contains('/') {
        return None;
    }
    DIRECTORIES
        .iter()
        .map(|d| Path::new(d).join(program))
        .find(|path| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_fixed_directories_only() {
        let sh = find("sh").expect("every host has sh");
        assert!(DIRECTORIES.iter().any(|d| sh.starts_with(d)), "{sh:?}");
        assert_eq!(find("../bin/sh"), None);
        assert_eq!(find("/bin/sh"), None);
        assert_eq!(find(""), None);
        assert_eq!(find("no-such-program-here"), None);
    }

    #[test]
    fn directories_are_no_programs() {
        // /usr/bin/X11 style directories carry execute bits too.
        assert_eq!(find("."), None);
        assert_eq!(find(".."), None);
    }

    #[test]
    fn inventory_names_each_program_once_with_its_package() {
        let all = inventory();
        let mut names: Vec<_> = all.iter().map(|e| e.program).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(all.iter().all(|e| !e.package.is_empty() && !e.needed_for.is_empty()));
        assert_eq!(package_of("nft"), Some("nftables"));
        assert_eq!(package_of("unknown"), None);
    }
}
