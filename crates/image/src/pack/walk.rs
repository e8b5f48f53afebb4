//! A tree becomes members of an archive.
//!
//! The tree belongs to a container and may have been made by an attacker: every directory is opened
//! beneath the top one and never through a link, a file is looked at after it was opened, and a file
//! that turns out to be shorter than it was is an error. Order depends on names alone.

use super::attributes::{Ids, Reading};
use super::error::PackError;
use super::hard_links::HardLinks;
use crate::archive::{Extent, Kind, MAX_EXTENTS, Member, Writer};
use rustix::fs::{
    AtFlags, CWD, FileType, Mode, OFlags, RawDir, ResolveFlags, SeekFrom, Stat, fstat, major, minor, openat,
    openat2, readlinkat, seek, statat,
};
use rustix::io::{Errno, pread};
use std::ffi::{CStr, CString, OsStr};
use std::io::Write;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
const FILE: OFlags = OFlags::RDONLY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::NOCTTY)
    .union(OFlags::CLOEXEC);
const WITHIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
/// How much is read at once, in bytes.
const BUFFER: usize = 256 * 1024;
/// The longest path that can be unpacked again.
const PATH_MAX: usize = 4095;
/// As many as can be unpacked again.
const ENTRIES: u64 = 1_000_000;

/// Told how many bytes of files were read so far; false ends the work.
pub(super) type Report<'a> = &'a mut dyn FnMut(u64) -> bool;

/// Packs trees into one archive.
pub(super) struct Walker<'a, W> {
    pub(super) archive: Writer<W>,
    pub(super) ids: Ids<'a>,
    report: Report<'a>,
    buffer: Vec<u8>,
    bytes: u64,
    entries: u64,
}

/// One tree on its way.
struct Tree<'t> {
    top: OwnedFd,
    path: &'t Path,
    /// What stands before each name, with its slash; empty at the top of an archive.
    prefix: &'t [u8],
    links: HardLinks,
    /// Directories that were met and not yet entered: what they are in, and their name there.
    pending: Vec<(Rc<[u8]>, CString)>,
}

impl Tree<'_> {
    fn failed(&self, step: &'static str, below: &[u8], errno: Errno) -> PackError {
        PackError::Read { step, path: self.at(below), source: errno.into() }
    }

    fn at(&self, below: &[u8]) -> PathBuf {
        self.path.join(OsStr::from_bytes(below))
    }

    fn name(&self, below: &[u8]) -> Vec<u8> {
        match (self.prefix, below) {
            (b"", b"") => b".".to_vec(),
            (prefix, b"") => prefix[..prefix.len() - 1].to_vec(),
            (prefix, below) => [prefix, below].concat(),
        }
    }
}

impl<'a, W: Write> Walker<'a, W> {
    pub(super) fn new(archive: W, ids: Ids<'a>, report: Report<'a>) -> Self {
        Self { archive: Writer::new(archive), ids, report, buffer: vec![0; BUFFER], bytes: 0, entries: 0 }
    }

    /// Packs all below `path`, and that directory itself, with `prefix` before all names.
    pub(super) fn tree(&mut self, path: &Path, prefix: &[u8]) -> Result<(), PackError> {
        let top = openat(CWD, path, DIRECTORY, Mode::empty()).map_err(|errno| PackError::Read {
            step: "open",
            path: path.to_owned(),
            source: errno.into(),
        })?;
        let mut tree = Tree { top, path, prefix, links: HardLinks::default(), pending: Vec::new() };
        self.directory(&mut tree, b"")?;
        while let Some((parent, name)) = tree.pending.pop() {
            self.directory(&mut tree, &join(&parent, &name))?;
        }
        Ok(())
    }

