//! `clone3(2)`: a process in new namespaces and in a control group, known by a descriptor.

use crate::signals;
use rustix::io::{Errno, Result};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What the child gets a new one of: the `CLONE_NEW…` flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Namespaces(u64);

impl Namespaces {
    /// None: the child shares everything with its parent.
    pub const NONE: Self = Self(0);
    /// Mounts.
    pub const MOUNT: Self = Self(libc::CLONE_NEWNS as u64);
    /// User and group ids, capabilities.
    pub const USER: Self = Self(libc::CLONE_NEWUSER as u64);
    /// Process ids.
    pub const PID: Self = Self(libc::CLONE_NEWPID as u64);
    /// Host name.
    pub const UTS: Self = Self(libc::CLONE_NEWUTS as u64);
    /// System V and POSIX message queues, semaphores, shared memory.
    pub const IPC: Self = Self(libc::CLONE_NEWIPC as u64);
    /// Network.
    pub const NET: Self = Self(libc::CLONE_NEWNET as u64);

    /// Both.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// The kernel's `struct clone_args`, version 2 (88 bytes).
#[repr(C)]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
    set_tid: u64,
    set_tid_size: u64,
    cgroup: u64,
}

/// A process that was cloned; a child of the caller, who reaps it.
#[derive(Debug)]
pub struct Child {
    /// Its process id in the caller's pid namespace.
    pub pid: i32,
    /// Readable when it has ended.
    pub pidfd: OwnedFd,
}

/// `CLONE_INTO_CGROUP`, which does not fit the type that libc gives it.
const INTO_CGROUP: u64 = 0x2_0000_0000;

/// Exit code of a child whose closure panicked.
pub const PANICKED: i32 = 70;

/// Clone the calling process; `child` runs in the copy, and its value is the exit code.
///
/// The child has the memory of its parent, but only the calling thread, and all signals blocked. In
/// a process with other threads it must neither allocate nor take locks, because a thread that is
/// not there may hold them. Nothing that the child owns is dropped when it ends.
///
/// `cgroup` is the directory of a group of the unified hierarchy.
///
/// # Errors
/// Those of `clone3(2)`; `EBUSY` when the group has controllers enabled for its children.
pub fn clone3<F: FnOnce() -> i32>(
    namespaces: Namespaces,
    cgroup: Option<BorrowedFd<'_>>,
    child: F,
) -> Result<Child> {
    let mut pidfd: i32 = -1;
    let mut args = CloneArgs {
        flags: namespaces.0 | libc::CLONE_PIDFD as u64,
        pidfd: &raw mut pidfd as u64,
        exit_signal: libc::SIGCHLD as u64,
        ..CloneArgs::default()
    };
    if let Some(cgroup) = cgroup {
        args.flags |= INTO_CGROUP;
        args.cgroup = u64::from(cgroup.as_raw_fd().unsigned_abs());
    }
    let blocked = signals::BlockAll::new()?;
    // SAFETY: the arguments are a valid clone_args that outlives the call, without CLONE_VM and
    // without a stack, so the child gets a copy of this thread's stack as fork gives it.
    let pid = unsafe { libc::syscall(libc::SYS_clone3, &raw mut args, size_of::<CloneArgs>()) };
    if pid == 0 {
        let code = catch_unwind(AssertUnwindSafe(child)).unwrap_or(PANICKED);
        // SAFETY: _exit never returns and touches no memory of ours.
        unsafe { libc::_exit(code) }
    }
    let error = Errno::from_io_error(&std::io::Error::last_os_error());
    drop(blocked);
    if pid < 0 {
        return Err(error.unwrap_or(Errno::IO));
    }
    // SAFETY: the kernel stored a new descriptor there that nothing else owns.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    let pid = i32::try_from(pid).map_err(|_| Errno::OVERFLOW)?;
    Ok(Child { pid, pidfd })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    #[test]
    fn exit_code_comes_back() {
        let child = clone3(Namespaces::NONE, None, || 42).unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(42)));
    }

    #[test]
    fn a_panic_does_not_escape() {
        let child = clone3(Namespaces::NONE, None, || {
            std::panic::resume_unwind(Box::new(()));
        })
        .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(PANICKED)));
    }

    #[test]
    fn first_process_of_a_pid_namespace() {
        let namespaces = Namespaces::USER.with(Namespaces::PID);
        let child = clone3(namespaces, None, || rustix::process::getpid().as_raw_pid()).unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(1)));
    }

    #[test]
    fn signals_are_unblocked_again_in_the_parent() {
        let before = signals::blocked().unwrap();
        let child = clone3(Namespaces::NONE, None, || {
            i32::from(signals::blocked().is_ok_and(|set| set & (1 << (libc::SIGTERM - 1)) != 0))
        })
        .unwrap();
        assert_eq!(signals::blocked().unwrap(), before);
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(1)));
    }

    #[test]
    fn a_group_that_is_none_is_refused() {
        let file = std::fs::File::open("/").unwrap();
        assert_eq!(clone3(Namespaces::NONE, Some(file.as_fd()), || 0).unwrap_err(), Errno::BADF);
    }
}
