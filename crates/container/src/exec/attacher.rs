//! The caller's side.

use super::child::{self, Errand};
use super::command::Command;
use crate::cgroup::Cgroup;
use crate::report::{self, Heard};
use crate::start::{limits, read_seccomp};
use crate::{Error, idmap};
use model::runtime::spec::ExecSpec;
use rustix::io::Errno;
use rustix::thread::{
    LinkNameSpaceType, ThreadNameSpaceType, move_into_link_name_space, move_into_thread_name_spaces,
};
use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use sys::clone3::{Child, Namespaces, clone3};

/// Starts programs in one container. It holds two descriptors and no process.
#[derive(Debug)]
pub struct Attacher {
    pidfd: OwnedFd,
    /// The caller's own pid namespace, to come back to.
    home: OwnedFd,
    namespaces: ThreadNameSpaceType,
    cgroup: Cgroup,
    doors: Vec<CString>,
    apparmor: Option<String>,
}

/// A program on its way to being executed. Dropping it kills it.
#[derive(Debug)]
pub struct Pending {
    child: Option<Child>,
    line: OwnedFd,
    executing: bool,
}

/// How far a program is.
#[derive(Debug)]
pub enum Progress {
    /// Not executed yet: its file may be on a file system of the container that does not answer.
    Pending(Pending),
    /// Executed.
    Spawned(Spawned),
}

/// A program that was executed; a child of the caller, who reaps it. The container's init cannot end
/// before that is done, so never wait for init alone.
#[derive(Debug)]
pub struct Spawned {
    /// On the host.
    pub pid: i32,
    /// Of the program.
    pub pidfd: OwnedFd,
}

impl Attacher {
    /// For the container whose init is `pid`, which `pidfd` refers to.
    ///
    /// # Errors
    /// When init has ended.
    pub fn start(pid: i32, pidfd: BorrowedFd<'_>, cgroup: &Cgroup) -> Result<Self, Error> {
        const STEP: &str = "look at the container's namespaces";
        let inode = |path: String| {
            std::fs::metadata(path).map(|m| m.ino()).map_err(|e| Error::input_output(STEP, &e))
        };
        let mut namespaces = ThreadNameSpaceType::MOUNT
            | ThreadNameSpaceType::HOST_NAME_AND_NIS_DOMAIN_NAME
            | ThreadNameSpaceType::INTER_PROCESS_COMMUNICATION
            | ThreadNameSpaceType::NETWORK
            | ThreadNameSpaceType::CONTROL_GROUP;
        // The kernel refuses to enter the user namespace that one is in already.
        if inode(format!("/proc/{pid}/ns/user"))? != inode("/proc/self/ns/user".to_owned())? {
            namespaces |= ThreadNameSpaceType::USER;
        }
        let apparmor = profile(pid);
        let home = std::fs::File::open("/proc/thread-self/ns/pid")
            .map_err(|error| Error::input_output(STEP, &error))?;
        let pidfd = pidfd.try_clone_to_owned().map_err(|e| Error::input_output(STEP, &e))?;
        // What was read by number was about the right process if it is still there.
        sys::pidfd::send_signal(pidfd.as_fd(), 0).map_err(|errno| Error::system(STEP, errno))?;
        Ok(Self {
            pidfd,
            home: home.into(),
            namespaces,
            doors: cgroup.doors(),
            cgroup: cgroup.clone(),
            apparmor,
        })
    }