    /// One directory: itself, what is in it, and then, later, the directories in it.
    fn directory(&mut self, tree: &mut Tree<'_>, below: &[u8]) -> Result<(), PackError> {
        let name = if below.is_empty() { &b"."[..] } else { below };
        let fd = match openat2(&tree.top, name, DIRECTORY, Mode::empty(), WITHIN) {
            Ok(fd) => fd,
            Err(Errno::XDEV) => return Err(PackError::MountPoint { path: tree.at(below) }),
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {
                return Err(PackError::Changed { path: tree.at(below) });
            }
            Err(errno) => return Err(tree.failed("open", below, errno)),
        };
        let stat = fstat(&fd).map_err(|errno| tree.failed("look at", below, errno))?;
        let mut member = self.member(&stat, Kind::Directory, tree.name(below));
        self.ids
            .read(&mut member, &Reading::Open(fd.as_fd()))
            .map_err(|errno| tree.failed("read the attributes of", below, errno))?;
        self.begin(tree, below, &member)?;
        let parent: Rc<[u8]> = Rc::from(below);
        let mut directories = Vec::new();
        for name in list(&fd).map_err(|errno| match errno {
            Errno::TOOBIG => PackError::TooManyEntries { limit: ENTRIES },
            errno => tree.failed("list", below, errno),
        })? {
            let path = join(below, &name);
            if tree.prefix.len() + path.len() > PATH_MAX {
                return Err(PackError::TooDeep { path: tree.at(&path), limit: PATH_MAX });
            }
            let stat = match statat(&fd, name.as_c_str(), AtFlags::SYMLINK_NOFOLLOW) {
                Ok(stat) => stat,
                Err(Errno::NOENT) => return Err(PackError::Changed { path: tree.at(&path) }),
                Err(errno) => return Err(tree.failed("look at", &path, errno)),
            };
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => directories.push((parent.clone(), name)),
                // Whoever listens to it makes it anew.
                FileType::Socket => {}
                _ => self.other(tree, &fd, &name, &path, stat)?,
            }
        }
        tree.pending.extend(directories.into_iter().rev());
        Ok(())
    }

    /// Anything but a directory.
    fn other(
        &mut self,
        tree: &mut Tree<'_>,
        directory: &OwnedFd,
        name: &CStr,
        path: &[u8],
        stat: Stat,
    ) -> Result<(), PackError> {
        if let Some(link) = tree.links.first(&stat) {
            let member = Member { link, ..self.member(&stat, Kind::HardLink, tree.name(path)) };
            return self.begin(tree, path, &member);
        }
        tree.links.remember(&stat, || [tree.prefix, path].concat());
        let kind = match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => return self.file(tree, directory, name, path),
            FileType::Symlink => Kind::Symlink,
            FileType::CharacterDevice => Kind::CharDevice,
            FileType::BlockDevice => Kind::BlockDevice,
            _ => Kind::Fifo,
        };
        let mut member = self.member(&stat, kind, tree.name(path));
        if kind == Kind::Symlink {
            let target = readlinkat(directory, name, Vec::new());
            member.link = target.map_err(|errno| tree.failed("read the link", path, errno))?.into_bytes();
        } else {
            member.device = (major(stat.st_rdev), minor(stat.st_rdev));
            self.ids
                .read(&mut member, &Reading::Name(directory.as_fd(), name))
                .map_err(|errno| tree.failed("read the attributes of", path, errno))?;
        }
        self.begin(tree, path, &member)
    }

    fn file(
        &mut self,
        tree: &Tree<'_>,
        directory: &OwnedFd,
        name: &CStr,
        path: &[u8],
    ) -> Result<(), PackError> {
        let open = |flags| openat2(directory, name, flags, Mode::empty(), WITHIN);
        // Reading is not what the container does; where that cannot be said, it does not matter.
        let opened = match open(FILE | OFlags::NOATIME) {
            Err(Errno::PERM) => open(FILE),
            opened => opened,
        };
        let file = match opened {
            Ok(file) => file,
            Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => {
                return Err(PackError::Changed { path: tree.at(path) });
            }
            Err(Errno::XDEV) => return Err(PackError::MountPoint { path: tree.at(path) }),
            Err(errno) => return Err(tree.failed("open", path, errno)),
        };
        let stat = fstat(&file).map_err(|errno| tree.failed("look at", path, errno))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(PackError::Changed { path: tree.at(path) });
        }
        let mut member = self.member(&stat, Kind::File, tree.name(path));
        member.real_size = u64::try_from(stat.st_size).unwrap_or(0);
        self.ids
            .read(&mut member, &Reading::Open(file.as_fd()))
            .map_err(|errno| tree.failed("read the attributes of", path, errno))?;
        let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
        if blocks.saturating_mul(512) < member.real_size {
            member.sparse = match holes(&file, member.real_size) {
                Ok(extents) => extents,
                Err(Errno::TOOBIG) => {
                    return Err(PackError::TooManyHoles { path: tree.at(path), limit: MAX_EXTENTS });
                }
                Err(errno) => return Err(tree.failed("look for holes in", path, errno)),
            };
        }
        self.begin(tree, path, &member)?;
        let whole = [Extent { offset: 0, length: member.real_size }];
        for extent in member.sparse.as_deref().unwrap_or(&whole) {
            self.data(tree, &file, path, *extent)?;
        }
        Ok(())
    }

    fn data(
        &mut self,
        tree: &Tree<'_>,
        file: &OwnedFd,
        path: &[u8],
        extent: Extent,
    ) -> Result<(), PackError> {
        let (mut offset, end) = (extent.offset, extent.offset + extent.length);
        while offset < end {
            let wanted = BUFFER.min(usize::try_from(end - offset).unwrap_or(BUFFER));
            let count = match pread(file, &mut self.buffer[..wanted], offset) {
                Ok(0) => return Err(PackError::Changed { path: tree.at(path) }),
                Ok(count) => count,
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(tree.failed("read", path, errno)),
            };
            let written = self.archive.data(&self.buffer[..count]);
            written.map_err(|source| PackError::Write { path: tree.at(path), source })?;
            offset += count as u64;
            self.bytes += count as u64;
            if !(self.report)(self.bytes) {
                return Err(PackError::GivenUp);
            }
        }
        Ok(())
    }

    fn member(&self, stat: &Stat, kind: Kind, path: Vec<u8>) -> Member {
        Member {
            path,
            link: Vec::new(),
            kind,
            mode: stat.st_mode & 0o7777,
            uid: self.ids.uid(stat.st_uid),
            gid: self.ids.gid(stat.st_gid),
            mtime: (stat.st_mtime, u32::try_from(stat.st_mtime_nsec).unwrap_or(0)),
            device: (0, 0),
            xattrs: Vec::new(),
            acl_access: None,
            acl_default: None,
            real_size: 0,
            sparse: None,
        }
    }

    fn begin(&mut self, tree: &Tree<'_>, path: &[u8], member: &Member) -> Result<(), PackError> {
        self.entries += 1;
        if self.entries > ENTRIES {
            return Err(PackError::TooManyEntries { limit: ENTRIES });
        }
        if !(self.report)(self.bytes) {
            return Err(PackError::GivenUp);
        }
        self.archive.begin(member).map_err(|source| PackError::Write { path: tree.at(path), source })
    }
}

