//! Copies a tree: owners, modes, times, extended attributes with access control lists and
//! capabilities, links, holes, devices and pipes. Sockets are left out: they belong to processes.

use super::directory::{Position, list, open_child, open_root};
use super::hard_links::HardLinks;
use super::workers::{self, Jobs};
use super::xattrs::{self, Subject};
use super::{TreeError, copy_data};
use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, Stat, Timespec, Timestamps, Uid, chmodat, chownat, fchmod, fchown,
    fstat, futimens, linkat, mkdirat, mknodat, openat, readlinkat, statat, symlinkat, utimensat,
};
use rustix::io::Errno;
use std::cell::RefCell;
use std::ffi::{CStr, CString, OsStr};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

pub use super::copy_data::Reflink;

const BUFFER: usize = 256 * 1024;

/// How a tree is copied.
#[derive(Clone, Copy, Debug)]
pub struct CopyOptions<'a> {
    /// Files may come, go and change meanwhile; what vanishes is left out.
    pub live: bool,
    /// What is known about sharing data on this file system.
    pub reflink: &'a Reflink,
}

/// What was copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files, directories and everything else, hard links counted each.
    pub entries: u64,
    /// Bytes of data, shared ones included, holes not.
    pub bytes: u64,
}

/// Copies the directory `from` with everything in it to `to`, an empty directory.
///
/// Nothing is synced: a crash of the machine can leave files of the last seconds empty, as it can
/// for every program that writes files. The caller decides what must be on disk, and when.
///
/// # Errors
/// [`TreeError`]; `to` is then half-filled.
pub fn copy_tree(from: &Path, to: &Path, options: CopyOptions<'_>) -> Result<Copied, TreeError> {
    let root = Directory { source: open_root(from)?, target: open_root(to)?, position: Position::root(from) };
    let target_root = open_root(to)?;
    let copy = Copy {
        options,
        target_root,
        links: HardLinks::default(),
        entries: AtomicU64::new(0),
        bytes: AtomicU64::new(0),
        creator: (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw()),
    };
    workers::run(Job::Root(root), |job, jobs| copy.job(job, jobs))?;
    Ok(Copied { entries: copy.entries.into_inner(), bytes: copy.bytes.into_inner() })
}

/// The same directory in both trees.
struct Directory {
    source: OwnedFd,
    target: OwnedFd,
    position: Arc<Position>,
}

enum Job {
    Root(Directory),
    /// A directory that is made already, but not opened: many may wait.
    Below(Arc<Directory>, CString),
}

struct Copy<'a> {
    options: CopyOptions<'a>,
    target_root: OwnedFd,
    links: HardLinks,
    entries: AtomicU64,
    bytes: AtomicU64,
    /// Owner and group that new files get by themselves.
    creator: (u32, u32),
}

thread_local! {
    static COPY_BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; BUFFER]);
}

