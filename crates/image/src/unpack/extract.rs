//! One archive, member by member, into a directory.

use super::attributes::Attributes;
use super::error::{Refusal, UnpackError};
use super::limits::Budget;
use super::names::RelativePath;
use super::shape::{Place, Shape};
use super::tree::{Entry, Tree, refused, write_error};
use crate::archive::{ArchiveError, Extent, Kind, Member, Reader};
use rustix::fs::{
    AtFlags, Dev, FileType, Mode, OFlags, ftruncate, linkat, makedev, mknodat, openat, symlinkat,
};
use rustix::io::{Errno, pwrite};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

const BUFFER: usize = 256 * 1024;

/// Unpacks an archive of a given shape.
pub(super) struct Extractor<'a> {
    shape: Shape,
    /// The archive, for errors.
    file: PathBuf,
    tree: Tree,
    budget: &'a mut Budget,
    given_up: &'a AtomicBool,
    buffer: Vec<u8>,
}

impl<'a> Extractor<'a> {
    pub(super) fn new(
        shape: Shape,
        file: &Path,
        dest: &Path,
        budget: &'a mut Budget,
        given_up: &'a AtomicBool,
    ) -> Result<Self, UnpackError> {
        let mut tree = Tree::open(dest)?;
        if shape == Shape::Rootfs {
            tree.expect_root();
        }
        Ok(Self { shape, file: file.to_owned(), tree, budget, given_up, buffer: vec![0; BUFFER] })
    }

    /// Unpacks everything. On an error the tree is left half-made: the caller removes it.
    pub(super) fn run<R: Read>(mut self, mut archive: Reader<R>) -> Result<(), UnpackError> {
        let file = self.file.clone();
        let unreadable = |source| UnpackError::Archive { file: file.clone(), source };
        while let Some(member) = archive.next_member().map_err(unreadable)? {
            if self.given_up.load(Ordering::Relaxed) {
                return Err(UnpackError::GivenUp);
            }
            self.member(&member, &mut archive)?;
        }
        self.tree.finish(self.shape.rootfs())
    }

    fn member<R: Read>(&mut self, member: &Member, archive: &mut Reader<R>) -> Result<(), UnpackError> {
        let refuse = |why| refused(&member.path, why);
        self.budget.entry().map_err(|limit| UnpackError::TooManyMembers { limit })?;
        let path = RelativePath::parse(&member.path).map_err(refuse)?;
        // What an overlay file system marks as gone is no device, and may be anywhere.
        let is_mark = member.kind == Kind::CharDevice && member.device == (0, 0);
        let kind = if is_mark { Kind::File } else { member.kind };
        let place = self.shape.place(&path, kind).map_err(refuse)?;
        if place == Place::Ignored {
            return Ok(());
        }
        // The top of an image's own directory gets its mode from the pool, not from an archive.
        if place == Place::Host && path.is_root() {
            return Ok(());
        }
        let mut attributes = Attributes::of(member).map_err(refuse)?;
        if place == Place::Host {
            attributes = attributes.on_the_hosts_side(member.kind);
        }
        if matches!(member.kind, Kind::File | Kind::Directory) {
            self.tree.defer(&path, attributes.take_named_acls());
        }
        match member.kind {
            Kind::Directory => self.tree.add_directory(path, attributes, &member.path),
            Kind::File => {
                self.budget
                    .file(member.real_size)
                    .map_err(|limit| refuse(Refusal::TooLarge { size: member.real_size, limit }))?;
                let entry = self.tree.entry(&path, &member.path)?;
                let file = self.write_file(&entry, member, archive)?;
                attributes.apply(file.as_fd(), &member.path)
            }
            Kind::HardLink => self.link(&path, member),
            Kind::Symlink => {
                let target = &member.link;
                if target.is_empty() || target.contains(&0) || target.len() > 4095 {
                    return Err(refuse(Refusal::BadSymlink));
                }
                let entry = self.tree.entry(&path, &member.path)?;
                entry.create("make the link", |dir, name| symlinkat(target.as_slice(), dir, name))?;
                attributes.apply_to_name(&entry, true)
            }
            Kind::CharDevice => self.node(&path, member, FileType::CharacterDevice, &attributes),
            Kind::BlockDevice => self.node(&path, member, FileType::BlockDevice, &attributes),
            Kind::Fifo => self.node(&path, member, FileType::Fifo, &attributes),
        }
    }

