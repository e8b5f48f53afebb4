//! A container as a place where sockets are made.

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

/// A running container.
#[derive(Debug)]
pub(crate) struct Place {
    pid: i32,
    pidfd: OwnedFd,
    netns: OwnedFd,
    /// The host's network namespace.
    host: Arc<OwnedFd>,
}

/// The host's network namespace: that of this process.
pub(crate) fn host() -> Result<OwnedFd, Errno> {
    rustix::fs::open("/proc/self/ns/net", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

/// A socket of the calling thread's namespace that does not wait.
fn make(family: AddressFamily, kind: SocketType) -> Result<OwnedFd, Errno> {
    socket_with(family, kind, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)
}

impl Place {
    pub(crate) fn new(pid: i32, pidfd: OwnedFd, netns: OwnedFd, host: Arc<OwnedFd>) -> Self {
        Self { pid, pidfd, netns, host }
    }

    pub(crate) fn pid(&self) -> i32 {
        self.pid
    }

    /// Readable when the container has ended.
    pub(crate) fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }

    /// A socket that does not wait, of the container or of the host. A socket belongs to the
    /// namespace in which it was made, so the thread goes there for just that.
    pub(crate) fn socket(
        &self,
        inside: bool,
        family: AddressFamily,
        kind: SocketType,
    ) -> Result<OwnedFd, Errno> {
        if !inside {
            return make(family, kind);
        }
        let network = Some(LinkNameSpaceType::Network);
        move_into_link_name_space(self.netns.as_fd(), network)?;
        let made = make(family, kind);
        if move_into_link_name_space(self.host.as_fd(), network).is_err() {
            // Going on in a container's namespace would give it what is the host's.
            std::process::abort();
        }
        made
    }

    /// The root directory of the container.
    pub(crate) fn root(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::open(format!("/proc/{}/root", self.pid), flags, Mode::empty())?;
        // Had it ended before, the number could be another process's by now.
        sys::pidfd::send_signal(self.pidfd.as_fd(), 0)?;
        Ok(root)
    }
}

/// Opens what a path leads to below a root directory; links are followed as they are inside.
pub(crate) fn open_below(root: impl AsFd, path: &str, flags: OFlags) -> Result<OwnedFd, Errno> {
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    loop {
        match openat2(root.as_fd(), path, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty(), resolve) {
            // A rename or mount raced with the lookup: the kernel asks for another try.
            Err(Errno::INTR | Errno::AGAIN) => {}
            result => return result,
        }
    }
}
