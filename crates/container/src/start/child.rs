//! The child's way from the clone to init. Between the two it makes system calls and nothing else.

use super::boot_id;
use super::console::{self, Console};
use super::mounts::{self, Built};
use super::plan::{Plan, Sysctl};
use crate::fault::{At, Fault};
use crate::{entry, report};
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};
use rustix::io::Errno;
use rustix::process::{ioctl_tiocsctty, setsid, umask};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use sys::unshare::{Kind, unshare};

/// Exit code of a child that could not execute init; its parent hears why on the line.
const FAILED: i32 = 126;

/// What the child is given besides the plan.
pub(super) struct Inherited<'a> {
    pub(super) line: &'a OwnedFd,
    /// Of its control groups of version 1, opened while they were the host's alone.
    pub(super) doors: &'a [OwnedFd],
    /// Everything that stays open.
    pub(super) keep: &'a [BorrowedFd<'a>],
}

/// The whole life of the child. Returns only when something failed.
pub(super) fn run(plan: &Plan, inherited: &Inherited<'_>) -> i32 {
    let line = inherited.line.as_fd();
    match go(plan, inherited) {
        Err(fault) => report::fault(line, &fault),
        Ok(never) => match never {},
    }
    FAILED
}

type Executed<'a> = Result<std::convert::Infallible, Fault<'a>>;

fn go<'a>(plan: &'a Plan, inherited: &Inherited<'_>) -> Executed<'a> {
    let line = inherited.line.as_fd();
    sys::close_range::close_all_but(inherited.keep).at("close descriptors")?;
    entry::hide()?;
    for door in inherited.doors {
        rustix::io::write(door, b"0").at("enter the control groups")?;
    }
    report::await_go(line)?;
    entry::become_root()?;
    // Made by the container's root, so that what is in them is its own: settings of the loopback
    // interface below /sys, the root of message queues.
    unshare(Kind::Net).at("make a network namespace")?;
    unshare(Kind::Ipc).at("make an IPC namespace")?;
    let flags = OFlags::RDONLY | OFlags::CLOEXEC;
    let netns = openat(CWD, c"/proc/self/ns/net", flags, Mode::empty()).at("open the network namespace")?;
    report::ready(line, &[netns.as_fd()])?;
    drop(netns);
    unshare(Kind::Cgroup).at("make a control group namespace")?;
    umask(Mode::empty());
    let built = mounts::build(plan)?;
    let console = console::make(&built.dev)?;
    boot_id::cover(&plan.boot_id, &built.dev, built.sysctls.as_ref())?;
    mounts::restrict(plan, &built.dev)?;
    mounts::pivot(plan.root.tree.as_fd())?;
    mounts::share()?;
    rustix::system::sethostname(plan.hostname.as_bytes()).at("set the host name")?;
    report::ready(line, &[built.dev.devpts.as_fd(), console.master.as_fd()])?;
    report::await_go(line)?;
    finish(plan, line, built, console)
}

/// What can only be done when the interfaces are there, and what takes rights away.
fn finish<'a>(plan: &'a Plan, line: BorrowedFd<'_>, built: Built, console: Console) -> Executed<'a> {
    sys::netdevice::set_up("lo").at("set lo up")?;
    for nic in &plan.nics {
        sys::netdevice::set_up(&nic.name).at(&nic.step)?;
    }
    for sysctl in &plan.sysctls {
        write_sysctl(built.sysctls.as_ref(), sysctl)?;
    }
    if let Some(persona) = plan.personality {
        sys::personality::personality(persona).at("set the personality")?;
    }
    setsid().at("make a session")?;
    ioctl_tiocsctty(&console.slave).at("take the console")?;
    let slave = console.slave.as_fd();
    entry::streams([slave, slave, slave])?;
    umask(Mode::from(0o022));
    if let Some(command) = &plan.apparmor {
        entry::confine(&entry::label_file_in(built.proc.as_fd())?, command.as_bytes())?;
    }
    entry::drop_capabilities(&plan.drop_capabilities)?;
    // Closed all together, so they must not be closed again one by one.
    std::mem::forget((built, console));
    sys::close_range::close_all_but(&[line]).at("close descriptors")?;
    sys::signals::reset().at("reset signals")?;
    report::executing(line);
    if let Some(program) = &plan.seccomp {
        sys::seccomp::load(program).at("load the seccomp program")?;
    }
    let step = plan.execute.as_str();
    let Some(init) = plan.arguments.all().first() else {
        return Err(Fault { step, errno: Errno::INVAL });
    };
    let errno = sys::execve::execve(init, &plan.arguments, &plan.environment);
    Err(Fault { step, errno })
}

fn write_sysctl<'a>(dir: Option<&OwnedFd>, sysctl: &'a Sysctl) -> Result<(), Fault<'a>> {
    let dir = dir.ok_or(Errno::NOENT).at(&sysctl.step)?;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
    let file = openat2(dir, &sysctl.path, flags, Mode::empty(), resolve).at(&sysctl.step)?;
    rustix::io::write(&file, sysctl.value.as_bytes()).at(&sysctl.step).map(drop)
}
