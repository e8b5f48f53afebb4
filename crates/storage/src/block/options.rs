//! Mount options of volumes: which ones are allowed, and what they are for `mount(2)`.
//!
//! There are options that read another device (`journal_path`, `logdev`, `device`), and some that stop the
//! host when the file system is damaged (`errors=panic`, `fatal_errors=panic`). So only those are taken
//! that are known to be good.

use super::BlockError;
use crate::config::Filesystem;
use rustix::mount::MountFlags;
use std::ffi::CString;

/// Options of every file system, which are flags; `true`: it sets the flag, `false`: it clears it.
const FLAGS: &[(&str, MountFlags, bool)] = &[
    ("async", MountFlags::SYNCHRONOUS, false),
    ("atime", MountFlags::NOATIME, false),
    ("defaults", MountFlags::empty(), true),
    ("dev", MountFlags::NODEV, false),
    ("diratime", MountFlags::NODIRATIME, false),
    ("dirsync", MountFlags::DIRSYNC, true),
    ("exec", MountFlags::NOEXEC, false),
    ("lazytime", MountFlags::LAZYTIME, true),
    ("noatime", MountFlags::NOATIME, true),
    ("nodev", MountFlags::NODEV, true),
    ("nodiratime", MountFlags::NODIRATIME, true),
    ("noexec", MountFlags::NOEXEC, true),
    ("nolazytime", MountFlags::LAZYTIME, false),
    ("norelatime", MountFlags::RELATIME, false),
    ("nostrictatime", MountFlags::STRICTATIME, false),
    ("nosuid", MountFlags::NOSUID, true),
    ("relatime", MountFlags::RELATIME, true),
    ("ro", MountFlags::RDONLY, true),
    ("rw", MountFlags::RDONLY, false),
    ("strictatime", MountFlags::STRICTATIME, true),
    ("suid", MountFlags::NOSUID, false),
    ("sync", MountFlags::SYNCHRONOUS, true),
];

/// Options of ext4 without a value, and those that take one with an equals sign at the end; with a value
/// that is written out, no other is allowed.
const EXT4: &[&str] = &[
    "acl",
    "auto_da_alloc",
    "barrier",
    "barrier=",
    "block_validity",
    "bsddf",
    "bsdgroups",
    "commit=",
    "data=journal",
    "data=ordered",
    "data=writeback",
    "dax",
    "dax=",
    "delalloc",
    "dioread_lock",
    "dioread_nolock",
    "discard",
    "errors=continue",
    "errors=remount-ro",
    "grpid",
    "grpquota",
    "i_version",
    "init_itable",
    "init_itable=",
    "inode_readahead_blks=",
    "journal_async_commit",
    "journal_checksum",
    "max_batch_time=",
    "max_dir_size_kb=",
    "mb_optimize_scan=",
    "min_batch_time=",
    "minixdf",
    "noauto_da_alloc",
    "nobarrier",
    "noblock_validity",
    "nodelalloc",
    "nodiscard",
    "nogrpid",
    "noinit_itable",
    "nojournal_checksum",
    "noload",
    "nombcache",
    "noquota",
    "norecovery",
    "nouser_xattr",
    "prjquota",
    "quota",
    "resgid=",
    "resuid=",
    "stripe=",
    "sysvgroups",
    "user_xattr",
    "usrquota",
];

/// Options of XFS, likewise.
const XFS: &[&str] = &[
    "allocsize=",
    "attr2",
    "bsdgroups",
    "dax",
    "dax=",
    "discard",
    "filestreams",
    "gqnoenforce",
    "gquota",
    "grpid",
    "grpquota",
    "ikeep",
    "inode32",
    "inode64",
    "largeio",
    "logbsize=",
    "logbufs=",
    "noalign",
    "noattr2",
    "nodiscard",
    "nogrpid",
    "noikeep",
    "nolargeio",
    "noquota",
    "norecovery",
    "nouuid",
    "pqnoenforce",
    "pquota",
    "prjquota",
    "qnoenforce",
    "quota",
    "sunit=",
    "swalloc",
    "swidth=",
    "sysvgroups",
    "uqnoenforce",
    "uquota",
    "usrquota",
    "wsync",
];

/// Options of btrfs, likewise.
const BTRFS: &[&str] = &[
    "acl",
    "autodefrag",
    "barrier",
    "clear_cache",
    "commit=",
    "compress",
    "compress-force",
    "compress-force=",
    "compress=",
    "datacow",
    "datasum",
    "discard",
    "discard=async",
    "discard=sync",
    "enospc_debug",
    "flushoncommit",
    "max_inline=",
    "metadata_ratio=",
    "noacl",
    "noautodefrag",
    "nobarrier",
    "nodatacow",
    "nodatasum",
    "nodiscard",
    "noenospc_debug",
    "noflushoncommit",
    "nospace_cache",
    "nossd",
    "nossd_spread",
    "notreelog",
    "skip_balance",
    "space_cache",
    "space_cache=",
    "ssd",
    "ssd_spread",
    "thread_pool=",
    "treelog",
    "user_subvol_rm_allowed",
];

