//! Subvolumes inside of volumes: found and opened without being led astray by whoever is in a container.

use crate::error::{Error, io_error};
use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Mode, OFlags, ResolveFlags, accessat, fstat, fstatfs, openat, openat2,
    unlinkat,
};
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

const OPEN: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Links lead astray, and nothing of ours is mounted in a volume.
const WITHIN: ResolveFlags = ResolveFlags::BENEATH
    .union(ResolveFlags::NO_SYMLINKS)
    .union(ResolveFlags::NO_MAGICLINKS)
    .union(ResolveFlags::NO_XDEV);
/// Of a subvolume's own directory (`BTRFS_FIRST_FREE_OBJECTID`).
const ROOT_INODE: u64 = 256;
/// `BTRFS_SUPER_MAGIC`
const MAGIC: u64 = 0x9123_683E;
/// Directories that are followed when a volume is searched; each costs a descriptor.
const MAX_DEPTH: usize = 256;

/// True if a directory is on btrfs.
pub(super) fn is_btrfs(path: &Path) -> Result<bool, Error> {
    let directory = openat(CWD, path, OPEN, Mode::empty()).map_err(io_error("open", path))?;
    on_btrfs(&directory).map_err(io_error("look at the file system of", path))
}

fn on_btrfs(directory: &OwnedFd) -> Result<bool, Errno> {
    Ok(u64::try_from(fstatfs(directory)?.f_type).is_ok_and(|kind| kind == MAGIC))
}

/// True if a directory is a subvolume; false also if it is not there.
pub(super) fn is_subvolume(path: &Path) -> Result<bool, Error> {
    match openat(CWD, path, OPEN, Mode::empty()) {
        Ok(directory) => is_root(&directory).map_err(io_error("look at", path)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => Ok(false),
        Err(errno) => Err(io_error("open", path)(errno)),
    }
}

fn is_root(directory: &OwnedFd) -> Result<bool, Errno> {
    Ok(fstat(directory)?.st_ino == ROOT_INODE && on_btrfs(directory)?)
}

/// Opens a subvolume inside of a volume, or with an empty path the volume itself. `None`: there is none.
pub(super) fn open(volume: &Path, inner: &Path) -> Result<Option<OwnedFd>, Error> {
    let top = openat(CWD, volume, OPEN, Mode::empty()).map_err(io_error("open", volume))?;
    if inner.as_os_str().is_empty() {
        return Ok(Some(top));
    }
    match openat2(&top, inner, OPEN, Mode::empty(), WITHIN) {
        Ok(found) => Ok(is_root(&found).map_err(io_error("look at", volume.join(inner)))?.then_some(found)),
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV | Errno::NAMETOOLONG) => Ok(None),
        Err(errno) => Err(io_error("open", volume.join(inner))(errno)),
    }
}

/// The same, as programs take it.
pub(super) fn open_file(volume: &Path, inner: &Path) -> Result<Option<File>, Error> {
    Ok(open(volume, inner)?.map(File::from))
}

/// False if it is known that nothing is inside a subvolume.
pub(super) fn may_have_others(subvolume: &impl AsFd) -> bool {
    sys::ioctl_btrfs::has_subvolumes(subvolume.as_fd()).unwrap_or(true)
}

/// True if nothing can be written to a subvolume because it is read-only itself.
pub(super) fn is_read_only(subvolume: &impl AsFd) -> bool {
    accessat(subvolume, c".", rustix::fs::Access::WRITE_OK, AtFlags::empty()) == Err(Errno::ROFS)
}

/// Removes what is left in a snapshot of a subvolume inside of the original: an empty directory, which
/// then may become a snapshot of that. False: there is something else. Nobody may change the snapshot meanwhile.
pub(super) fn clear_place(snapshot: &Path, inner: &Path) -> Result<bool, Error> {
    let Some(name) = inner.file_name() else { return Ok(false) };
    let top = openat(CWD, snapshot, OPEN, Mode::empty()).map_err(io_error("open", snapshot))?;
    let parent = match inner.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        None => top,
        Some(parent) => match openat2(&top, parent, OPEN, Mode::empty(), WITHIN) {
            Ok(parent) => parent,
            Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::XDEV) => return Ok(false),
            Err(errno) => return Err(io_error("open", snapshot.join(parent))(errno)),
        },
    };
    match unlinkat(&parent, name, AtFlags::REMOVEDIR) {
        // A stream has no place for it.
        Ok(()) | Err(Errno::NOENT) => Ok(true),
        Err(Errno::NOTDIR | Errno::NOTEMPTY) => Ok(false),
        Err(errno) => Err(io_error("make room for the subvolume", snapshot.join(inner))(errno)),
    }
}

/// Looks at every directory for subvolumes, those that contain others before these.
pub(super) fn search(volume: &Path) -> Result<Vec<PathBuf>, Error> {
    let top = openat(CWD, volume, OPEN, Mode::empty()).map_err(io_error("open", volume))?;
    let mut found = Vec::new();
    search_in(&top, Path::new(""), 0, &mut found).map_err(io_error("look for subvolumes in", volume))?;
    Ok(found)
}

fn search_in(directory: &OwnedFd, path: &Path, depth: usize, found: &mut Vec<PathBuf>) -> Result<(), Errno> {
    let device = fstat(directory)?.st_dev;
    for entry in Dir::read_from(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if !matches!(entry.file_type(), FileType::Directory) || matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        // It may have gone, or have become a link.
        let Ok(inner) = openat(directory, name, OPEN, Mode::empty()) else { continue };
        let path = path.join(OsStr::from_bytes(name.to_bytes()));
        let stat = fstat(&inner)?;
        if stat.st_dev != device {
            if !is_root(&inner)? {
                continue;
            }
            found.push(path.clone());
        }
        if depth < MAX_DEPTH {
            search_in(&inner, &path, depth + 1, found)?;
        }
    }
    Ok(())
}
