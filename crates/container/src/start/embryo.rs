//! The parent's side of a start.

use super::child::{self, Inherited};
use super::limits;
use super::plan::Plan;
use super::proc_files;
use super::staging::Stage;
use crate::cgroup::{Cgroup, Layout};
use crate::report::{self, Heard};
use crate::{Error, idmap};
use model::IdMap;
use model::runtime::spec::ContainerSpec;
use rustix::fs::{CWD, Mode, OFlags, openat};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;
use sys::clone3::{Child, Namespaces, clone3};
use sys::mount_setattr::Change;

/// How long the groups of a container that was killed are given to become empty.
const REMOVAL: Duration = Duration::from_secs(5);

/// A container between its two steps: namespaces and control groups exist, init waits. Dropping it
/// kills what was cloned and removes its control groups.
#[derive(Debug)]
pub struct Embryo {
    started: Started,
    netns: OwnedFd,
}

/// A container that was told to go on. Dropping it kills it like an [`Embryo`].
#[derive(Debug)]
pub struct Released {
    embryo: Embryo,
    /// Its devpts and its console, once the child has handed them over.
    fds: Vec<OwnedFd>,
    executing: bool,
}

/// How far a container that was told to go on is.
#[derive(Debug)]
pub enum Progress {
    /// Init has not been executed yet.
    Released(Released),
    /// Init has been executed.
    Running(Running),
}

/// A container whose init has been executed. Dropping it does nothing to the container.
#[derive(Debug)]
pub struct Running {
    /// Init's process id on the host.
    pub pid: i32,
    /// Of init. The caller is its parent and reaps it.
    pub pidfd: OwnedFd,
    /// Its network namespace.
    pub netns: OwnedFd,
    /// Root directory of its devpts. `openat(devpts, "ptmx")` makes a terminal of the container;
    /// its slave belongs to who opened it, so give it to the container's user.
    pub devpts: OwnedFd,
    /// Master of the console's terminal.
    pub console: OwnedFd,
    /// Field 22 of `/proc/<pid>/stat`.
    pub start_time: u64,
    /// Its control groups.
    pub cgroup: Cgroup,
}

/// A first process that is killed, and whose groups are removed, unless it is spared.
#[derive(Debug)]
struct Started {
    child: Child,
    cgroup: Cgroup,
    line: OwnedFd,
    spared: bool,
}

impl Drop for Started {
    fn drop(&mut self) {
        if !self.spared {
            idmap::reap(&self.child);
            // There is an error on its way already; the next start of that name tries again.
            let _ = self.cgroup.remove(REMOVAL);
        }
    }
}

/// Clone the first process of a container. `seccomp` is an array of `sock_filter`, needed if the
/// specification says so; `mounts` are what the specification takes from
/// [`MountSource::Given`](model::runtime::spec::MountSource::Given), in its order.
///
/// Returns when namespaces, control groups and id maps are there; the child goes on to build its
/// file system meanwhile, and what it fails at is told by [`Embryo::proceed`].
///
/// # Errors
/// The step that failed; nothing is left then.
pub fn clone(
    spec: &ContainerSpec,
    seccomp: Option<OwnedFd>,
    mounts: Vec<OwnedFd>,
    layout: &Layout,
) -> Result<Embryo, Error> {
    let plan = Plan::new(spec, seccomp, mounts)?;
    let owner = owner(spec)?;
    let (line, childs) = report::line()?;
    let cgroup = Cgroup::create(layout, &spec.cgroup, owner)?;
    let child = match spawn(&plan, spec.idmap.as_ref(), &cgroup, &childs) {
        Ok(child) => child,
        Err(error) => {
            // Why it failed is told, not what could not be undone.
            let _ = cgroup.remove(REMOVAL);
            return Err(error);
        }
    };
    drop(childs);
    let started = Started { child, cgroup, line, spared: false };
    give_ids(spec, &plan, started.child.pid)?;
    limits::apply(started.child.pid, &spec.rlimits)?;
    proc_files::apply(started.child.pid, &spec.proc)?;
    report::go(started.line.as_fd())?;
    let netns = match report::hear(&started.line)? {
        Heard::Ready(mut fds) => fds.pop().ok_or_else(ended_early)?,
        Heard::Fault(error) => return Err(error),
        Heard::Executing | Heard::End => return Err(ended_early()),
    };
    Ok(Embryo { started, netns })
}

fn ended_early() -> Error {
    Error::refused("start", "the first process ended too early")
}

/// The container's root as the host numbers it.
fn owner(spec: &ContainerSpec) -> Result<Option<(u32, u32)>, Error> {
    let Some(map) = &spec.idmap else { return Ok(None) };
    match (map.host_uid(0), map.host_gid(0)) {
        (Some(uid), Some(gid)) => Ok(Some((uid, gid))),
        _ => Err(Error::refused("read the id map", "it does not map the container's root")),
    }
}