fn join(below: &[u8], name: &CStr) -> Vec<u8> {
    if below.is_empty() { name.to_bytes().to_vec() } else { [below, b"/", name.to_bytes()].concat() }
}

/// Names in a directory, in the order of their bytes.
fn list(fd: &OwnedFd) -> Result<Vec<CString>, Errno> {
    let mut buffer = Box::new([const { MaybeUninit::uninit() }; 32 * 1024]);
    let mut entries = RawDir::new(fd.as_fd(), &mut buffer[..]);
    let mut names = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(name.to_bytes(), b"." | b"..") {
            names.push(name.to_owned());
        }
        if names.len() as u64 > ENTRIES {
            return Err(Errno::TOOBIG);
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// The parts of a file that are no holes; `None`: it has none, or they cannot be told.
fn holes(file: &OwnedFd, size: u64) -> Result<Option<Vec<Extent>>, Errno> {
    let mut extents = Vec::new();
    let mut position = 0;
    while position < size {
        let start = match seek(file, SeekFrom::Data(position)) {
            Ok(start) if start < size => start,
            Ok(_) | Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => return Ok(None),
            Err(errno) => return Err(errno),
        };
        let end = seek(file, SeekFrom::Hole(start))?.min(size);
        if extents.len() + 2 > MAX_EXTENTS {
            return Err(Errno::TOOBIG);
        }
        extents.push(Extent { offset: start, length: end - start });
        position = end;
    }
    if extents == [(Extent { offset: 0, length: size })] {
        return Ok(None);
    }
    if extents.last().is_none_or(|last| last.offset + last.length < size) {
        // Without this, other programs do not see how long the file is.
        extents.push(Extent { offset: size, length: 0 });
    }
    Ok(Some(extents))
}
