//! Who is at the other end of a guest's socket.

use model::IdMap;
use rustix::fs::{Mode, OFlags, fstat, open};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use tokio::net::UnixStream;

/// How deep process namespaces can be nested (`pid_namespaces(7)`).
const DEEPEST: usize = 32;

/// What makes a process one of a container's own, told by the container's first process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The host's id of the container's root.
    root: u32,
    user: Namespace,
    pid: Namespace,
}

/// Device and inode of a namespace: no two that exist have the same.
type Namespace = (u64, u64);

impl Home {
    /// What can be seen from a container's first process.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn of(init: i32, pidfd: BorrowedFd<'_>, ids: Option<&IdMap>) -> Result<Self, Errno> {
        // A container without a user 0 has nobody who could ask: no process has this id.
        let root = ids.map_or(Some(0), |map| map.host_uid(0)).unwrap_or(u32::MAX);
        let home = Self {
            root,
            user: identity(&namespace(init, "user")?)?,
            pid: identity(&namespace(init, "pid")?)?,
        };
        // What was read belongs to this process only if its number was not free meanwhile.
        sys::pidfd::send_signal(pidfd, 0)?;
        Ok(home)
    }

    /// Whether the process that connected is root of this container: the right user, in the
    /// container's own user namespace (not in one of a container inside), and below its first
    /// process.
    pub(crate) fn is_root(&self, caller: &UnixStream) -> bool {
        let Ok(peer) = caller.peer_cred() else { return false };
        let Some(pid) = peer.pid() else { return false };
        peer.uid() == self.root && self.has(caller, pid).unwrap_or(false)
    }

    fn has(&self, caller: &UnixStream, pid: i32) -> Result<bool, Errno> {
        let pidfd = match sys::getsockopt::peer_pidfd(caller.as_fd()) {
            // Older kernels: the number may have been given to another process since.
            Err(Errno::NOPROTOOPT) => {
                pidfd_open(Pid::from_raw(pid).ok_or(Errno::SRCH)?, PidfdFlags::empty())?
            }
            result => result?,
        };
        let inside =
            identity(&namespace(pid, "user")?)? == self.user && self.is_below(namespace(pid, "pid")?)?;
        // Still there: what was read was about the process that connected.
        sys::pidfd::send_signal(pidfd.as_fd(), 0)?;
        Ok(inside)
    }

    fn is_below(&self, mut namespace: OwnedFd) -> Result<bool, Errno> {
        for _ in 0..DEEPEST {
            if identity(&namespace)? == self.pid {
                return Ok(true);
            }
            namespace = match sys::ioctl_ns::parent(namespace.as_fd()) {
                Err(Errno::PERM) => return Ok(false),
                result => result?,
            };
        }
        Ok(false)
    }
}

fn namespace(pid: i32, kind: &str) -> Result<OwnedFd, Errno> {
    open(format!("/proc/{pid}/ns/{kind}"), OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}

fn identity(namespace: &OwnedFd) -> Result<Namespace, Errno> {
    let stat = fstat(namespace)?;
    Ok((stat.st_dev, stat.st_ino))
}

#[cfg(test)]
mod tests {
    use super::*;
    use sys::clone3::{Namespaces, clone3};

    fn own() -> Home {
        let pid = rustix::process::getpid();
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).unwrap();
        let mut home = Home::of(pid.as_raw_nonzero().get(), pidfd.as_fd(), None).unwrap();
        home.root = rustix::process::getuid().as_raw();
        home
    }

    #[tokio::test]
    async fn the_right_user_in_the_right_namespaces() {
        let (here, _there) = UnixStream::pair().unwrap();
        let home = own();
        assert!(home.is_root(&here));
        assert!(!Home { root: home.root + 1, ..home }.is_root(&here), "another user");
        assert!(!Home { user: (0, 0), ..home }.is_root(&here), "another user namespace");
        assert!(!Home { pid: (0, 0), ..home }.is_root(&here), "another process namespace");
    }

    #[test]
    fn a_namespace_inside_is_below_and_one_outside_is_not() {
        let child = clone3(Namespaces::PID, None, || {
            loop {
                rustix::event::pause();
            }
        });
        let Ok(child) = child else {
            eprintln!("SKIP a_namespace_inside_is_below_and_one_outside_is_not: needs root");
            return;
        };
        let home = own();
        let inside = namespace(child.pid, "pid").unwrap();
        assert!(home.is_below(inside.try_clone().unwrap()).unwrap());
        let deeper = Home { pid: identity(&inside).unwrap(), ..home };
        let here = namespace(rustix::process::getpid().as_raw_nonzero().get(), "pid").unwrap();
        assert!(!deeper.is_below(here).unwrap());
        sys::pidfd::send_signal(child.pidfd.as_fd(), 9).unwrap();
        let _ = sys::waitid::wait(child.pidfd.as_fd());
    }

    #[test]
    fn what_has_ended_is_no_home() {
        let Ok(child) = clone3(Namespaces::NONE, None, || 0) else { return };
        let _ = sys::waitid::wait(child.pidfd.as_fd());
        assert!(Home::of(child.pid, child.pidfd.as_fd(), None).is_err());
    }
}