fn spawn(plan: &Plan, map: Option<&IdMap>, cgroup: &Cgroup, line: &OwnedFd) -> Result<Child, Error> {
    // Those that have files with owners are made by the container's root, see the child.
    let mut namespaces = Namespaces::MOUNT.with(Namespaces::PID).with(Namespaces::UTS);
    if !plan.privileged {
        namespaces = namespaces.with(Namespaces::USER);
    }
    let unified = cgroup.unified()?;
    let doors = cgroup
        .doors()
        .iter()
        .map(|door| openat(CWD, door, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty()))
        .collect::<rustix::io::Result<Vec<_>>>()
        .map_err(|errno| Error::system("open the control groups", errno))?;
    let mut keep = plan.descriptors();
    keep.extend(doors.iter().map(AsFd::as_fd));
    keep.push(line.as_fd());
    let inherited = Inherited { line, doors: &doors, keep: &keep };
    let stage = Stage::set(plan, map)?;
    let unified = unified.as_ref().map(AsFd::as_fd);
    let cloned = clone3(namespaces, unified, || child::run(plan, &inherited))
        .map_err(|errno| Error::system("clone the first process", errno));
    match (cloned, stage.map_or(Ok(()), Stage::leave)) {
        (Ok(child), Err(error)) => {
            idmap::reap(&child);
            Err(error)
        }
        (cloned, _) => cloned,
    }
}

/// Map the ids of the child's user namespace, and with it those of mounts.
fn give_ids(spec: &ContainerSpec, plan: &Plan, pid: i32) -> Result<(), Error> {
    let mut userns = None;
    if let Some(map) = &spec.idmap {
        idmap::write(pid, map)?;
        userns = Some(idmap::open_namespace(pid, "user")?);
    }
    for (bind, step) in plan.binds().filter(|(bind, _)| bind.staged.is_none()) {
        let idmap = if bind.idmapped { userns.as_ref().map(AsFd::as_fd) } else { None };
        let change = Change { idmap, ..Change::default() };
        bind.tree.change(change).map_err(|errno| Error::system(step.to_owned(), errno))?;
    }
    Ok(())
}

impl Embryo {
    /// Init's process id on the host.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.started.child.pid
    }

    /// Of init.
    #[must_use]
    pub fn pidfd(&self) -> BorrowedFd<'_> {
        self.started.child.pidfd.as_fd()
    }

    /// Its network namespace.
    #[must_use]
    pub fn netns(&self) -> BorrowedFd<'_> {
        self.netns.as_fd()
    }

    /// Its control groups.
    #[must_use]
    pub fn cgroup(&self) -> &Cgroup {
        &self.started.cgroup
    }

    /// Let init go on, without waiting for what comes of it.
    ///
    /// # Errors
    /// When the child is gone.
    pub fn release(self) -> Result<Released, Error> {
        // A child that failed meanwhile has said why, which is what is told then.
        let _ = report::go(self.started.line.as_fd());
        Ok(Released { embryo: self, fds: Vec::new(), executing: false })
    }

    /// Let init go on and wait until it has been executed.
    ///
    /// # Errors
    /// The step that failed on the child's side; nothing is left then.
    pub fn proceed(self) -> Result<Running, Error> {
        self.release()?.finish()
    }
}

impl Released {
    /// Readable when [`Released::advance`] has something to look at.
    #[must_use]
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.embryo.started.line.as_fd()
    }

    /// Init's process id on the host.
    #[must_use]
    pub fn pid(&self) -> i32 {
        self.embryo.pid()
    }

    /// Wait until init has been executed.
    ///
    /// # Errors
    /// As for [`Embryo::proceed`].
    pub fn finish(mut self) -> Result<Running, Error> {
        loop {
            let heard = report::hear(&self.embryo.started.line)?;
            if self.take_in(heard)? {
                return self.executed();
            }
        }
    }

    /// Looks at what the child has said so far, without waiting.
    ///
    /// # Errors
    /// As for [`Embryo::proceed`].
    pub fn advance(mut self) -> Result<Progress, Error> {
        while let Some(heard) = report::overhear(&self.embryo.started.line)? {
            if self.take_in(heard)? {
                return self.executed().map(Progress::Running);
            }
        }
        Ok(Progress::Released(self))
    }

    /// Whether that was the last word.
    fn take_in(&mut self, heard: Heard) -> Result<bool, Error> {
        match heard {
            Heard::Fault(error) => return Err(error),
            Heard::Ready(received) => self.fds = received,
            Heard::Executing => self.executing = true,
            Heard::End => return Ok(true),
        }
        Ok(false)
    }

    fn executed(self) -> Result<Running, Error> {
        let Self { embryo: Embryo { mut started, netns }, fds, executing } = self;
        let [devpts, console]: [OwnedFd; 2] = match (executing, fds.try_into()) {
            (true, Ok(fds)) => fds,
            _ => return Err(ended_early()),
        };
        let pid = started.child.pid;
        let pidfd = started.child.pidfd.try_clone();
        let running = Running {
            pid,
            pidfd: pidfd.map_err(|error| Error::input_output("copy the pidfd", &error))?,
            netns,
            devpts,
            console,
            start_time: start_time(pid)?,
            cgroup: started.cgroup.clone(),
        };
        started.spared = true;
        Ok(running)
    }
}

/// Field 22 of `/proc/<pid>/stat`: when the process started, in clock ticks since boot.
///
/// # Errors
/// When there is no such process.
pub fn start_time(pid: i32) -> Result<u64, Error> {
    const STEP: &str = "read the start time of the first process";
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .map_err(|error| Error::input_output(STEP, &error))?;
    // The second field is the name in parentheses, which can contain anything.
    let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
    fields
        .split(' ')
        .nth(19)
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| Error::refused(STEP, "the kernel's answer has another form"))
}