impl Copy<'_> {
    fn job(&self, job: Job, jobs: &Jobs<Job, TreeError>) -> Result<(), TreeError> {
        let directory = match job {
            Job::Root(directory) => directory,
            Job::Below(parent, name) => match self.open(&parent, &name)? {
                Some(directory) => directory,
                None => return self.vanished(&parent.position, &name),
            },
        };
        self.directory(directory, jobs)
    }

    fn open(&self, parent: &Directory, name: &CStr) -> Result<Option<Directory>, TreeError> {
        let Some(source) = open_child(parent.source.as_fd(), name, &parent.position)? else {
            return Ok(None);
        };
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let target = openat(&parent.target, name, flags, Mode::empty())
            .map_err(|errno| parent.position.error("open the copy of", name, errno))?;
        Ok(Some(Directory { source, target, position: parent.position.child(name)? }))
    }

    fn vanished(&self, position: &Position, name: &CStr) -> Result<(), TreeError> {
        if self.options.live { Ok(()) } else { Err(TreeError::Vanished { path: position.path_of(name) }) }
    }

    fn directory(&self, directory: Directory, jobs: &Jobs<Job, TreeError>) -> Result<(), TreeError> {
        let directory = Arc::new(directory);
        let position = &directory.position;
        let entries = match list(&directory.source, position) {
            // Removed while it was open: what is left of it is nothing.
            Err(TreeError::Io { source, .. })
                if self.options.live && source.kind() == std::io::ErrorKind::NotFound =>
            {
                Vec::new()
            }
            listed => listed?,
        };
        self.entries.fetch_add(1, Ordering::Relaxed);
        // Directories first, so that other threads have something to do.
        for (name, _) in entries.iter().filter(|(_, kind)| *kind == FileType::Directory) {
            mkdirat(&directory.target, name.as_c_str(), Mode::RWXU)
                .map_err(|errno| position.error("make the copy of", name, errno))?;
            jobs.add(Job::Below(directory.clone(), name.clone()));
        }
        for (name, kind) in entries.iter().filter(|(_, kind)| *kind != FileType::Directory) {
            match self.other(&directory, name, *kind) {
                Ok(()) => {}
                Err(Failure::Gone) => self.vanished(position, name)?,
                Err(Failure::System(step, errno)) => return Err(position.error(step, name, errno)),
            }
        }
        // Everything in it has been made, so its times stay.
        let attributes = || {
            let stat = fstat(&directory.source).map_err(at("look at"))?;
            self.attributes(&Subject::Open(directory.source.as_fd()), &directory.target, &stat)
        };
        attributes().map_err(|failure| match failure {
            Failure::Gone => TreeError::Vanished { path: position.path() },
            Failure::System(step, errno) => position.own_error(step, errno),
        })
    }

    /// Everything that is not a directory.
    fn other(&self, directory: &Directory, name: &CStr, kind: FileType) -> Result<(), Failure> {
        match kind {
            FileType::Socket => return Ok(()),
            FileType::RegularFile => self.file(directory, name)?,
            _ => {
                let stat =
                    statat(&directory.source, name, AtFlags::SYMLINK_NOFOLLOW).map_err(at("look at"))?;
                self.once(directory, name, &stat, || self.special(directory, name, &stat))?;
            }
        }
        self.entries.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Makes a copy, or a link to the copy that another name of the same file has already.
    fn once(
        &self,
        directory: &Directory,
        name: &CStr,
        stat: &Stat,
        make: impl FnOnce() -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        if stat.st_nlink < 2 {
            return make();
        }
        let turn = self.links.turn((stat.st_dev, stat.st_ino));
        let mut copy = turn.take();
        if let Some(path) = copy.as_ref() {
            return linkat(&self.target_root, path, &directory.target, name, AtFlags::empty())
                .map_err(at("link the copy of"));
        }
        make()?;
        let path = directory.position.path_below_root();
        *copy = Some(path.join(OsStr::from_bytes(name.to_bytes())));
        Ok(())
    }

    fn file(&self, directory: &Directory, name: &CStr) -> Result<(), Failure> {
        let source = match open_file(&directory.source, name) {
            Ok(source) => source,
            // It was replaced by something else meanwhile.
            Err(Errno::LOOP | Errno::NXIO) => return Err(Failure::Gone),
            Err(errno) => return Err(at("open")(errno)),
        };
        let stat = fstat(&source).map_err(at("look at"))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(Failure::Gone);
        }
        self.once(directory, name, &stat, || {
            let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let target = openat(&directory.target, name, flags, Mode::RUSR | Mode::WUSR)
                .map_err(at("make the copy of"))?;
            let size = u64::try_from(stat.st_size).unwrap_or(0);
            let blocks = u64::try_from(stat.st_blocks).unwrap_or(0);
            let copied = COPY_BUFFER
                .with_borrow_mut(|buffer| {
                    copy_data::copy(&source, &target, size, blocks, self.options.reflink, buffer)
                })
                .map_err(at("copy"))?;
            self.bytes.fetch_add(copied, Ordering::Relaxed);
            self.attributes(&Subject::Open(source.as_fd()), &target, &stat)
        })
    }

    /// Links, devices and pipes.
    fn special(&self, directory: &Directory, name: &CStr, stat: &Stat) -> Result<(), Failure> {
        let kind = FileType::from_raw_mode(stat.st_mode);
        match kind {
            FileType::Symlink => {
                let target = readlinkat(&directory.source, name, Vec::new()).map_err(at("read the link"))?;
                symlinkat(target.as_c_str(), &directory.target, name).map_err(at("make the copy of"))?;
            }
            FileType::Fifo | FileType::CharacterDevice | FileType::BlockDevice => {
                mknodat(&directory.target, name, kind, Mode::RUSR | Mode::WUSR, stat.st_rdev)
                    .map_err(at("make the copy of"))?;
            }
            _ => return Err(Failure::Gone),
        }
        // The copy is reachable for nobody else yet, so its name means what was just made.
        if (stat.st_uid, stat.st_gid) != self.creator {
            let (uid, gid) = (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid));
            chownat(&directory.target, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)
                .map_err(at("set the owner of the copy of"))?;
        }
        if kind != FileType::Symlink {
            chmodat(&directory.target, name, Mode::from_raw_mode(stat.st_mode & 0o7777), AtFlags::empty())
                .map_err(at("set the mode of the copy of"))?;
        }
        let from = Subject::named(directory.source.as_fd(), name).ok_or(Failure::Gone)?;
        let to = Subject::named(directory.target.as_fd(), name).ok_or(Failure::Gone)?;
        xattrs::copy(&from, &to).map_err(at("copy the extended attributes of"))?;
        utimensat(&directory.target, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)
            .map_err(at("set the times of the copy of"))
    }

    /// Owner, then mode, then extended attributes, then times: each of them changes the later ones.
    fn attributes(&self, source: &Subject<'_>, target: &OwnedFd, stat: &Stat) -> Result<(), Failure> {
        if (stat.st_uid, stat.st_gid) != self.creator {
            fchown(target, Some(Uid::from_raw(stat.st_uid)), Some(Gid::from_raw(stat.st_gid)))
                .map_err(at("set the owner of the copy of"))?;
        }
        fchmod(target, Mode::from_raw_mode(stat.st_mode & 0o7777))
            .map_err(at("set the mode of the copy of"))?;
        xattrs::copy(source, &Subject::Open(target.as_fd()))
            .map_err(at("copy the extended attributes of"))?;
        futimens(target, &times(stat)).map_err(at("set the times of the copy of"))
    }
}

/// Opens a file for reading without changing its time of access, where that is allowed.
fn open_file(directory: &OwnedFd, name: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    match openat(directory, name, flags | OFlags::NOATIME, Mode::empty()) {
        Err(Errno::PERM) => openat(directory, name, flags, Mode::empty()),
        result => result,
    }
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanos: u64| Timespec { tv_sec: seconds, tv_nsec: i64::try_from(nanos).unwrap_or(0) };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// Why one entry was not copied.
enum Failure {
    /// It is not there any more, or is something else now.
    Gone,
    System(&'static str, Errno),
}

fn at(step: &'static str) -> impl FnOnce(Errno) -> Failure {
    move |errno| if errno == Errno::NOENT { Failure::Gone } else { Failure::System(step, errno) }
}