    fn write_file<R: Read>(
        &mut self,
        entry: &Entry<'_>,
        member: &Member,
        archive: &mut Reader<R>,
    ) -> Result<OwnedFd, UnpackError> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = entry.create("create", |dir, name| openat(dir, name, flags, Mode::RUSR | Mode::WUSR))?;
        let whole = [Extent { offset: 0, length: member.real_size }];
        for extent in member.sparse.as_deref().unwrap_or(&whole) {
            let mut offset = extent.offset;
            let mut left = extent.length;
            while left > 0 {
                let wanted = BUFFER.min(usize::try_from(left).unwrap_or(BUFFER));
                let unreadable = |source| UnpackError::Archive { file: self.file.clone(), source };
                let count = archive.read_data(&mut self.buffer[..wanted]).map_err(unreadable)?;
                if count == 0 {
                    return Err(unreadable(ArchiveError::Truncated));
                }
                write_all(&file, &self.buffer[..count], offset)
                    .map_err(|errno| write_error("write", &member.path, errno))?;
                if self.given_up.load(Ordering::Relaxed) {
                    return Err(UnpackError::GivenUp);
                }
                self.budget.wrote(count);
                offset += count as u64;
                left -= count as u64;
            }
        }
        if member.sparse.is_some() {
            ftruncate(&file, member.real_size).map_err(|errno| write_error("write", &member.path, errno))?;
        }
        Ok(file)
    }

    /// A hard link: its target is named as a member is, and was one before.
    fn link(&mut self, path: &RelativePath, member: &Member) -> Result<(), UnpackError> {
        let target = || member.link.escape_ascii().to_string();
        let refuse = |why| refused(&member.path, why);
        let outside = || refuse(Refusal::LinkOutside { target: target() });
        let from = RelativePath::parse(&member.link).map_err(|_| outside())?;
        if !matches!(self.shape.place(&from, Kind::File), Ok(Place::Container(_))) {
            return Err(outside());
        }
        let Some((directory, name, kind)) = self.tree.existing(&from) else {
            return Err(refuse(Refusal::LinkToNothing { target: target() }));
        };
        match kind {
            FileType::RegularFile | FileType::Symlink | FileType::Fifo => {}
            _ => return Err(refuse(Refusal::LinkToOther { target: target() })),
        }
        if from == *path {
            // A link to itself: making room for it would remove what it is a link to.
            return Ok(());
        }
        let entry = self.tree.entry(path, &member.path)?;
        entry.create("make the hard link", |to, new| {
            linkat(&directory, name.as_slice(), to, new, AtFlags::empty())
        })
    }

    fn node(
        &mut self,
        path: &RelativePath,
        member: &Member,
        kind: FileType,
        attributes: &Attributes,
    ) -> Result<(), UnpackError> {
        let entry = self.tree.entry(path, &member.path)?;
        let (major, minor) = member.device;
        let device: Dev = if kind == FileType::Fifo { 0 } else { makedev(major, minor) };
        let make = |dir: std::os::fd::BorrowedFd<'_>, name: &[u8]| {
            match mknodat(dir, name, kind, Mode::RUSR | Mode::WUSR, device) {
                Ok(()) => Ok(true),
                // In a user namespace nobody can make devices; the container gets its own /dev.
                Err(Errno::PERM) if kind != FileType::Fifo => Ok(false),
                Err(errno) => Err(errno),
            }
        };
        if entry.create("make the special file", make)? {
            attributes.apply_to_name(&entry, false)
        } else {
            Ok(())
        }
    }
}

fn write_all(file: &OwnedFd, mut data: &[u8], mut offset: u64) -> Result<(), Errno> {
    while !data.is_empty() {
        match pwrite(file, data, offset) {
            Ok(0) => return Err(Errno::NOSPC),
            Ok(count) => {
                data = &data[count..];
                offset += count as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
