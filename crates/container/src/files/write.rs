//! `Put`: a regular file, opened for writing.

use super::Answer;
use super::resolve::{Root, chown_failed, describe, missing_parent, owner, unusable};
use crate::Error;
use model::runtime::protocol::{FileKind, FileReply};
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::fs::{fchmod, fchown, fstat, ftruncate, statat, unlinkat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;

/// Mode of a new file when none is asked for.
const NEW: u32 = 0o640;

/// Opens a file for writing, following links; makes it when it is not there.
pub(super) fn put(
    root: &Root,
    path: &str,
    append: bool,
    uid: Option<u32>,
    gid: Option<u32>,
    mode: Option<u32>,
) -> Answer {
    let step = format!("write {path}");
    let failed = |errno| Error::system(step.clone(), errno);
    let access = if append { OFlags::WRONLY | OFlags::APPEND } else { OFlags::WRONLY };
    let is_new = match root.open_at(path, OFlags::PATH, Mode::empty()) {
        Ok(there) => {
            regular(&step, &there)?;
            false
        }
        Err(Errno::NOENT) => true,
        Err(errno) => return Err(failed(errno)),
    };
    let default = is_new.then_some(0);
    let (uid, gid) = (uid.or(default), gid.or(default));
    let ids = owner(&step, uid, gid)?;
    let file = if is_new {
        create(root, &step, path, access)?
    } else {
        root.open_at(path, access, Mode::empty()).map_err(failed)?
    };
    // Looked at again: what was opened may not be what was there before.
    regular(&step, &file)?;
    if let (Some(_), _) | (_, Some(_)) = (uid, gid)
        && let Err(errno) = fchown(&file, ids.0, ids.1)
    {
        if is_new {
            take_back(root, path, &file);
        }
        return Err(chown_failed(&step, uid, gid, errno));
    }
    // After the owner, which takes set-user-id bits away.
    if let Some(mode) = mode.or(is_new.then_some(NEW)) {
        fchmod(&file, Mode::from_raw_mode(mode & 0o7777)).map_err(failed)?;
    }
    if !is_new && !append {
        ftruncate(&file, 0).map_err(failed)?;
    }
    let stat = fstat(&file).map_err(failed)?;
    Ok((FileReply { is_new, ..describe(&stat, FileKind::File) }, Some(file)))
}

/// Removes a file that was made for a request that then failed, if its name still means it. That it
/// cannot be removed is the smaller news.
fn take_back(root: &Root, path: &str, file: &OwnedFd) {
    let Ok(place) = root.place("", path) else { return };
    let named = statat(&place.directory, place.name, AtFlags::SYMLINK_NOFOLLOW);
    if let (Ok(named), Ok(made)) = (named, fstat(file))
        && (named.st_dev, named.st_ino) == (made.st_dev, made.st_ino)
    {
        let _ = unlinkat(&place.directory, place.name, AtFlags::empty());
    }
}

/// Makes the file; readable by nobody else until it has its owner and mode.
fn create(root: &Root, step: &str, path: &str, access: OFlags) -> Result<OwnedFd, Error> {
    match root.open_at(path, access | OFlags::CREATE, Mode::RUSR | Mode::WUSR) {
        Ok(file) => Ok(file),
        Err(errno @ Errno::NOENT) => {
            let parent = path.trim_end_matches('/').rsplit_once('/').map_or("/", |(parent, _)| parent);
            Err(missing_parent(step, parent, errno))
        }
        Err(errno @ Errno::ISDIR) => Err(is_directory(step, errno)),
        Err(errno) => Err(Error::system(step.to_owned(), errno)),
    }
}

fn regular(step: &str, file: &OwnedFd) -> Result<(), Error> {
    let stat = fstat(file).map_err(|errno| Error::system(step.to_owned(), errno))?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Ok(()),
        FileType::Directory => Err(is_directory(step, Errno::ISDIR)),
        other => Err(unusable(step, other)),
    }
}

fn is_directory(step: &str, errno: Errno) -> Error {
    let reason = "Path already exists as a directory".to_owned();
    Error { reason, ..Error::system(step.to_owned(), errno) }
}
