//! `MakeDir`, `Symlink` and `Remove`.

use super::Answer;
use super::resolve::{Root, chown_failed, describe, owner};
use crate::Error;
use model::runtime::protocol::FileKind;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::fs::{chownat, fchmod, fchown, fstat, mkdirat, statat, symlinkat, unlinkat};
use rustix::io::Errno;

/// Mode of a new directory when none is asked for.
const NEW: u32 = 0o750;

/// Makes a directory; one that is there, also behind a link, gets owner and mode.
pub(super) fn directory(
    root: &Root,
    path: &str,
    uid: Option<u32>,
    gid: Option<u32>,
    mode: Option<u32>,
) -> Answer {
    let step = format!("make the directory {path}");
    let failed = |errno| Error::system(step.clone(), errno);
    let (uid, gid) = (uid.or(Some(0)), gid.or(Some(0)));
    let ids = owner(&step, uid, gid)?;
    let is_new = if matches!(path.rsplit('/').find(|part| !part.is_empty()), None | Some("." | "..")) {
        false
    } else {
        let place = root.place(&step, path)?;
        match mkdirat(&place.directory, place.name, Mode::RWXU) {
            Ok(()) => true,
            Err(Errno::EXIST) => false,
            Err(errno) => return Err(failed(errno)),
        }
    };
    let opened = root.open_at(path, OFlags::RDONLY | OFlags::DIRECTORY, Mode::empty());
    let directory = opened.map_err(|errno| match errno {
        Errno::NOTDIR | Errno::NOENT => {
            Error { reason: "Path already exists and is not a directory".into(), ..failed(errno) }
        }
        _ => failed(errno),
    })?;
    if let Err(errno) = fchown(&directory, ids.0, ids.1) {
        if is_new {
            // Nothing half-made stays; that it cannot be removed would be the smaller news.
            if let Ok(place) = root.place(&step, path) {
                let _ = unlinkat(&place.directory, place.name, AtFlags::REMOVEDIR);
            }
        }
        return Err(chown_failed(&step, uid, gid, errno));
    }
    if let Some(mode) = mode.or(is_new.then_some(NEW)) {
        fchmod(&directory, Mode::from_raw_mode(mode & 0o7777)).map_err(failed)?;
    }
    let stat = fstat(&directory).map_err(failed)?;
    Ok((describe(&stat, FileKind::Directory(None)), None))
}

/// Makes a symbolic link; something that is there stays, only its owner changes.
pub(super) fn symlink(root: &Root, path: &str, target: &str, uid: Option<u32>, gid: Option<u32>) -> Answer {
    let step = format!("make the link {path}");
    let failed = |errno| Error::system(step.clone(), errno);
    let (uid, gid) = (uid.or(Some(0)), gid.or(Some(0)));
    let ids = owner(&step, uid, gid)?;
    let place = root.place(&step, path)?;
    let is_new = match symlinkat(target, &place.directory, place.name) {
        Ok(()) => true,
        Err(Errno::EXIST) => false,
        Err(errno) => return Err(failed(errno)),
    };
    if let Err(errno) = chownat(&place.directory, place.name, ids.0, ids.1, AtFlags::SYMLINK_NOFOLLOW) {
        if is_new {
            let _ = unlinkat(&place.directory, place.name, AtFlags::empty());
        }
        return Err(chown_failed(&step, uid, gid, errno));
    }
    let stat = statat(&place.directory, place.name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    Ok((describe(&stat, kind_of(&stat, target)), None))
}

fn kind_of(stat: &rustix::fs::Stat, target: &str) -> FileKind {
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Symlink => FileKind::Symlink(target.to_owned()),
        FileType::Directory => FileKind::Directory(None),
        _ => FileKind::File,
    }
}

/// Removes a file, a link or an empty directory.
pub(super) fn remove(root: &Root, path: &str) -> Answer {
    let step = format!("remove {path}");
    let failed = |errno| Error::system(step.clone(), errno);
    let place = root.place(&step, path)?;
    let stat = statat(&place.directory, place.name, AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
    let kind = kind_of(&stat, "");
    let flags = match kind {
        FileKind::Directory(_) => AtFlags::REMOVEDIR,
        _ => AtFlags::empty(),
    };
    unlinkat(&place.directory, place.name, flags).map_err(failed)?;
    Ok((describe(&stat, kind), None))
}
