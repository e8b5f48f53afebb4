//! The directory that is unpacked to: every name is resolved beneath it and never through a link.

use super::acl::Names;
use super::attributes::{Attributes, NamedAcl};
use super::error::{Refusal, UnpackError};
use super::names::RelativePath;
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, ResolveFlags, XattrFlags, fsetxattr, mkdirat, openat, openat2,
    statat, unlinkat,
};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::rc::Rc;

const READ: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const BENEATH: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);

/// A tree under construction.
pub(super) struct Tree {
    root: Rc<OwnedFd>,
    /// The directory used last: members usually come directory by directory.
    last: Option<(RelativePath, Rc<OwnedFd>)>,
    /// What directories get when everything is in them.
    directories: BTreeMap<RelativePath, Attributes>,
    /// Access control lists that wait for `/etc/passwd` and `/etc/group`.
    named_acls: Vec<(RelativePath, NamedAcl)>,
}

/// A place in the tree where something is made.
pub(super) struct Entry<'a> {
    pub(super) directory: Rc<OwnedFd>,
    pub(super) name: &'a [u8],
    /// The member's name for errors.
    pub(super) member: &'a [u8],
}

/// An error of a system call on a member.
pub(super) fn write_error(step: &'static str, member: &[u8], errno: Errno) -> UnpackError {
    UnpackError::Write { step, member: member.escape_ascii().to_string(), source: errno.into() }
}

/// A member that must not be unpacked.
pub(super) fn refused(member: &[u8], why: Refusal) -> UnpackError {
    UnpackError::Refused { member: member.escape_ascii().to_string(), why }
}

impl Tree {
    /// Works below an existing directory.
    pub(super) fn open(path: &Path) -> Result<Self, UnpackError> {
        let root = openat(CWD, path, DIRECTORY, Mode::empty()).map_err(|errno| UnpackError::Prepare {
            step: "open",
            path: path.to_owned(),
            source: errno.into(),
        })?;
        Ok(Self { root: Rc::new(root), last: None, directories: BTreeMap::new(), named_acls: Vec::new() })
    }

    /// What the top directory gets if the archive does not mention it.
    pub(super) fn expect_root(&mut self) {
        self.directories.insert(RelativePath::default(), Attributes::of_implied_directory());
    }

    /// Opens a directory of the tree; it and its parents are made if they are missing.
    pub(super) fn directory(
        &mut self,
        path: &RelativePath,
        member: &[u8],
    ) -> Result<Rc<OwnedFd>, UnpackError> {
        if path.is_root() {
            return Ok(self.root.clone());
        }
        if let Some((last, fd)) = &self.last
            && last == path
        {
            return Ok(fd.clone());
        }
        let fd = match openat2(&self.root, path.as_bytes(), DIRECTORY, Mode::empty(), BENEATH) {
            Ok(fd) => fd,
            Err(Errno::NOENT) => self.make_directory(path, member)?,
            Err(Errno::LOOP) => return Err(refused(member, Refusal::ThroughSymlink)),
            Err(Errno::NOTDIR) => return Err(self.not_a_directory(path, member)),
            Err(errno) => return Err(write_error("open the directory of", member, errno)),
        };
        let fd = Rc::new(fd);
        self.last = Some((path.clone(), fd.clone()));
        Ok(fd)
    }

    /// With `O_DIRECTORY`, a link at the end of a path looks like any other file.
    fn not_a_directory(&self, path: &RelativePath, member: &[u8]) -> UnpackError {
        match statat(&self.root, path.as_bytes(), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if FileType::from_raw_mode(stat.st_mode) == FileType::Symlink => {
                refused(member, Refusal::ThroughSymlink)
            }
            _ => refused(member, Refusal::BelowNonDirectory),
        }
    }

    fn make_directory(&mut self, path: &RelativePath, member: &[u8]) -> Result<OwnedFd, UnpackError> {
        let Some((parent, name)) = path.split() else {
            return Err(refused(member, Refusal::ImpossibleName));
        };
        let parent = self.directory(&parent, member)?;
        match mkdirat(&parent, name, Mode::RWXU) {
            Ok(()) => {}
            Err(errno) => return Err(write_error("make the directory of", member, errno)),
        }
        self.directories.insert(path.clone(), Attributes::of_implied_directory());
        openat(&parent, name, DIRECTORY, Mode::empty())
            .map_err(|errno| write_error("open the directory of", member, errno))
    }

    /// Makes a directory that the archive has; its attributes are set by [`finish`](Self::finish).
    pub(super) fn add_directory(
        &mut self,
        path: RelativePath,
        attributes: Attributes,
        member: &[u8],
    ) -> Result<(), UnpackError> {
        match self.directory(&path, member) {
            Ok(_) => {}
            Err(UnpackError::Refused {
                why: Refusal::ThroughSymlink | Refusal::BelowNonDirectory, ..
            }) if self.is_other(&path) => {
                return Err(refused(member, Refusal::DirectoryOverFile));
            }
            Err(error) => return Err(error),
        }
        self.directories.insert(path, attributes);
        Ok(())
    }

