//! New file systems for a container: made detached, then attached.

use model::runtime::spec::Create;
use rustix::io::{Errno, Result as IoResult};
use rustix::mount::{
    FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsconfig_set_flag, fsconfig_set_string,
    fsmount, fsopen,
};
use std::ffi::{CString, NulError};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::place::{Place, attach};

/// A file system to make: its kind and its options, cut into pieces before the clone.
#[derive(Debug)]
pub(crate) struct NewFilesystem {
    kind: CString,
    /// `key=value`, or a flag.
    options: Vec<(CString, Option<CString>)>,
    attributes: MountAttrFlags,
}

impl NewFilesystem {
    /// Options as for `mount -o`.
    pub(crate) fn new(kind: &str, options: &str) -> Result<Self, NulError> {
        let mut parsed = Vec::new();
        let mut attributes = MountAttrFlags::empty();
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => attributes |= MountAttrFlags::MOUNT_ATTR_RDONLY,
                "nosuid" => attributes |= MountAttrFlags::MOUNT_ATTR_NOSUID,
                "nodev" => attributes |= MountAttrFlags::MOUNT_ATTR_NODEV,
                "noexec" => attributes |= MountAttrFlags::MOUNT_ATTR_NOEXEC,
                "noatime" => attributes |= MountAttrFlags::MOUNT_ATTR_NOATIME,
                "nodiratime" => attributes |= MountAttrFlags::MOUNT_ATTR_NODIRATIME,
                "rw" | "suid" | "dev" | "exec" | "relatime" | "defaults" => {}
                _ => parsed.push(match option.split_once('=') {
                    Some((key, value)) => (CString::new(key)?, Some(CString::new(value)?)),
                    None => (CString::new(option)?, None),
                }),
            }
        }
        Ok(Self { kind: CString::new(kind)?, options: parsed, attributes })
    }

    /// Make it, attached nowhere.
    pub(crate) fn make(&self) -> IoResult<OwnedFd> {
        let context = fsopen(&self.kind, FsOpenFlags::FSOPEN_CLOEXEC)?;
        // What `mount` shows as the device.
        fsconfig_set_string(context.as_fd(), c"source", &self.kind)?;
        for (key, value) in &self.options {
            match value {
                Some(value) => fsconfig_set_string(context.as_fd(), key, value)?,
                None => fsconfig_set_flag(context.as_fd(), key)?,
            }
        }
        fsconfig_create(context.as_fd())?;
        fsmount(context.as_fd(), FsMountFlags::FSMOUNT_CLOEXEC, self.attributes)
    }

    /// Make it and attach it to a place, which is made if it is missing.
    pub(super) fn mount(&self, root: BorrowedFd<'_>, place: &Place) -> IoResult<OwnedFd> {
        let target = place.open_or_make(root, Create::Dir)?;
        let mount = self.make()?;
        attach(mount.as_fd(), target.as_fd())?;
        Ok(mount)
    }

    /// Whether the kernel lacks this kind of file system, or keeps it from containers.
    pub(super) fn unavailable(errno: Errno) -> bool {
        matches!(errno, Errno::NODEV | Errno::PERM | Errno::NOENT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_sorted_into_flags_and_words() {
        let new = NewFilesystem::new("tmpfs", "rw,nosuid,mode=755,,noswap,ro").unwrap();
        let both = MountAttrFlags::MOUNT_ATTR_NOSUID | MountAttrFlags::MOUNT_ATTR_RDONLY;
        assert_eq!(new.attributes, both);
        assert_eq!(
            new.options,
            [(c"mode".to_owned(), Some(c"755".to_owned())), (c"noswap".to_owned(), None)]
        );
        assert!(NewFilesystem::new("a\0b", "").is_err());
    }
}
