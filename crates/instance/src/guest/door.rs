//! The directory and the socket that a container finds at `/dev/lxd`.
//!
//! The directory outlives the daemon, because containers have it mounted; the socket in it is made
//! again by each daemon, so that containers that were running find the new one by the old path.
//! On the host nobody but root gets to it: the directory around it is closed to all others.

use super::{Door, Guest};
use crate::Error;
use crate::var::{Var, directory};
use rustix::fs::{AtFlags, Mode, OFlags, chmodat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, listen, socket_with};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::path::Path;
use tokio::sync::watch;

/// Name of the socket.
const SOCKET: &str = "sock";
/// Everybody inside may connect; only root is answered.
const MODE: u32 = 0o666;
/// How many callers may wait to be let in.
const QUEUE: i32 = 16;

/// An open door: it closes when this is dropped.
pub(crate) struct OpenDoor(#[allow(dead_code)] watch::Sender<()>);

/// Makes the directory without a socket in it. Blocking.
pub(crate) fn prepare(var: &Var, name: &str) -> Result<(), Error> {
    directory(&var.guests(), 0o700)?;
    directory(&var.guest(name), 0o755)
}

/// Makes a listening socket in the directory, in place of the one that may be there. Blocking.
pub(crate) fn build(var: &Var, name: &str) -> Result<UnixListener, Error> {
    prepare(var, name)?;
    let path = var.guest(name);
    let make = || {
        let dir = open_dir(&path)?;
        // Never half made: with its mode, then under its name.
        let new = "sock.new";
        remove(&dir, new)?;
        let socket = socket_with(
            AddressFamily::UNIX,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        bind(&socket, &sys::unix_socket::address(&path, dir.as_fd(), new)?)?;
        chmodat(&dir, new, Mode::from_raw_mode(MODE), AtFlags::empty())?;
        listen(&socket, QUEUE)?;
        renameat(&dir, new, &dir, SOCKET)?;
        Ok::<_, Errno>(UnixListener::from(socket))
    };
    make().map_err(|e| Error::Path { doing: "make the socket", path: path.join(SOCKET), source: e.into() })
}

/// Lets callers in as soon as somebody serves the [`Door`].
pub(crate) fn open(guest: Guest, listener: UnixListener) -> Result<(Door, OpenDoor), Error> {
    let listener = tokio::net::UnixListener::from_std(listener)
        .map_err(|source| Error::Io { doing: "listen for a container", source })?;
    let (sender, closed) = watch::channel(());
    Ok((Door { guest, listener, closed }, OpenDoor(sender)))
}

/// Removes the socket, and leaves the directory that containers have mounted. Blocking.
pub(crate) fn wall_up(var: &Var, name: &str) -> Result<(), Error> {
    let path = var.guest(name);
    match open_dir(&path).and_then(|dir| remove(&dir, SOCKET)) {
        Ok(()) | Err(Errno::NOENT) => Ok(()),
        Err(error) => Err(Error::Path { doing: "remove the socket in", path, source: error.into() }),
    }
}

/// Removes everything, once no container has it mounted. Blocking.
pub(crate) fn tear_down(var: &Var, name: &str) {
    let path = var.guest(name);
    if let Err(error) = std::fs::remove_dir_all(&path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(path = %path.display(), %error, "cannot remove what a container had at /dev/lxd");
    }
}

fn open_dir(path: &Path) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
}

fn remove(dir: &OwnedFd, name: &str) -> Result<(), Errno> {
    match unlinkat(dir, name, AtFlags::empty()) {
        Err(Errno::NOENT) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixStream;

    #[test]
    fn a_new_socket_takes_the_place_of_the_old_one_in_the_same_directory() {
        let temp = tempfile::tempdir().unwrap();
        let var = Var::prepare(&temp.path().join("v"), &temp.path().join("l")).unwrap();
        let first = build(&var, "web").unwrap();
        let seen = open_dir(&var.guest("web")).unwrap();
        let second = build(&var, "web").unwrap();
        drop(first);
        let path = var.guest("web").join("sock");
        UnixStream::connect(&path).unwrap();
        assert!(rustix::fs::statat(&seen, "sock", AtFlags::empty()).is_ok(), "seen through the mount");
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o7777;
        assert_eq!((mode(&var.guests()), mode(&var.guest("web")), mode(&path)), (0o700, 0o755, 0o666));
        drop(second);
        wall_up(&var, "web").unwrap();
        assert!(!path.exists() && var.guest("web").exists());
        wall_up(&var, "nobody").unwrap();
        tear_down(&var, "web");
        assert!(!var.guest("web").exists());
    }
}
