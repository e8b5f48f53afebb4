//! Datasets and snapshots in the directory tree. We mount them ourselves, by `mount(2)`, because their names
//! say nothing about where they belong: no other host mounts a pool's volumes by itself.

use crate::block::{self, Unmounted};
use crate::error::{Error, io_error};
use crate::pool::blocking;
use rustix::fs::{CWD, Mode, OFlags, fchmod, mkdirat, openat};
use rustix::io::Errno;
use rustix::mount::{MountFlags, mount as mount_at};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Mounts a dataset, or a snapshot (which is always read-only). False: there is none of this name.
pub(super) async fn mount(dataset: String, path: PathBuf, read_only: bool) -> Result<bool, Error> {
    blocking(move || {
        let flags = if read_only { MountFlags::RDONLY } else { MountFlags::empty() };
        match mount_at(dataset.as_str(), &path, "zfs", flags, None) {
            Ok(()) => Ok(true),
            // Some versions say that of one that is mounted here already.
            Err(Errno::BUSY) if block::is_mounted(&path)? => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(errno) => Err(io_error("mount a ZFS dataset on", path)(errno)),
        }
    })
    .await
}

/// Takes away whatever is mounted on a directory, at least out of everybody's sight. False: nothing was.
pub(super) async fn unmount(path: &Path) -> Result<bool, Error> {
    Ok(block::unmount(path).await? != Unmounted::Already)
}

/// Makes a directory with its mode, whatever the umask is. False: it was there.
pub(super) fn make(path: &Path, mode: Mode) -> Result<bool, Error> {
    match mkdirat(CWD, path, Mode::RWXU) {
        Ok(()) => set_mode(path, mode).map(|()| true),
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(io_error("make", path)(errno)),
    }
}

/// Gives a directory a mode.
pub(super) fn set_mode(path: &Path, mode: Mode) -> Result<(), Error> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))?;
    fchmod(directory, mode).map_err(io_error("set the mode of", path))
}

/// Removes a mount point and the directories in it, none of which may hold a file.
pub(super) fn remove_empty(path: &Path) {
    // What is not empty stays, and what is not there is fine.
    if let Ok(entries) = std::fs::read_dir(path) {
        for entry in entries.flatten() {
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                let _ = std::fs::remove_dir(entry.path());
            }
        }
    }
    let _ = std::fs::remove_dir(path);
}

/// Mount points below a directory, the deepest first.
pub(super) fn below(directory: &Path) -> Result<Vec<PathBuf>, Error> {
    let file = Path::new("/proc/self/mountinfo");
    let text = std::fs::read(file).map_err(io_error("read", file))?;
    let mut found: Vec<PathBuf> = points(&text)
        .into_iter()
        .filter(|point| point != directory && point.starts_with(directory))
        .collect();
    found.sort();
    found.reverse();
    Ok(found)
}

/// The fifth field of each line (`proc_pid_mountinfo(5)`), where some bytes are three octal digits.
fn points(text: &[u8]) -> Vec<PathBuf> {
    let field = |line: &[u8]| line.split(|b| *b == b' ').nth(4).map(<[u8]>::to_vec);
    let path = |field: Vec<u8>| PathBuf::from(OsString::from_vec(unescape(&field)));
    text.split(|b| *b == b'\n').filter_map(field).map(path).collect()
}

fn unescape(field: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(field.len());
    let mut at = 0;
    while let Some(byte) = field.get(at) {
        let digits = field.get(at + 1..at + 4).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 8).ok()) {
            Some(meant) if *byte == b'\\' => {
                bytes.push(meant);
                at += 4;
            }
            _ => {
                bytes.push(*byte);
                at += 1;
            }
        }
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mount_points_are_read_with_their_spaces() {
        let text = b"36 35 98:0 / /mnt/a\\040b rw,noatime shared:1 - zfs tank/a rw\n37 36 0:1 /x /y\\134z rw - a b c\n";
        assert_eq!(points(text), [PathBuf::from("/mnt/a b"), PathBuf::from("/y\\z")]);
        assert!(below(Path::new("/no/such/place")).unwrap().is_empty());
    }
}