    /// True if the last component itself is there and not a directory.
    fn is_other(&self, path: &RelativePath) -> bool {
        let Some((parent, name)) = path.split() else { return false };
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        openat2(&self.root, parent.as_bytes(), flags, Mode::empty(), BENEATH)
            .is_ok_and(|parent| statat(parent, name, AtFlags::SYMLINK_NOFOLLOW).is_ok())
    }

    /// The place where a member that is not a directory is made.
    pub(super) fn entry<'a>(
        &mut self,
        path: &'a RelativePath,
        member: &'a [u8],
    ) -> Result<Entry<'a>, UnpackError> {
        let Some((parent, name)) = path.split() else {
            return Err(refused(member, Refusal::ReplacesDirectory));
        };
        Ok(Entry { directory: self.directory(&parent, member)?, name, member })
    }

    /// The place of something that must be there already. `None`: it is not, or not reachable
    /// without following a link.
    pub(super) fn existing(&self, path: &RelativePath) -> Option<(OwnedFd, Vec<u8>, FileType)> {
        let (parent, name) = path.split()?;
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let parent = openat2(&self.root, parent.as_bytes(), flags, Mode::empty(), BENEATH).ok()?;
        let stat = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        Some((parent, name.to_vec(), FileType::from_raw_mode(stat.st_mode)))
    }

    /// Keeps access control lists with names until the end.
    pub(super) fn defer(&mut self, path: &RelativePath, acls: Vec<NamedAcl>) {
        self.named_acls.extend(acls.into_iter().map(|acl| (path.clone(), acl)));
    }

    /// Gives every directory its owner, mode, attributes and times, and sets the lists that were
    /// kept. `rootfs` is where the container's root is in this tree.
    pub(super) fn finish(self, rootfs: &str) -> Result<(), UnpackError> {
        for (path, attributes) in &self.directories {
            let member = path.as_bytes();
            let fd = openat2(&self.root, member, DIRECTORY, Mode::empty(), BENEATH)
                .map_err(|errno| write_error("open the directory", member, errno))?;
            attributes.apply(fd.as_fd(), member)?;
        }
        if self.named_acls.is_empty() {
            return Ok(());
        }
        let names = Names::parse(
            &self.small_text(&format!("{rootfs}etc/passwd")),
            &self.small_text(&format!("{rootfs}etc/group")),
        );
        for (path, (attribute, acl)) in &self.named_acls {
            let member = path.as_bytes();
            let Some(value) = acl.encode(&names) else {
                tracing::warn!(
                    member = %member.escape_ascii(),
                    "an access control list names somebody that the image does not have; it is left out"
                );
                continue;
            };
            let file = match openat2(&self.root, member, READ, Mode::empty(), BENEATH) {
                Ok(file) => file,
                // A later member of the same name has replaced it.
                Err(Errno::LOOP | Errno::NXIO) => continue,
                Err(errno) => return Err(write_error("open", member, errno)),
            };
            fsetxattr(file, attribute.as_c_str(), &value, XattrFlags::empty())
                .map_err(|errno| write_error("set the access control list of", member, errno))?;
        }
        Ok(())
    }

    /// A small file's text; empty if it is missing, large, not text, or anything but a file.
    fn small_text(&self, path: &str) -> String {
        let read = || {
            let file = openat2(&self.root, path, READ, Mode::empty(), BENEATH).ok()?;
            let file = std::fs::File::from(file);
            if !file.metadata().ok()?.is_file() {
                return None;
            }
            let mut text = String::new();
            file.take(1 << 20).read_to_string(&mut text).ok()?;
            Some(text)
        };
        read().unwrap_or_default()
    }
}

impl Entry<'_> {
    /// Makes something by `make`, which must fail with `EEXIST` if the name is taken. A file of an
    /// earlier member is replaced, as tar does; a directory is not.
    pub(super) fn create<T>(
        &self,
        step: &'static str,
        make: impl Fn(BorrowedFd<'_>, &[u8]) -> Result<T, Errno>,
    ) -> Result<T, UnpackError> {
        match make(self.directory.as_fd(), self.name) {
            Err(Errno::EXIST) => match unlinkat(&self.directory, self.name, AtFlags::empty()) {
                Ok(()) => make(self.directory.as_fd(), self.name),
                Err(Errno::ISDIR) => return Err(refused(self.member, Refusal::ReplacesDirectory)),
                Err(errno) => Err(errno),
            },
            result => result,
        }
        .map_err(|errno| write_error(step, self.member, errno))
    }
}
