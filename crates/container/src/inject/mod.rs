//! Mounts put into a container that runs, and taken out again.
//!
//! A mount is made attached nowhere, so that the host never sees it; a process of ours then goes
//! into the container's mount namespace and attaches it to a place that was looked up there, inside
//! the container's root. That look-up, and the file system that is mounted, can take as long as
//! somebody inside (or a dead server) likes, so nobody waits for the process: it sends what came of
//! it as one packet on its socket.

mod attach;
mod detach;
#[cfg(test)]
mod tests;

pub use attach::attach;
pub use detach::{Mark, detach};

use crate::fault::{At, Fault};
use crate::{Error, entry, idmap};
use model::runtime::mounting::MountIdentity;
use model::runtime::protocol::Failure;
use rustix::fs::{AtFlags, CWD, Mode, OFlags, StatxAttributes, StatxFlags, openat, statx};
use rustix::io::{Errno, Result as IoResult};
use rustix::thread::{CapabilitySet, ThreadNameSpaceType, move_into_thread_name_spaces};
use serde::Serialize;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// What the process keeps of the rights of the container's root.
const RIGHTS: CapabilitySet = CapabilitySet::DAC_OVERRIDE
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::SYS_ADMIN);

/// A running container: its init, and the user namespace of it unless it is privileged.
struct Door<'a> {
    pidfd: BorrowedFd<'a>,
    userns: Option<OwnedFd>,
}

impl<'a> Door<'a> {
    fn of(pid: i32, pidfd: BorrowedFd<'a>) -> Result<Self, Error> {
        use std::os::unix::fs::MetadataExt;
        const STEP: &str = "look at the container's namespaces";
        let failed = |e: std::io::Error| Error::input_output(STEP, &e);
        let theirs = idmap::open_namespace(pid, "user")?;
        let theirs = std::fs::File::from(theirs);
        let own = std::fs::metadata("/proc/self/ns/user").map_err(failed)?.ino();
        let unprivileged = theirs.metadata().map_err(failed)?.ino() != own;
        Ok(Self { pidfd, userns: unprivileged.then(|| theirs.into()) })
    }

    /// Go in as its root, keeping no more rights than are needed. `descended`: the process is in the
    /// user namespace already.
    fn enter<'f>(&self, descended: bool) -> Result<(), Fault<'f>> {
        let mut namespaces = ThreadNameSpaceType::MOUNT;
        if self.userns.is_some() && !descended {
            namespaces |= ThreadNameSpaceType::USER;
        }
        move_into_thread_name_spaces(self.pidfd, namespaces).at("enter the namespaces")?;
        entry::become_root()?;
        entry::keep_capabilities(RIGHTS)?;
        rustix::process::umask(Mode::empty());
        Ok(())
    }
}

/// The first thing that the process does: nothing of the keeper's stays open or can be looked at.
fn settle<'f>(keep: &[BorrowedFd<'_>]) -> Result<(), Fault<'f>> {
    sys::close_range::close_all_but(keep).at("close descriptors")?;
    entry::hide()?;
    let null = openat(CWD, c"/dev/null", OFlags::RDWR | OFlags::CLOEXEC, Mode::empty())
        .and_then(|fd| rustix::io::fcntl_dupfd_cloexec(&fd, 3))
        .at("open /dev/null")?;
    entry::streams([null.as_fd(); 3])?;
    sys::signals::reset().at("reset signals")
}

/// The last thing: tell. Nobody may listen any more.
fn tell<T: Serialize>(socket: &OwnedFd, result: Result<T, Error>) -> i32 {
    let result = result.map_err(Failure::from);
    let told = serde_json::to_vec(&result)
        .map_err(|_| Errno::INVAL)
        .and_then(|packet| sys::scm::send(socket.as_fd(), &packet, &[]));
    i32::from(told.is_err())
}

/// What a descriptor shows, and whether it is the root of a mount.
fn identify(fd: BorrowedFd<'_>) -> IoResult<(MountIdentity, bool)> {
    let stat = statx(fd, c"", AtFlags::EMPTY_PATH | AtFlags::NO_AUTOMOUNT, StatxFlags::INO)?;
    let dev = rustix::fs::makedev(stat.stx_dev_major, stat.stx_dev_minor);
    let root = stat.stx_attributes.contains(StatxAttributes::MOUNT_ROOT);
    Ok((MountIdentity { dev, ino: stat.stx_ino }, root))
}

/// The container's root directory, for a process that has entered.
fn root() -> IoResult<OwnedFd> {
    openat(CWD, c"/", OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
}

impl From<Fault<'_>> for Error {
    fn from(fault: Fault<'_>) -> Self {
        Self::system(fault.step.to_owned(), fault.errno)
    }
}
