//! The daemon's directory, as far as it is the forwarder's: a lock and a socket.

use crate::Error;
use model::runtime::forward::{MAX_PACKET, SOCKET};
use rustix::fs::{AtFlags, FlockOperation, Mode, OFlags, fcntl_lock, open, openat, renameat, unlinkat};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const LOCK: &str = "forwarder.lock";
const NEW_SOCKET: &str = "forwarder.new";
/// How long a lock may stay held by a forwarder that is just leaving.
const LEAVING: Duration = Duration::from_secs(5);

/// The daemon's directory.
#[derive(Debug)]
pub(crate) struct Home {
    path: PathBuf,
    var: OwnedFd,
}

/// The lock that only one forwarder can have.
#[derive(Debug)]
pub(crate) enum Lock {
    /// Held as long as the descriptor is open.
    Held(OwnedFd),
    /// Somebody else has it, and serves.
    Served,
}

impl Home {
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
        let failed = |source| Error::Home { action: "open", path: path.to_owned(), source };
        Ok(Self { path: path.to_owned(), var: open(path, flags, Mode::empty()).map_err(failed)? })
    }

    pub(crate) fn wait_for_lock(&self) -> Result<Lock, Error> {
        let path = self.path.join(LOCK);
        let failed = |source| Error::Home { action: "lock", path: path.clone(), source };
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = openat(&self.var, LOCK, flags, Mode::RUSR | Mode::WUSR).map_err(failed)?;
        let deadline = Instant::now() + LEAVING;
        loop {
            match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock::Held(file)),
                Err(Errno::AGAIN | Errno::ACCESS) if self.somebody_listens() => return Ok(Lock::Served),
                Err(Errno::AGAIN | Errno::ACCESS) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(Errno::AGAIN | Errno::ACCESS) => return Err(Error::Locked { path }),
                Err(errno) => return Err(failed(errno)),
            }
        }
    }

    /// Listens, replacing the socket of a forwarder that is gone. Only for who holds the lock.
    pub(crate) fn listen(&self) -> Result<OwnedFd, Error> {
        let path = self.path.join(SOCKET);
        let failed = |source| Error::Home { action: "listen at", path: path.clone(), source };
        match unlinkat(&self.var, NEW_SOCKET, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(failed(errno)),
        }
        // Its mode comes from the umask, and it gets its name when it can be connected to.
        let listener = sys::seqpacket::listen(&self.path.join(NEW_SOCKET), MAX_PACKET).map_err(failed)?;
        rustix::io::ioctl_fionbio(&listener, true).map_err(failed)?;
        renameat(&self.var, NEW_SOCKET, &self.var, SOCKET).map_err(failed)?;
        Ok(listener)
    }

    fn somebody_listens(&self) -> bool {
        sys::seqpacket::connect(&self.path.join(SOCKET), MAX_PACKET).is_ok()
    }

    /// Takes the socket away, when the forwarder leaves.
    pub(crate) fn leave(&self) {
        // A socket that stays refuses connections, which is understood as well.
        let _ = unlinkat(&self.var, SOCKET, AtFlags::empty());
    }
}
