//! Owner, mode, extended attributes and times of what was unpacked.

use super::acl::{self, Acl, Names};
use super::error::{Refusal, UnpackError};
use super::tree::{Entry, write_error};
use crate::archive::Member;
use rustix::fs::{
    AtFlags, Gid, Mode, Timespec, Timestamps, Uid, XattrFlags, chmodat, chownat, fchmod, fchown, fsetxattr,
    futimens, lsetxattr, utimensat,
};
use rustix::io::Errno;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

/// What a file gets besides its content.
#[derive(Clone, Debug)]
pub(super) struct Attributes {
    mode: u32,
    uid: u32,
    gid: u32,
    /// `None`: left as it is.
    mtime: Option<(i64, u32)>,
    xattrs: Vec<(CString, Vec<u8>)>,
    /// Lists that name users of the container, whose ids are known when everything is unpacked.
    named_acls: Vec<NamedAcl>,
}

/// The attribute, and the list that becomes its value.
pub(super) type NamedAcl = (CString, Acl);

/// Extended attributes that are taken from an archive. Labels of security modules and what
/// file systems keep in `trusted.` belong to the host that the image was made on.
pub(crate) fn is_wanted(name: &[u8]) -> bool {
    name.starts_with(b"user.")
        || name == b"security.capability"
        || name == acl::ACCESS
        || name == acl::DEFAULT
}

impl Attributes {
    /// A directory that the archive has files in but does not mention.
    pub(super) fn of_implied_directory() -> Self {
        Self { mode: 0o755, uid: 0, gid: 0, mtime: None, xattrs: Vec::new(), named_acls: Vec::new() }
    }

    pub(super) fn of(member: &Member) -> Result<Self, Refusal> {
        let mut xattrs = Vec::new();
        let mut named_acls = Vec::new();
        for (name, value) in &member.xattrs {
            if is_wanted(name) {
                let name = CString::new(name.clone()).map_err(|_| Refusal::ImpossibleName)?;
                xattrs.push((name, value.clone()));
            }
        }
        let lists = [(acl::ACCESS, &member.acl_access), (acl::DEFAULT, &member.acl_default)];
        for (name, text) in lists {
            if let Some(text) = text.as_ref().filter(|text| !text.is_empty()) {
                let list = Acl::parse(text).ok_or(Refusal::BadAcl)?;
                let name = CString::new(name).map_err(|_| Refusal::ImpossibleName)?;
                match list.encode(&Names::default()) {
                    Some(value) => xattrs.push((name, value)),
                    None => named_acls.push((name, list)),
                }
            }
        }
        Ok(Self {
            mode: member.mode,
            uid: member.uid,
            gid: member.gid,
            mtime: Some(member.mtime),
            xattrs,
            named_acls,
        })
    }

    /// Sets everything on an open file or directory.
    ///
    /// The order matters: a change of owner takes set-uid bits and capabilities away, a change of
    /// mode changes an access control list, and everything but the last changes times.
    pub(super) fn apply(&self, file: BorrowedFd<'_>, member: &[u8]) -> Result<(), UnpackError> {
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        fchown(file, Some(uid), Some(gid)).map_err(|e| write_error("set the owner of", member, e))?;
        fchmod(file, Mode::from_raw_mode(self.mode))
            .map_err(|e| write_error("set the mode of", member, e))?;
        for (name, value) in &self.xattrs {
            fsetxattr(file, name.as_c_str(), value, XattrFlags::empty())
                .map_err(|e| write_error("set an extended attribute of", member, e))?;
        }
        if let Some(times) = self.times() {
            futimens(file, &times).map_err(|e| write_error("set the times of", member, e))?;
        }
        Ok(())
    }

    /// Sets everything on something that cannot be opened: a link, a pipe or a device. Nobody else
    /// can reach the tree while it is unpacked, so the name still means what was just made.
    pub(super) fn apply_to_name(&self, entry: &Entry<'_>, is_link: bool) -> Result<(), UnpackError> {
        let (directory, name, member) = (entry.directory.as_fd(), entry.name, entry.member);
        let (uid, gid) = (Uid::from_raw(self.uid), Gid::from_raw(self.gid));
        chownat(directory, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(|e| write_error("set the owner of", member, e))?;
        if !is_link {
            chmodat(directory, name, Mode::from_raw_mode(self.mode), AtFlags::empty())
                .map_err(|e| write_error("set the mode of", member, e))?;
        }
        let path = [format!("/proc/self/fd/{}/", directory.as_raw_fd()).as_bytes(), name].concat();
        for (attribute, value) in &self.xattrs {
            match lsetxattr(path.as_slice(), attribute.as_c_str(), value, XattrFlags::empty()) {
                // Links and devices cannot have attributes of users; an archive may say so anyway.
                Ok(()) | Err(Errno::PERM | Errno::OPNOTSUPP) => {}
                Err(e) => return Err(write_error("set an extended attribute of", member, e)),
            }
        }
        if let Some(times) = self.times() {
            utimensat(directory, name, &times, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|e| write_error("set the times of", member, e))?;
        }
        Ok(())
    }

    /// Takes out the lists that are to be set at the end.
    pub(super) fn take_named_acls(&mut self) -> Vec<NamedAcl> {
        std::mem::take(&mut self.named_acls)
    }

    fn times(&self) -> Option<Timestamps> {
        let (tv_sec, nanos) = self.mtime?;
        let time = Timespec { tv_sec, tv_nsec: nanos.into() };
        Some(Timestamps { last_access: time, last_modification: time })
    }
}

impl Attributes {
    /// Metadata and templates are the host's: root's, readable for nobody else, nothing special.
    pub(super) fn on_the_hosts_side(self, kind: crate::archive::Kind) -> Self {
        let mode = if kind == crate::archive::Kind::Directory { 0o700 } else { 0o600 };
        Self { mode, uid: 0, gid: 0, mtime: self.mtime, xattrs: Vec::new(), named_acls: Vec::new() }
    }
}
