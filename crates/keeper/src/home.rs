//! The daemon's directory, as far as it is the keeper's: socket, lock, records.

use crate::error::Error;
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags};
use rustix::fs::{chmodat, fcntl_lock, mkdirat, open, openat, renameat, unlinkat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, listen, socket_with};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

const SOCKET: &str = "keeper.socket";
const NEW_SOCKET: &str = "keeper.socket.new";
const STATE: &str = "keeper";
const LOCK: &str = "lock";
/// Connections that may wait to be accepted.
const BACKLOG: i32 = 64;
/// How far links lead is the administrator's choice for the directory itself, and nobody's in it.
const DIRECTORY: OFlags = OFlags::DIRECTORY.union(OFlags::CLOEXEC);

/// The daemon's directory and the keeper's own in it.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    var: OwnedFd,
    state: OwnedFd,
}

/// The lock that only one keeper can have.
#[derive(Debug)]
pub(crate) enum Lock {
    /// Held as long as the descriptor is open in this process. It belongs to the process, not to
    /// the open file, so a child that still has the descriptor does not keep it.
    Held(OwnedFd),
    /// Somebody else has it.
    Busy,
}

impl Home {
    /// Opens the directory, making the keeper's own in it.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let failed = |action, path: &Path| {
            let path = path.to_path_buf();
            move |source| Error::Home { action, path, source }
        };
        let var = open(path, DIRECTORY, Mode::empty()).map_err(failed("open", path))?;
        let inner = path.join(STATE);
        match mkdirat(&var, STATE, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(failed("make", &inner)(errno)),
        }
        let flags = DIRECTORY | OFlags::NOFOLLOW;
        let state = openat(&var, STATE, flags, Mode::empty()).map_err(failed("open", &inner))?;
        Ok(Self { path: path.to_path_buf(), var, state })
    }

    /// The daemon's directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory of records and the log.
    pub(crate) fn state(&self) -> BorrowedFd<'_> {
        self.state.as_fd()
    }

    pub(crate) fn lock_path(&self) -> PathBuf {
        self.path.join(STATE).join(LOCK)
    }

    pub(crate) fn lock(&self) -> Result<Lock, Error> {
        let failed = |source| Error::Home { action: "lock", path: self.lock_path(), source };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.state, LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Lock::Held(file)),
            Err(Errno::AGAIN | Errno::ACCESS) => Ok(Lock::Busy),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Listens, replacing the socket of a keeper that is gone. Only for who holds the lock.
    pub(crate) fn listen(&self) -> Result<OwnedFd, Error> {
        let path = self.path.join(SOCKET);
        let failed = |source| Error::Home { action: "listen at", path: path.clone(), source };
        match unlinkat(&self.var, NEW_SOCKET, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        let listener = self.socket().map_err(failed)?;
        let address = sys::unix_socket::address(&self.path, self.var.as_fd(), NEW_SOCKET).map_err(failed)?;
        bind(&listener, &address).map_err(failed)?;
        // It gets its final name only when it has its mode and can be connected to.
        chmodat(&self.var, NEW_SOCKET, Mode::RUSR | Mode::WUSR, AtFlags::empty()).map_err(failed)?;
        listen(&listener, BACKLOG).map_err(failed)?;
        renameat(&self.var, NEW_SOCKET, &self.var, SOCKET).map_err(failed)?;
        Ok(listener)
    }

    fn socket(&self) -> Result<OwnedFd, Errno> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)
    }

    /// Whether a connection to the socket is taken.
    pub(crate) fn somebody_listens(&self) -> bool {
        let connected = self.socket().and_then(|socket| {
            let address = sys::unix_socket::address(&self.path, self.var.as_fd(), SOCKET)?;
            connect(&socket, &address)
        });
        matches!(connected, Ok(()) | Err(Errno::AGAIN))
    }

    /// Takes the socket away, when the keeper leaves.
    pub(crate) fn leave(&self) {
        // A socket that stays refuses connections, which is understood as well.
        let _ = unlinkat(&self.var, SOCKET, AtFlags::empty());
    }
}