const fn known(filesystem: Filesystem) -> &'static [&'static str] {
    match filesystem {
        Filesystem::Btrfs => BTRFS,
        Filesystem::Ext4 => EXT4,
        Filesystem::Xfs => XFS,
    }
}

/// Options that were checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MountOptions {
    pub(crate) flags: MountFlags,
    pub(crate) data: CString,
}

impl MountOptions {
    /// Checks `block.mount_options` of a volume; none: `discard`, so that what is deleted in it is free for
    /// others. As with `mount(8)`, of two options that contradict each other the last one counts.
    pub(crate) fn parse(filesystem: Filesystem, text: Option<&str>) -> Result<Self, BlockError> {
        let mut flags = MountFlags::empty();
        let mut data: Vec<&str> = Vec::new();
        for option in text.unwrap_or("discard").split(',').map(str::trim).filter(|option| !option.is_empty())
        {
            match FLAGS.iter().find(|(name, ..)| *name == option) {
                Some(&(_, flag, true)) => flags |= flag,
                Some(&(_, flag, false)) => flags -= flag,
                None if allowed(filesystem, option) => data.push(option),
                None => return Err(refused(filesystem, option)),
            }
        }
        // It has the UUID of what it was copied from (see `make_unique`).
        if filesystem == Filesystem::Xfs && !data.contains(&"nouuid") {
            data.push("nouuid");
        }
        let text = data.join(",");
        let data = CString::new(text.as_str()).map_err(|_| refused(filesystem, &text))?;
        Ok(Self { flags, data })
    }

    /// These, and nothing is written by users of the mount.
    pub(crate) fn read_only(mut self) -> Self {
        self.flags |= MountFlags::RDONLY;
        self
    }
}

fn allowed(filesystem: Filesystem, option: &str) -> bool {
    let known = known(filesystem);
    if known.contains(&option) {
        return !option.ends_with('=');
    }
    let Some((name, value)) = option.split_once('=') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '+' | '-');
    !value.is_empty() && value.chars().all(plain) && known.contains(&format!("{name}=").as_str())
}

fn refused(filesystem: Filesystem, option: &str) -> BlockError {
    let flags = FLAGS.iter().map(|(name, ..)| *name);
    let mut all: Vec<&str> = flags.chain(known(filesystem).iter().copied()).collect();
    all.sort_unstable();
    BlockError::Option { option: option.to_owned(), filesystem, allowed: all.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(filesystem: Filesystem, text: &str) -> (MountFlags, String) {
        let options = MountOptions::parse(filesystem, Some(text)).unwrap();
        (options.flags, options.data.into_string().unwrap())
    }

    #[test]
    fn flags_and_data_are_told_apart() {
        let default = MountOptions::parse(Filesystem::Ext4, None).unwrap();
        assert_eq!((default.flags, default.data.to_str()), (MountFlags::empty(), Ok("discard")));
        assert_eq!(parse(Filesystem::Ext4, ""), (MountFlags::empty(), String::new()));
        assert_eq!(
            parse(Filesystem::Ext4, "rw, noatime,discard ,,commit=30,nosuid,suid"),
            (MountFlags::NOATIME, "discard,commit=30".into())
        );
        assert_eq!(parse(Filesystem::Xfs, "ro,nouuid"), (MountFlags::RDONLY, "nouuid".into()));
        assert_eq!(parse(Filesystem::Xfs, "discard").1, "discard,nouuid");
        assert_eq!(parse(Filesystem::Btrfs, "compress=zstd:3").1, "compress=zstd:3");
    }

    #[test]
    fn what_reaches_beyond_the_volume_is_refused() {
        for (filesystem, text) in [
            (Filesystem::Ext4, "journal_path=/dev/sda1"),
            (Filesystem::Ext4, "errors=panic"),
            (Filesystem::Ext4, "commit="),
            (Filesystem::Ext4, "discard,remount"),
            (Filesystem::Ext4, "bind"),
            (Filesystem::Ext4, "compress=zstd"),
            (Filesystem::Xfs, "logdev=/dev/sda1"),
            (Filesystem::Btrfs, "device=/dev/sda1"),
            (Filesystem::Btrfs, "compress=a\\054b"),
            (Filesystem::Btrfs, "subvol=/"),
        ] {
            assert!(MountOptions::parse(filesystem, Some(text)).is_err(), "{text}");
        }
        let error = MountOptions::parse(Filesystem::Ext4, Some("bind")).unwrap_err().to_string();
        assert!(error.contains("\"bind\"") && error.contains("noatime"), "{error}");
    }
}
