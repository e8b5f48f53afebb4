//! Executing another program in place: the same process, so the same children, with everything
//! that was open.
//!
//! The state goes through in a memory file: one line of JSON that names descriptors by number, then
//! what the consoles printed last, one after the other. It only ever grows, as the protocol does.

mod restore;
mod save;

use crate::birth;
use crate::container::Stage;
use crate::keeper::Keeper;
use crate::record::Record;
use container::Error;
use model::runtime::protocol::{EventBody, Failure};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use serde::{Deserialize, Serialize};
use std::ffi::CString;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::path::Path;
use std::process::{Command, Stdio};

pub(crate) use restore::resume;

/// The variable in the environment that has the number of the state's descriptor.
pub(crate) const VARIABLE: &str = "LXD_KEEPER_STATE";
/// Largest program that is taken, in bytes.
const LARGEST: u64 = 256 * 1024 * 1024;
/// How long a new program may take to say that it can be executed, in seconds.
const CHECKED: i64 = 5;

/// The state of a keeper, with numbers of descriptors.
#[derive(Debug, Serialize, Deserialize)]
struct Saved {
    lock: RawFd,
    listener: RawFd,
    next: u64,
    containers: Vec<SavedContainer>,
    sessions: Vec<SavedSession>,
    servers: Vec<SavedServer>,
    owed: Vec<EventBody>,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedContainer {
    #[serde(flatten)]
    record: Record,
    /// `None` when it has ended.
    running: Option<SavedRunning>,
    /// How many of the bytes after the JSON its console printed.
    printed: usize,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedRunning {
    pidfd: RawFd,
    netns: RawFd,
    devpts: Option<RawFd>,
    master: Option<RawFd>,
    client: Option<RawFd>,
    is_child: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedSession {
    number: u64,
    pidfd: RawFd,
}

#[derive(Debug, Serialize, Deserialize)]
struct SavedServer {
    number: u64,
    pidfd: RawFd,
    container: Option<String>,
}

/// Makes a sealed copy of the program and tries whether it can be executed. Nothing is changed yet.
pub(crate) fn prepare(keeper: &Keeper, path: &Path) -> Result<OwnedFd, Failure> {
    let step = || format!("execute {} in place", path.display());
    // What is between two steps cannot go through.
    let starting = |stage: &Stage| matches!(stage, Stage::Cloned { .. } | Stage::Released { .. });
    if keeper.containers.values().any(|container| starting(&container.stage)) || !keeper.reports.is_empty() {
        let reason = "a container or a program is just being started; try again";
        return Err(Error::refused(step(), reason).into());
    }
    let broken = |reason: String| Failure::from(Error::refused(step(), reason));
    let size = std::fs::metadata(path).map_err(|error| broken(error.to_string()))?.len();
    if size > LARGEST {
        return Err(broken(format!("it is larger than {LARGEST} bytes")));
    }
    let bytes = std::fs::read(path).map_err(|error| broken(error.to_string()))?;
    let program = sys::memfd::sealed_program(birth::NAME, &bytes)
        .map_err(|errno| Failure::from(Error::system(step(), errno)))?;
    match check(&program) {
        Ok(true) => Ok(program),
        Ok(false) => Err(broken("it does not run here".into())),
        Err(error) => Err(broken(error.to_string())),
    }
}

/// Runs the program with nothing to do.
fn check(program: &OwnedFd) -> std::io::Result<bool> {
    let mut child = Command::new(birth::path_of(program))
        .arg(birth::CHECK)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    let ended = || {
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw).ok_or(Errno::SRCH)?;
        let pidfd = pidfd_open(pid, PidfdFlags::empty())?;
        let limit = Timespec { tv_sec: CHECKED, tv_nsec: 0 };
        poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&limit))
    };
    if !matches!(ended(), Ok(1)) {
        child.kill()?;
    }
    Ok(child.wait()?.success())
}

/// Executes the program. Returns only when that fails, with everything as it was, but without
/// connections.
pub(crate) fn execute(keeper: &mut Keeper, program: &OwnedFd) -> Errno {
    keeper.hang_up();
    let state = match save::save(keeper) {
        Ok(state) => state,
        Err(errno) => return errno,
    };
    let executed = || {
        let number = sys::inherited::pass(&state)?;
        let var = keeper.home.path().to_str().ok_or(Errno::ILSEQ)?;
        let strings = |list: &[&str]| sys::execve::Strings::new(list).map_err(|_| Errno::INVAL);
        let arguments = strings(&[birth::NAME, var])?;
        let environment = strings(&[&format!("{VARIABLE}={number}")])?;
        let path =
            CString::new(format!("/proc/self/fd/{}", program.as_raw_fd())).map_err(|_| Errno::INVAL)?;
        Err::<(), Errno>(sys::execve::execve(&path, &arguments, &environment))
    };
    let errno = executed().err().unwrap_or(Errno::IO);
    save::take_back(keeper);
    errno
}
