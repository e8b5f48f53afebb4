//! `Get`: what a path is, and the way to its content.

use super::Answer;
use super::resolve::{Root, describe, unusable};
use crate::Error;
use model::runtime::protocol::FileKind;
use rustix::fs::{Dir, FileType, Mode, OFlags, fstat, readlinkat};
use rustix::io::Errno;

/// Most bytes of names that a listing may have; a directory is the container's, its size too.
const LARGEST_LISTING: usize = 32 * 1024 * 1024;

/// Looks at a path without following its last component.
pub(super) fn get(root: &Root, path: &str) -> Answer {
    let step = format!("read {path}");
    let failed = |errno| Error::system(step.clone(), errno);
    let there = root.open_at(path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?;
    let stat = fstat(&there).map_err(failed)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => {
            let file =
                root.open_at(path, OFlags::RDONLY | OFlags::NOFOLLOW, Mode::empty()).map_err(failed)?;
            let stat = fstat(&file).map_err(failed)?;
            match FileType::from_raw_mode(stat.st_mode) {
                FileType::RegularFile => Ok((describe(&stat, FileKind::File), Some(file))),
                // It was replaced between the two looks.
                other => Err(unusable(&step, other)),
            }
        }
        FileType::Directory => {
            let names = list(root, path).map_err(failed)?;
            Ok((describe(&stat, FileKind::Directory(Some(names))), None))
        }
        FileType::Symlink => {
            let target = readlinkat(&there, "", Vec::new()).map_err(failed)?;
            let target = target.to_string_lossy().into_owned();
            Ok((describe(&stat, FileKind::Symlink(target)), None))
        }
        other => Err(unusable(&step, other)),
    }
}

fn list(root: &Root, path: &str) -> Result<Vec<String>, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
    let directory = root.open_at(path, flags, Mode::empty())?;
    let mut names = Vec::new();
    let mut bytes = 0;
    for entry in Dir::new(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_bytes();
        if name == b"." || name == b".." {
            continue;
        }
        bytes += name.len();
        if bytes > LARGEST_LISTING {
            return Err(Errno::TOOBIG);
        }
        names.push(String::from_utf8_lossy(name).into_owned());
    }
    names.sort_unstable();
    Ok(names)
}
