//! The child's way from the clone to the program. It makes system calls and nothing else.

use super::command::Command;
use crate::fault::{At, Fault};
use crate::start::limits::Known;
use crate::{entry, report};
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::process::{chdir, ioctl_tiocsctty, setrlimit, setsid, umask};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::convert::Infallible;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd};

/// As shells have it: no such program.
const NOT_FOUND: i32 = 127;
/// It is there but cannot be executed, or the container could not be entered.
const NOT_EXECUTABLE: i32 = 126;

/// Everything that the child needs.
pub(super) struct Errand<'a> {
    pub(super) command: &'a Command,
    pub(super) pidfd: BorrowedFd<'a>,
    pub(super) namespaces: ThreadNameSpaceType,
    /// Files by which it enters the control groups of version 1.
    pub(super) doors: &'a [CString],
    pub(super) line: BorrowedFd<'a>,
    pub(super) streams: [BorrowedFd<'a>; 3],
    pub(super) terminal: bool,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) cwd: &'a CStr,
    pub(super) require_cwd: Option<&'a str>,
    pub(super) drop_capabilities: &'a [u32],
    pub(super) rlimits: &'a [Known],
    /// `exec <profile>`.
    pub(super) apparmor: Option<&'a str>,
    pub(super) seccomp: Option<&'a [u8]>,
    /// Tells when the program may be executed.
    pub(super) gate: Option<BorrowedFd<'a>>,
}

/// The whole life of the child. Returns only when nothing was executed.
pub(super) fn run(errand: &Errand<'_>) -> i32 {
    match enter(errand) {
        Ok(never) => match never {},
        Err(Stop::Fault(fault)) => {
            report::fault(errand.line, &fault);
            NOT_EXECUTABLE
        }
        Err(Stop::NotExecuted(errno)) => say(errand.command, errno),
    }
}

/// Why there is no program.
enum Stop<'a> {
    /// Ours to explain.
    Fault(Fault<'a>),
    /// The caller's of the program.
    NotExecuted(Errno),
}

impl<'a> From<Fault<'a>> for Stop<'a> {
    fn from(fault: Fault<'a>) -> Self {
        Self::Fault(fault)
    }
}

fn enter<'a>(errand: &Errand<'a>) -> Result<Infallible, Stop<'a>> {
    let [stdin, stdout, stderr] = errand.streams;
    let gate = errand.gate.unwrap_or(errand.line);
    let keep = [stdin, stdout, stderr, errand.line, errand.pidfd, gate];
    sys::close_range::close_all_but(&keep).at("close descriptors")?;
    entry::hide()?;
    for door in errand.doors {
        entry::knock(door).at("enter the control groups")?;
    }
    // Only the host may raise them.
    for (resource, limit) in errand.rlimits {
        setrlimit(*resource, *limit).at("set resource limits")?;
    }
    // By the host's /proc: the container can put what it likes in the place of its own.
    let label = errand.apparmor.map(|_| entry::label_file()).transpose()?;
    move_into_thread_name_spaces(errand.pidfd, errand.namespaces).at("enter the namespaces")?;
    setsid().at("make a session")?;
    if errand.terminal {
        ioctl_tiocsctty(stdin).at("take the terminal")?;
    }
    entry::streams(errand.streams)?;
    let label_fd = label.as_ref().map_or(errand.line, AsFd::as_fd);
    sys::close_range::close_all_but(&[errand.line, gate, label_fd]).at("close descriptors")?;
    umask(Mode::from(0o022));
    // Root of the container first: only from there does becoming somebody else take the
    // capabilities away.
    entry::become_root()?;
    // Changing ids may have undone it.
    entry::hide()?;
    if let (Some(command), Some(label)) = (errand.apparmor, &label) {
        entry::confine(label, command.as_bytes())?;
    }
    entry::drop_capabilities(errand.drop_capabilities)?;
    entry::become_group(errand.gid)?;
    sys::signals::reset().at("reset signals")?;
    await_permission(errand.gate)?;
    if errand.uid == 0 {
        change_directory(errand)?;
        report::executing(errand.line);
        filter(errand)?;
    } else {
        // Loading needs a right that another user does not have any more.
        filter(errand)?;
        entry::become_user(errand.uid)?;
        entry::hide()?;
        change_directory(errand)?;
        report::executing(errand.line);
    }
    Err(Stop::NotExecuted(execute(errand.command)))
}

/// Waits until whoever asked for the program wants it to run.
fn await_permission<'a>(gate: Option<BorrowedFd<'_>>) -> Result<(), Fault<'a>> {
    let step = "wait for the client";
    match gate.map(|gate| rustix::io::read(gate, &mut [0; 1])) {
        None | Some(Ok(1)) => Ok(()),
        Some(Ok(_)) => Err(Fault { step, errno: Errno::CANCELED }),
        Some(Err(errno)) => Err(Fault { step, errno }),
    }
}

fn filter<'a>(errand: &Errand<'a>) -> Result<(), Fault<'a>> {
    match errand.seccomp {
        Some(program) => sys::seccomp::load(program).at("load the seccomp program"),
        None => Ok(()),
    }
}

fn change_directory<'a>(errand: &Errand<'a>) -> Result<(), Fault<'a>> {
    let moved = chdir(errand.cwd).at("enter the working directory");
    match (moved, errand.require_cwd) {
        (Ok(()), _) => entry::check_cwd("enter the working directory"),
        (Err(Fault { errno, .. }), Some(step)) => Err(Fault { step, errno }),
        (Err(_), None) => chdir(c"/").at("enter the root directory"),
    }
}

/// Try every candidate, as shells do. The error that says most is kept.
fn execute(command: &Command) -> Errno {
    let mut told = Errno::NOENT;
    for path in &command.candidates {
        match sys::execve::execve(path, &command.arguments, &command.environment) {
            Errno::NOENT | Errno::NOTDIR => {}
            Errno::ACCESS => told = Errno::ACCESS,
            other => return other,
        }
    }
    told
}

/// Tell the program's user on its standard error, and give the exit code.
fn say(command: &Command, errno: Errno) -> i32 {
    let (text, code) = match errno {
        Errno::NOENT => (&command.not_found, NOT_FOUND),
        _ => (&command.not_executable, NOT_EXECUTABLE),
    };
    // If that cannot be written, the exit code is all there is.
    let _ = rustix::io::write(rustix::stdio::stderr(), text.as_bytes());
    code
}
