//! The unix socket: made under another name with its final mode and group, then renamed, so that
//! nobody ever connects to one that is half made.

use rustix::fs::{FlockOperation, flock};
use std::fs::{File, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

/// Name of the socket in the daemon's directory.
const SOCKET: &str = "unix.socket";
/// Root and the group may connect.
const MODE: u32 = 0o660;
/// The longest path of a socket (`unix(7)`: 108 bytes with the final zero).
const LONGEST: usize = 107;

/// Why the daemon cannot listen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BindError {
    /// Another daemon serves this directory.
    #[error("LXD is already running")]
    Running,
    /// The directory cannot be locked.
    #[error("cannot lock the directory {}", path.display())]
    Lock {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Sockets cannot have long paths.
    #[error("the path {} is longer than the {LONGEST} bytes that a socket's may have: choose a shorter LXD_DIR", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// No such group.
    #[error("there is no group '{0}' on this host")]
    Group(String),
    /// Something else.
    #[error("cannot make the socket {}", path.display())]
    Make {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// Makes this process the only daemon of a directory, as long as the answer is held.
///
/// # Errors
/// It is not the only one.
pub(crate) fn lock(directory: &Path) -> Result<File, BindError> {
    let failed = |source| BindError::Lock { path: directory.to_owned(), source };
    let file = File::open(directory).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(BindError::Running),
        Err(error) => Err(failed(error.into())),
    }
}

/// A socket that is removed with its owner.
pub(crate) struct OwnedSocket(PathBuf);

impl Drop for OwnedSocket {
    fn drop(&mut self) {
        // One that is left behind is found stale and replaced by the next daemon.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Makes the socket of a directory. The caller holds its lock.
///
/// # Errors
/// Somebody else serves it; no such group; a path that is too long.
pub(crate) fn bind(directory: &Path, group: Option<&str>) -> Result<(UnixListener, OwnedSocket), BindError> {
    let path = directory.join(SOCKET);
    let new = directory.join("unix.socket.new");
    if new.as_os_str().len() > LONGEST {
        return Err(BindError::TooLong { path });
    }
    if UnixStream::connect(&path).is_ok() {
        return Err(BindError::Running);
    }
    let group =
        group.map(|name| group_id(name).ok_or_else(|| BindError::Group(name.to_owned()))).transpose()?;
    let make = || {
        match std::fs::remove_file(&new) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let listener = UnixListener::bind(&new)?;
        chown(&new, Some(0), Some(group.unwrap_or(0)))?;
        std::fs::set_permissions(&new, Permissions::from_mode(MODE))?;
        listener.set_nonblocking(true)?;
        std::fs::rename(&new, &path)?;
        Ok(listener)
    };
    match make() {
        Ok(listener) => Ok((listener, OwnedSocket(path))),
        Err(source) => Err(BindError::Make { path, source }),
    }
}

/// The id of a group, by name or number, from `/etc/group`.
fn group_id(name: &str) -> Option<u32> {
    if let Ok(id) = name.parse() {
        return Some(id);
    }
    find_group(&std::fs::read_to_string("/etc/group").ok()?, name)
}

/// The id of a group in a text like `/etc/group` (`group(5)`).
fn find_group(text: &str, name: &str) -> Option<u32> {
    text.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;

    #[test]
    fn groups_are_found_by_name_and_number() {
        let text = "root:x:0:\nlxd:x:117:someone,other\nbroken\n";
        assert_eq!(find_group(text, "lxd"), Some(117));
        assert_eq!(find_group(text, "lx"), None);
        assert_eq!(find_group(text, "broken"), None);
        assert_eq!(group_id("12"), Some(12));
    }

    #[test]
    fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP a_stale_socket_is_replaced_and_a_live_one_is_not: needs root");
            return;
        }
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(SOCKET);
        drop(UnixListener::bind(&path).unwrap());
        let (_listener, owned) = bind(directory.path(), Some("0")).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().mode() & 0o7777, MODE);
        assert!(matches!(bind(directory.path(), None), Err(BindError::Running)));
        drop(owned);
        assert!(!path.exists());
        let unknown = bind(directory.path(), Some("no-such-group-here"));
        assert!(matches!(unknown, Err(BindError::Group(_))));
    }

    #[test]
    fn a_directory_has_one_daemon() {
        let directory = tempfile::tempdir().unwrap();
        let first = lock(directory.path()).unwrap();
        assert!(matches!(lock(directory.path()), Err(BindError::Running)));
        drop(first);
        assert!(lock(directory.path()).is_ok());
    }

    #[test]
    fn long_paths_are_refused_with_advice() {
        let directory = PathBuf::from(format!("/tmp/{}", "x".repeat(100)));
        assert!(matches!(bind(&directory, None), Err(BindError::TooLong { .. })));
    }
}
