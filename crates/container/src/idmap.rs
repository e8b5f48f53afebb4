//! Maps of ids: given to user namespaces, and taken from them by mounts.

use crate::Error;
use crate::tree::Tree;
use model::idmap::{IdMap, IdRange};
use rustix::io::Errno;
use std::fmt::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use sys::clone3::{Child, Namespaces, clone3};
use sys::mount_setattr::Change;

/// Any map will do to try whether maps work; this one is as large as a container's.
const PROBE: (u32, u32) = (1_000_000, 65_536);

/// Whether mounts of the file system of a directory can map ids: tried with a real map.
///
/// Safe in a program with threads: the process that holds the map for a moment is a clone that
/// makes nothing but system calls and is killed and reaped before this returns.
///
/// # Errors
/// When the directory cannot be opened, or the user namespace for the trial cannot be made.
pub fn probe(directory: &Path) -> Result<bool, Error> {
    let tree =
        Tree::of(directory, false).map_err(|e| Error::system(format!("open {}", directory.display()), e))?;
    let userns = namespace(&IdMap::contiguous(PROBE.0, PROBE.1))?;
    let change = Change { idmap: Some(userns.as_fd()), ..Change::default() };
    match tree.change(change) {
        Ok(()) => Ok(true),
        Err(Errno::INVAL | Errno::PERM | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(false),
        Err(errno) => Err(Error::system("try an id-mapped mount", errno)),
    }
}

/// A user namespace with this map that no process is in.
pub(crate) fn namespace(map: &IdMap) -> Result<OwnedFd, Error> {
    let holder = clone3(Namespaces::USER, None, || {
        loop {
            rustix::event::pause();
        }
    })
    .map_err(|errno| Error::system("make a user namespace", errno))?;
    let made = write(holder.pid, map).and_then(|()| open_namespace(holder.pid, "user"));
    reap(&holder);
    made
}

/// Kill a child that is of no use any more.
pub(crate) fn reap(child: &Child) {
    // It may have ended by itself, which is as good.
    let _ = sys::pidfd::send_signal(child.pidfd.as_fd(), rustix::process::Signal::KILL.as_raw());
    let _ = sys::waitid::wait(child.pidfd.as_fd());
}

/// A namespace of a process.
pub(crate) fn open_namespace(pid: i32, kind: &str) -> Result<OwnedFd, Error> {
    let path = format!("/proc/{pid}/ns/{kind}");
    std::fs::File::open(&path)
        .map(OwnedFd::from)
        .map_err(|error| Error::input_output(format!("open {path}"), &error))
}

/// Give a process's new user namespace its map.
pub(crate) fn write(pid: i32, map: &IdMap) -> Result<(), Error> {
    for (file, ranges) in [("uid_map", &map.uids), ("gid_map", &map.gids)] {
        // The kernel would not be asked at all: nothing to write is no write.
        if ranges.is_empty() {
            return Err(Error::refused(format!("write {file}"), "the map is empty"));
        }
        let path = format!("/proc/{pid}/{file}");
        std::fs::write(&path, lines(ranges))
            .map_err(|error| Error::input_output(format!("write {file}"), &error))?;
    }
    Ok(())
}

fn lines(ranges: &[IdRange]) -> String {
    let mut text = String::new();
    for range in ranges {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{} {} {}", range.container, range.host, range.count);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_per_range() {
        let ranges = [
            IdRange { container: 0, host: 100_000, count: 1000 },
            IdRange { container: 1000, host: 1000, count: 1 },
        ];
        assert_eq!(lines(&ranges), "0 100000 1000\n1000 1000 1\n");
    }

    #[test]
    fn probing_from_a_thread() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP probing_from_a_thread: needs root");
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        let on_disk = std::thread::spawn(move || probe(&path)).join().unwrap().unwrap();
        eprintln!("id-mapped mounts of {}: {on_disk}", dir.path().display());
        // A file system that the kernel makes up cannot.
        assert_eq!(probe(Path::new("/proc")), Ok(false));
        assert!(probe(&dir.path().join("missing")).is_err());
    }

    #[test]
    fn a_map_that_is_refused_is_told() {
        let error = namespace(&IdMap::default()).unwrap_err();
        assert_eq!(error.step, "write uid_map");
    }
}
