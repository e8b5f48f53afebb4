//! What the program `lxd` does, one file per sub-command.

mod activateifneeded;
mod daemon;
mod import;
mod init;
mod recover;
mod shutdown;
mod waitready;

use crate::args::{Command, Forkrsync, Lxd};
use crate::paths::Paths;
use crate::talk::Daemon;
use anyhow::{Context as _, bail};
use std::future::Future;
use std::io::Write as _;

/// Does what the command line says.
pub(crate) fn run(lxd: Lxd) -> anyhow::Result<()> {
    if lxd.version {
        writeln!(std::io::stdout(), "{}", crate::VERSION).context("cannot print the version")?;
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("This must be run as root");
    }
    let paths = Paths::from_environment()?;
    let socket = || Daemon::at(paths.socket());
    match lxd.command {
        None => daemon::run(&lxd.daemon, paths),
        Some(Command::Init(init)) => briefly(init::run(&init, &socket())),
        Some(Command::Recover) => briefly(recover::run(&socket())),
        Some(Command::Import(import)) => briefly(import::run(&socket(), &import)),
        Some(Command::Waitready(options)) => briefly(waitready::run(&socket(), options.timeout)),
        Some(Command::Shutdown(options)) => briefly(shutdown::run(&socket(), options.timeout)),
        Some(Command::Forkrsync(Forkrsync { role, tree, program, arguments })) => {
            match migration::confine::become_rsync(&role, &tree, &program, &arguments) {
                Err(error) => Err(error).context("cannot lock rsync up"),
            }
        }
        Some(Command::Forkrelay(relay)) => {
            migration::confine::relay(relay.descriptor).context("cannot carry the bytes of rsync")
        }
        Some(Command::Activateifneeded) => briefly(activateifneeded::run(&paths, &socket())),
    }
}

/// Runs something that waits more than it works.
fn briefly(work: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}
