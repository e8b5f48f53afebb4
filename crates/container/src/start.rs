//! A specification becomes a running container.
use crate::Error;
use crate::cgroup::{Cgroup, Layout};
use model::runtime::spec::ContainerSpec;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// A container between its two steps: namespaces and control groups exist, init waits.
/// Dropping it kills what was cloned and removes its control groups.
pub struct Embryo {
    pidfd: OwnedFd,
    netns: OwnedFd,
    pid: i32,
    cgroup: Cgroup,
}
/// Clone. `seccomp`: an array of `sock_filter`, if `spec.seccomp`.
pub fn clone(spec: &ContainerSpec, seccomp: Option<OwnedFd>, layout: &Layout) -> Result<Embryo, Error> {
    let _ = (spec, seccomp, layout);
    Err(Error::refused("start", "not there yet"))
}
impl Embryo {
    /// Init's process id on the host.
    pub fn pid(&self) -> i32 {
        self.pid
    }
    /// Of init.
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.pidfd.as_fd()
    }
    /// Its network namespace.
    pub fn netns(&self) -> BorrowedFd<'_> {
        self.netns.as_fd()
    }
    /// Its control groups.
    pub fn cgroup(&self) -> &Cgroup {
        &self.cgroup
    }
    /// Let init go on, without waiting for what comes of it.
    pub fn release(self) -> Result<Released, Error> {
        Err(Error::refused("start", "not there yet"))
    }
    /// Let init go on and wait until it has been executed (blocks a few milliseconds).
    pub fn proceed(self) -> Result<Running, Error> {
        self.release()?.finish()
    }
}
/// A container on its way to executing init. Dropping it kills it like an [`Embryo`].
pub struct Released {
    embryo: Embryo,
}
impl Released {
    /// Readable when [`Released::finish`] will not block.
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.embryo.pidfd()
    }
    /// Init's process id on the host.
    pub fn pid(&self) -> i32 {
        self.embryo.pid
    }
    /// Wait until init has been executed.
    pub fn finish(self) -> Result<Running, Error> {
        Err(Error::refused("start", "not there yet"))
    }
}
/// A container whose init has been executed.
pub struct Running {
    /// Init's process id on the host.
    pub pid: i32,
    /// Of init. The caller is its parent and reaps it.
    pub pidfd: OwnedFd,
    /// Its network namespace.
    pub netns: OwnedFd,
    /// Root directory of its devpts (`ptmx` opened through it makes a terminal of the container).
    pub devpts: OwnedFd,
    /// Master of the console's terminal.
    pub console: OwnedFd,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start_time: u64,
    /// Its control groups.
    pub cgroup: Cgroup,
}
