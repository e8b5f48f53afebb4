//! A root file system that comes as a squashfs: `unsquashfs` unpacks it, and what it made is
//! looked at before anybody uses it.

use super::error::{Refusal, UnpackError};
use super::limits::Limits;
use rustix::fs::{AtFlags, CWD, Dir, FileType, Mode, OFlags, openat, statat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use tools::unsquashfs::{Bounds, Contents, unpack};

/// Unpacks `file` into the directory `rootfs`, which is made.
pub(super) async fn extract(file: &Path, rootfs: &Path, limits: &Limits) -> Result<Contents, UnpackError> {
    let bounds = Bounds { bytes: limits.total_bytes, entries: limits.entries };
    unpack(file, rootfs, bounds)
        .await
        .map_err(|source| UnpackError::Squashfs { file: file.to_owned(), source: Box::new(source) })
}

/// What an overlay file system marks as gone is no device, and may be anywhere.
fn is_mark(directory: &OwnedFd, name: &std::ffi::CStr) -> Result<bool, Errno> {
    Ok(statat(directory, name, AtFlags::SYMLINK_NOFOLLOW)?.st_rdev == 0)
}

/// Refuses devices outside of `/dev`. Blocking.
pub(super) fn check(rootfs: &Path) -> Result<(), UnpackError> {
    let directory = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let failed = |path: PathBuf| {
        move |errno: Errno| UnpackError::Prepare { step: "look at", path, source: errno.into() }
    };
    let root = openat(CWD, rootfs, directory, Mode::empty()).map_err(failed(rootfs.to_owned()))?;
    // Each directory is opened through the one it is in; nobody else can reach this tree.
    let mut open: Vec<(PathBuf, OwnedFd)> = vec![(PathBuf::new(), root)];
    while let Some((path, fd)) = open.pop() {
        let mut below = Vec::new();
        for entry in Dir::read_from(&fd).map_err(failed(path.clone()))? {
            let entry = entry.map_err(failed(path.clone()))?;
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            let entry_path = path.join(std::ffi::OsStr::new(&*name.to_string_lossy()));
            let kind = match entry.file_type() {
                FileType::Unknown => statat(&fd, name, AtFlags::SYMLINK_NOFOLLOW)
                    .map(|stat| FileType::from_raw_mode(stat.st_mode))
                    .map_err(failed(entry_path.clone()))?,
                kind => kind,
            };
            match kind {
                FileType::CharacterDevice if is_mark(&fd, name).map_err(failed(entry_path.clone()))? => {}
                FileType::CharacterDevice | FileType::BlockDevice => {
                    return Err(UnpackError::Refused {
                        member: entry_path.display().to_string(),
                        why: Refusal::DeviceOutsideDev,
                    });
                }
                FileType::Directory if path.as_os_str().is_empty() && name.to_bytes() == b"dev" => {}
                FileType::Directory => below.push((entry_path, name.to_owned())),
                _ => {}
            }
        }
        for (entry_path, name) in below {
            let fd = openat(&fd, name, directory, Mode::empty()).map_err(failed(entry_path.clone()))?;
            open.push((entry_path, fd));
        }
    }
    Ok(())
}
