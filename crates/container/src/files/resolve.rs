//! Paths inside, and the words for what is wrong with them.

use crate::Error;
use model::runtime::protocol::{FileKind, FileReply};
use rustix::fs::{FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Uid, openat2};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// The root directory of the container, from which every path is looked up.
///
/// Links are followed as they are inside, but not the magic ones below `/proc`.
#[derive(Debug)]
pub(super) struct Root {
    directory: OwnedFd,
}

/// The directory that something is in, and its name there.
#[derive(Debug)]
pub(super) struct Place<'a> {
    pub(super) directory: OwnedFd,
    pub(super) name: &'a str,
}

impl Root {
    /// The root of this process.
    pub(super) fn open() -> Result<Self, Error> {
        Self::at("/").map_err(|errno| Error::system("open the root directory", errno))
    }

    pub(super) fn at(path: impl rustix::path::Arg) -> Result<Self, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(Self { directory: rustix::fs::open(path, flags, Mode::empty())? })
    }

    /// Opens a path. Opening never waits and never makes a terminal ours.
    pub(super) fn open_at(&self, path: &str, flags: OFlags, mode: Mode) -> Result<OwnedFd, Errno> {
        let flags = flags | OFlags::CLOEXEC;
        // With O_PATH the kernel refuses flags that would mean nothing.
        let flags =
            if flags.contains(OFlags::PATH) { flags } else { flags | OFlags::NONBLOCK | OFlags::NOCTTY };
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        loop {
            match openat2(&self.directory, path, flags, mode, resolve) {
                // A rename or mount raced with the lookup: the kernel asks for another try.
                Err(Errno::INTR | Errno::AGAIN) => {}
                result => return result,
            }
        }
    }

    /// Splits off the last component and opens what is before it.
    pub(super) fn place<'a>(&self, step: &str, path: &'a str) -> Result<Place<'a>, Error> {
        let trimmed = path.trim_end_matches('/');
        let (parent, name) = trimmed.rsplit_once('/').unwrap_or(("", trimmed));
        if matches!(name, "" | "." | "..") {
            return Err(Error {
                reason: "the path has no last component".into(),
                ..Error::system(step.to_owned(), Errno::INVAL)
            });
        }
        let parent = if parent.is_empty() { "/" } else { parent };
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        match self.open_at(parent, flags, Mode::empty()) {
            Ok(directory) => Ok(Place { directory, name }),
            Err(errno) => Err(missing_parent(step, parent, errno)),
        }
    }
}

/// The directory that something was to be in cannot be opened.
pub(super) fn missing_parent(step: &str, parent: &str, errno: Errno) -> Error {
    let error = Error::system(step.to_owned(), errno);
    match errno {
        Errno::NOENT => Error { reason: format!("the directory {parent} does not exist"), ..error },
        Errno::NOTDIR => Error { reason: format!("{parent} is not a directory"), ..error },
        _ => Error { reason: format!("{parent}: {}", error.reason), ..error },
    }
}

/// Giving something to an owner failed; an id that the container does not have is named.
pub(super) fn chown_failed(step: &str, uid: Option<u32>, gid: Option<u32>, errno: Errno) -> Error {
    let error = Error::system(step.to_owned(), errno);
    if errno != Errno::INVAL {
        return error;
    }
    let reason = match (uid, gid) {
        (Some(uid), Some(gid)) => {
            format!("user {uid} or group {gid} is not among the ids of the container")
        }
        (Some(uid), None) => format!("user {uid} is not among the ids of the container"),
        (None, Some(gid)) => format!("group {gid} is not among the ids of the container"),
        (None, None) => return error,
    };
    Error { reason, ..error }
}

/// Ids for `fchown`. The number that means "unchanged" to the kernel is nobody's id.
pub(super) fn owner(
    step: &str,
    uid: Option<u32>,
    gid: Option<u32>,
) -> Result<(Option<Uid>, Option<Gid>), Error> {
    if uid == Some(u32::MAX) || gid == Some(u32::MAX) {
        return Err(chown_failed(step, uid, gid, Errno::INVAL));
    }
    Ok((uid.map(Uid::from_raw), gid.map(Gid::from_raw)))
}

/// What `fstat` says, in the protocol's words.
pub(super) fn describe(stat: &Stat, kind: FileKind) -> FileReply {
    let size = if kind == FileKind::File { u64::try_from(stat.st_size).unwrap_or(0) } else { 0 };
    FileReply { kind, uid: stat.st_uid, gid: stat.st_gid, mode: stat.st_mode & 0o7777, size, is_new: false }
}

/// The kind of something that can neither be read nor written from outside.
pub(super) fn unusable(step: &str, kind: FileType) -> Error {
    let what = match kind {
        FileType::Fifo => "a FIFO",
        FileType::Socket => "a socket",
        FileType::CharacterDevice | FileType::BlockDevice => "a device",
        _ => "something unknown",
    };
    let reason = format!("it is {what}; only files, directories and symbolic links can be used from outside");
    Error { reason, ..Error::system(step.to_owned(), Errno::OPNOTSUPP) }
}
