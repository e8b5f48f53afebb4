//! A program inside a running container.
//!
//! No process stands between: the caller clones the program straight into the container's pid
//! namespace and unified control group, and the program itself enters the version 1 groups by
//! writing to `tasks`, which takes no lock that waits for a grace period (0.1 ms in all).
use crate::Error;
use crate::cgroup::Cgroup;
use model::runtime::spec::ExecSpec;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// Starts programs in one container. Cheap to make, holds one descriptor, has no process.
pub struct Attacher {
    pidfd: OwnedFd,
}
impl Attacher {
    /// For the container whose init is `pid` (`pidfd` refers to it).
    pub fn start(pid: i32, pidfd: BorrowedFd<'_>, cgroup: &Cgroup) -> Result<Self, Error> {
        let _ = (pid, pidfd, cgroup);
        Err(Error::refused("attach", "not there yet"))
    }
    /// Clone a program without waiting for it to be executed. `streams`: its standard input,
    /// output and error. The program becomes a child of the caller.
    pub fn spawn(
        &self,
        spec: &ExecSpec,
        streams: [BorrowedFd<'_>; 3],
        seccomp: Option<BorrowedFd<'_>>,
    ) -> Result<Pending, Error> {
        let _ = (spec, streams, seccomp, &self.pidfd);
        Err(Error::refused("attach", "not there yet"))
    }
    /// [`Attacher::spawn`] and [`Pending::finish`].
    pub fn exec(
        &self,
        spec: &ExecSpec,
        streams: [BorrowedFd<'_>; 3],
        seccomp: Option<BorrowedFd<'_>>,
    ) -> Result<Spawned, Error> {
        self.spawn(spec, streams, seccomp)?.finish()
    }
}
/// A program on its way to being executed. Dropping it kills it.
pub struct Pending {
    report: OwnedFd,
}
impl Pending {
    /// Readable when [`Pending::finish`] will not block.
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.report.as_fd()
    }
    /// Wait until the program has been executed, or the container's side failed. A program that is
    /// not there or cannot be executed is not an error: it says so on its standard error and ends
    /// with 127 or 126.
    pub fn finish(self) -> Result<Spawned, Error> {
        Err(Error::refused("attach", "not there yet"))
    }
}
/// A program that was executed; a child of the caller, who reaps it.
pub struct Spawned {
    /// On the host.
    pub pid: i32,
    /// Of the program.
    pub pidfd: OwnedFd,
}
