//! From a program on disk to a process in the background.
//!
//! First the program copies itself into a memory file that is sealed, so that nothing inside a
//! container can ever reach and change what runs here, and executes the copy; then it waits until
//! the copy listens. The copy leaves everything that it inherited and runs the loop.

use crate::error::Error;
use crate::home::{Home, Lock};
use crate::keeper::Keeper;
use crate::upgrade;
use model::runtime::forward::ARGUMENT;
use rustix::fs::{Mode, OFlags, SealFlags, fcntl_get_seals, open};
use rustix::process::{Resource, Rlimit, chdir, getrlimit, setrlimit, setsid, umask};
use std::ffi::CStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The name that `ps` shows.
pub(crate) const NAME: &str = "lxd-keeper";
/// The same for the forwarder.
const FORWARDER_NAME: &str = "lxd-forwarder";
/// The same, as the kernel wants it.
pub(crate) const KEEPER: &CStr = c"lxd-keeper";
const FORWARDER: &CStr = c"lxd-forwarder";
/// The argument that makes the program end at once: it can be executed here.
pub(crate) const CHECK: &str = "--check";
/// What the copy writes to its standard output when it listens.
const READY: &[u8] = b"ready";
/// How long a lock may stay held by a keeper that is just leaving.
const LEAVING: Duration = Duration::from_secs(5);

/// What is wanted of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// To keep containers.
    Keep,
    /// To forward connections and packets.
    Forward,
}

/// Becomes what this process is to be: launcher, forwarder, keeper, or keeper after an upgrade.
pub(crate) fn begin(role: Role, var: &Path) -> Result<(), Error> {
    if !is_sealed() {
        return launch(role, var);
    }
    if role == Role::Forward {
        leave_everything(FORWARDER)?;
        return forwarder::serve(var, say_ready);
    }
    match std::env::var(upgrade::VARIABLE) {
        Ok(number) => upgrade::resume(var, &number)?.run(),
        Err(_) => serve(var),
    }
}

/// Whether this process runs a copy that nobody can change.
fn is_sealed() -> bool {
    let exe = open("/proc/self/exe", OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty());
    exe.and_then(fcntl_get_seals).is_ok_and(|seals| seals.contains(SealFlags::WRITE))
}

/// The bytes of the program that this process runs.
pub(crate) fn own_program() -> Result<Vec<u8>, Error> {
    std::fs::read("/proc/self/exe").map_err(|source| Error::Spawn { source })
}

/// A program's path for `execve` by descriptor.
pub(crate) fn path_of(program: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", program.as_raw_fd())
}

fn launch(role: Role, var: &Path) -> Result<(), Error> {
    let var = std::path::absolute(var).map_err(|source| Error::Spawn { source })?;
    let program = sys::memfd::sealed_program(NAME, &own_program()?)
        .map_err(|source| Error::Seal { action: "memfd_create", source })?;
    let (name, arguments) = match role {
        Role::Keep => (NAME, None),
        Role::Forward => (FORWARDER_NAME, Some(ARGUMENT)),
    };
    let mut copy = Command::new(path_of(&program))
        .arg0(name)
        .args(arguments)
        .arg(var)
        .current_dir("/")
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|source| Error::Spawn { source })?;
    let mut said = Vec::new();
    if let Some(mut stdout) = copy.stdout.take() {
        stdout.read_to_end(&mut said).map_err(|source| Error::Spawn { source })?;
    }
    if said == READY {
        return Ok(());
    }
    // It said why on the standard error, which is ours too.
    let _ = copy.wait();
    Err(Error::GaveUp)
}

fn serve(var: &Path) -> Result<(), Error> {
    leave_everything(KEEPER)?;
    let home = Home::open(var)?;
    let deadline = std::time::Instant::now() + LEAVING;
    let lock = loop {
        match home.lock()? {
            Lock::Held(lock) => break lock,
            Lock::Busy if home.somebody_listens() => return say_ready(),
            Lock::Busy if std::time::Instant::now() > deadline => {
                return Err(Error::Locked { path: home.lock_path() });
            }
            // A keeper that has just left the socket is about to leave the lock.
            Lock::Busy => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let listener = home.listen()?;
    let mut keeper = Keeper::new(home, lock, listener)?;
    keeper.adopt_recorded();
    say_ready()?;
    keeper.run()
}

/// Becomes a process of its own: session, descriptors, directory, mask, limits, name.
fn leave_everything(name: &CStr) -> Result<(), Error> {
    let system = |action| move |source| Error::System { action, source };
    sys::close_range::close_all_but(&[]).map_err(system("close inherited descriptors"))?;
    // Fails for the leader of a group, which is one of its own already.
    let _ = setsid();
    umask(Mode::RWXG | Mode::RWXO);
    chdir("/").map_err(system("change to /"))?;
    take_name(name);
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })
        .map_err(system("raise the limit of open files"))
}

/// What was executed by descriptor is named after its number otherwise.
pub(crate) fn take_name(name: &CStr) {
    // The name is for people; going on without it is better than not at all.
    let _ = rustix::thread::set_name(name);
}

/// Tells the launcher, and lets go of its streams.
fn say_ready() -> Result<(), Error> {
    let failed = |source| Error::Spawn { source };
    std::io::stdout().write_all(READY).map_err(failed)?;
    std::io::stdout().flush().map_err(failed)?;
    let null = File::options().read(true).write(true).open("/dev/null").map_err(failed)?;
    let system = |source| Error::System { action: "let go of the standard streams", source };
    rustix::stdio::dup2_stdin(&null).map_err(system)?;
    rustix::stdio::dup2_stdout(&null).map_err(system)?;
    rustix::stdio::dup2_stderr(&null).map_err(system)
}