    /// Clone a program without waiting for it to be executed. `streams` are its standard input,
    /// output and error, none of them numbered below 3; `seccomp` is a program and `gate` the end of
    /// a pipe, needed if the specification says so. The program becomes a child of the caller.
    ///
    /// # Errors
    /// When nothing could be cloned.
    pub fn spawn(
        &self,
        spec: &ExecSpec,
        streams: [BorrowedFd<'_>; 3],
        seccomp: Option<OwnedFd>,
        gate: Option<BorrowedFd<'_>>,
    ) -> Result<Pending, Error> {
        // Root of a privileged container may trace any process that it sees, and one that waits has
        // not taken the policy for system calls upon itself yet.
        if gate.is_some() && !self.namespaces.contains(ThreadNameSpaceType::USER) {
            return Err(Error::refused("hold the program", "a privileged container could take it over"));
        }
        let command = Command::new(spec)?;
        let cwd = CString::new(spec.cwd.as_str())
            .map_err(|error| Error::refused("enter the working directory", error.to_string()))?;
        let cwd_step = format!("enter the working directory {}", spec.cwd);
        let seccomp = read_seccomp(spec.seccomp, seccomp)?;
        let rlimits = limits::resolve(&spec.rlimits)?;
        let (line, childs) = report::line()?;
        let errand = Errand {
            command: &command,
            pidfd: self.pidfd.as_fd(),
            namespaces: self.namespaces,
            doors: &self.doors,
            line: childs.as_fd(),
            streams,
            terminal: spec.terminal,
            uid: spec.uid,
            gid: spec.gid,
            cwd: &cwd,
            require_cwd: spec.require_cwd.then_some(cwd_step.as_str()),
            drop_capabilities: &spec.drop_capabilities,
            rlimits: &rlimits,
            apparmor: self.apparmor.as_deref(),
            seccomp: seccomp.as_deref(),
            gate,
        };
        let child = self.clone_inside(|| child::run(&errand))?;
        Ok(Pending { child: Some(child), line, executing: false })
    }

    /// [`Attacher::spawn`] and [`Pending::finish`].
    ///
    /// # Errors
    /// Those of both.
    pub fn exec(
        &self,
        spec: &ExecSpec,
        streams: [BorrowedFd<'_>; 3],
        seccomp: Option<OwnedFd>,
    ) -> Result<Spawned, Error> {
        self.spawn(spec, streams, seccomp, None)?.finish()
    }

    /// Clone into the container's pid namespace and its unified group.
    fn clone_inside(&self, run: impl FnOnce() -> i32) -> Result<Child, Error> {
        let unified = self.cgroup.unified()?;
        let pid = ThreadNameSpaceType::PROCESS_ID;
        move_into_thread_name_spaces(self.pidfd.as_fd(), pid)
            .map_err(|errno| Error::system("enter the pid namespace", errno))?;
        let mut run = Some(run);
        let mut once = |group: Option<BorrowedFd<'_>>| {
            clone3(Namespaces::NONE, group, || run.take().map_or(1, |run| run()))
        };
        let cloned = match once(unified.as_ref().map(AsFd::as_fd)) {
            // The container made groups below its own, which takes no processes any more then.
            Err(Errno::BUSY) => match self.cgroup.unified_leaf() {
                Ok(leaf) => once(leaf.as_ref().map(AsFd::as_fd)).map_err(Error::clone_program),
                Err(error) => Err(error.into()),
            },
            other => other.map_err(Error::clone_program),
        };
        let home = Some(LinkNameSpaceType::ProcessID);
        let back = move_into_link_name_space(self.home.as_fd(), home)
            .map_err(|errno| Error::system("leave the pid namespace", errno));
        match (cloned, back) {
            (Ok(child), Err(error)) => {
                idmap::reap(&child);
                Err(error)
            }
            (cloned, Ok(())) => cloned,
            (Err(error), Err(_)) => Err(error),
        }
    }
}

impl Error {
    fn clone_program(errno: Errno) -> Self {
        match errno {
            // The kernel's words for it are about memory.
            Errno::NOMEM => Self::refused("start the program", "the container is stopping"),
            errno => Self::system("start the program", errno),
        }
    }
}

/// The AppArmor profile that init is confined by.
fn profile(pid: i32) -> Option<String> {
    let label = std::fs::read_to_string(format!("/proc/{pid}/attr/apparmor/current")).ok()?;
    let label = label.trim_end_matches(['\n', '\0']);
    // The mode is shown behind the name.
    let name = label.rsplit_once(" (").map_or(label, |(name, _)| name);
    (!name.is_empty() && name != "unconfined").then(|| format!("exec {name}"))
}

impl Pending {
    /// Readable when [`Pending::advance`] has something to look at.
    #[must_use]
    pub fn ready(&self) -> BorrowedFd<'_> {
        self.line.as_fd()
    }

    /// Wait until the program has been executed. One that is not there or cannot be executed is not
    /// an error: it says so on its standard error and ends with 127 or 126.
    ///
    /// # Errors
    /// The step that failed inside; the process is gone then.
    pub fn finish(mut self) -> Result<Spawned, Error> {
        loop {
            let heard = report::hear(&self.line)?;
            if self.take_in(heard)? {
                return self.executed();
            }
        }
    }

    /// Looks at what the program has said so far, without waiting.
    ///
    /// # Errors
    /// As for [`Pending::finish`].
    pub fn advance(mut self) -> Result<Progress, Error> {
        while let Some(heard) = report::overhear(&self.line)? {
            if self.take_in(heard)? {
                return self.executed().map(Progress::Spawned);
            }
        }
        Ok(Progress::Pending(self))
    }

    /// Whether that was the last word.
    fn take_in(&mut self, heard: Heard) -> Result<bool, Error> {
        match heard {
            Heard::Fault(error) => Err(error),
            Heard::End => Ok(true),
            Heard::Executing => {
                self.executing = true;
                Ok(false)
            }
            Heard::Ready(_) => Ok(false),
        }
    }

    fn executed(mut self) -> Result<Spawned, Error> {
        match self.child.take() {
            Some(child) if self.executing => Ok(Spawned { pid: child.pid, pidfd: child.pidfd }),
            other => {
                self.child = other;
                Err(Error::refused("start the program", "it ended before it was executed"))
            }
        }
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            idmap::reap(child);
        }
    }
}
