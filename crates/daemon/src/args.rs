//! The command line of `lxd`: types only.

use clap::{Args, Parser, Subcommand};
use std::ffi::OsString;
use std::path::PathBuf;

/// The system container manager's daemon.
#[derive(Debug, Parser)]
#[command(name = "lxd", about, max_term_width = 100)]
pub(crate) struct Lxd {
    /// What to do; without it: be the daemon.
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    /// The daemon's own options.
    #[command(flatten)]
    pub(crate) daemon: Daemon,
    /// Print the version alone, as scripts expect it
    #[arg(long, global = true)]
    pub(crate) version: bool,
}

/// Options of the daemon.
#[derive(Debug, Args)]
pub(crate) struct Daemon {
    /// The group of users who may talk to the daemon
    #[arg(long, value_name = "GROUP")]
    pub(crate) group: Option<String>,
    /// Log to this file too
    #[arg(long, value_name = "FILE", global = true)]
    pub(crate) logfile: Option<PathBuf>,
    /// Log everything
    #[arg(short, long, global = true)]
    pub(crate) debug: bool,
    /// Log what happens
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
}

/// What else the program does.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Set up storage, network and the default profile
    Init(Init),
    /// Take containers and volumes over that are on storage pools and not in the database
    Recover,
    /// Take one container over from the storage pool that it is on
    Import(Import),
    /// Wait until the daemon is ready for requests
    Waitready(Waitready),
    /// Stop all containers and the daemon
    Shutdown(Shutdown),
    /// Start the daemon by its socket, if there is something for it to do
    Activateifneeded,
    /// Become an rsync that reaches one tree only; for the daemon itself
    #[command(name = migration::confine::FORK_RSYNC, hide = true)]
    Forkrsync(Forkrsync),
    /// Carry the bytes of that rsync; for rsync itself
    #[command(name = migration::confine::FORK_RELAY, hide = true)]
    Forkrelay(Forkrelay),
}

/// Options of `init`.
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Choose everything and ask nothing
    #[arg(long)]
    pub(crate) auto: bool,
    /// Read what to make from standard input, as YAML
    #[arg(long)]
    pub(crate) preseed: bool,
    /// What the storage pool is made with, for --auto
    #[arg(long, value_name = "DRIVER")]
    pub(crate) storage_backend: Option<String>,
    /// The block device for the storage pool, for --auto
    #[arg(long, value_name = "DEVICE")]
    pub(crate) storage_create_device: Option<String>,
    /// The size in GB of a file for the storage pool, for --auto
    #[arg(long, value_name = "GB")]
    pub(crate) storage_create_loop: Option<u32>,
    /// The name of the storage pool, or what exists already and is used for it, for --auto
    #[arg(long, value_name = "NAME")]
    pub(crate) storage_pool: Option<String>,
    /// The address to listen on for clients of the network, or "all", for --auto
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) network_address: Option<String>,
    /// The port to listen on, for --auto
    #[arg(long, value_name = "PORT")]
    pub(crate) network_port: Option<u16>,
    /// The password with which new clients make themselves trusted, for --auto
    #[arg(long, value_name = "PASSWORD")]
    pub(crate) trust_password: Option<String>,
}

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// The container
    pub(crate) container: String,
    /// Also when other snapshots are there than are listed
    #[arg(long)]
    pub(crate) force: bool,
}

/// Options of `waitready`.
#[derive(Debug, Args)]
pub(crate) struct Waitready {
    /// Give up after this many seconds
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// Options of `shutdown`.
#[derive(Debug, Args)]
pub(crate) struct Shutdown {
    /// Give up after this many seconds
    #[arg(short, long, value_name = "SECONDS")]
    pub(crate) timeout: Option<u64>,
}

/// Arguments of `forkrsync`.
#[derive(Debug, Args)]
pub(crate) struct Forkrsync {
    /// Whether it sends or receives
    pub(crate) role: OsString,
    /// The tree
    pub(crate) tree: PathBuf,
    /// The program
    pub(crate) program: PathBuf,
    /// Its arguments
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) arguments: Vec<OsString>,
}

/// Arguments of `forkrelay`.
#[derive(Debug, Args)]
pub(crate) struct Forkrelay {
    /// The descriptor that leads to the daemon
    pub(crate) descriptor: i32,
    /// What a program in this place is told about the other side
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(crate) rest: Vec<OsString>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory as _;
        Lxd::command().debug_assert();
        let lxd = Lxd::parse_from(["lxd", "--group", "lxd", "--debug"]);
        assert!(lxd.command.is_none() && lxd.daemon.debug);
        let lxd = Lxd::parse_from(["lxd", "waitready", "--timeout", "30", "-v"]);
        assert!(matches!(lxd.command, Some(Command::Waitready(Waitready { timeout: Some(30) }))));
        assert!(lxd.daemon.verbose);
    }
}
