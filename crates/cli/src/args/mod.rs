//! The command line: what may be typed, and the help about it. Nothing here does anything.
//!
//! Commands are deferred: only the one that was typed is put together, which is half of the time
//! that a short command takes. What is said about a command stands at its variant; a doc comment at
//! the type of its arguments would take its place in the help, so those have plain comments.

mod config;
mod container;
mod exec;
mod file;
mod frequent;
mod image;
mod profile;
mod remote;
mod server;
mod storage;
mod trust;
mod volume;

pub(crate) use config::*;
pub(crate) use container::*;
pub(crate) use exec::*;
pub(crate) use file::*;
pub(crate) use image::*;
pub(crate) use profile::*;
pub(crate) use remote::*;
pub(crate) use server::*;
pub(crate) use storage::*;
pub(crate) use trust::*;
pub(crate) use volume::*;

use clap::{Args, Parser, Subcommand};

/// Command line client for LXD
///
/// Every feature of the daemon is reached through the commands below.
#[derive(Debug, Parser)]
#[command(
    name = "lxc",
    version,
    arg_required_else_help = true,
    disable_help_subcommand = false,
    propagate_version = false,
    infer_subcommands = false,
    after_help = "Examples:\n  lxc launch debian/12 first\n  lxc list\n  lxc exec first -- cat /etc/os-release\n\nUse \"lxc <command> --help\" for more about a command."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,

    #[command(subcommand)]
    pub(crate) command: Command,
}

// Flags that every command takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct Global {
    /// Use the local unix socket, whatever the configuration says
    #[arg(long, global = true, help_heading = "Global flags")]
    pub(crate) force_local: bool,

    /// Do not show progress
    #[arg(short, long, global = true, help_heading = "Global flags")]
    pub(crate) quiet: bool,

    /// Show which server is being used
    #[arg(short, long, global = true, help_heading = "Global flags")]
    pub(crate) verbose: bool,

    /// Show each error with all its causes on lines of their own
    #[arg(long, global = true, help_heading = "Global flags")]
    pub(crate) debug: bool,
}

// All commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum Command {
    /// Manage command aliases
    #[command(subcommand, arg_required_else_help = true)]
    Alias(AliasCommand),
    /// Words that fit, for the scripts of completion
    #[command(hide = true)]
    Complete {
        /// The words so far; the last one is being typed
        #[arg(allow_hyphen_values = true, trailing_var_arg = true)]
        words: Vec<String>,
    },
    /// Print a script that completes lxc commands in a shell
    Completion(CompletionArgs),
    /// Manage container and server configuration
    #[command(subcommand, arg_required_else_help = true)]
    Config(ConfigCommand),
    /// Attach to a container's console
    Console(ConsoleArgs),
    /// Copy a container or snapshot
    #[command(visible_alias = "cp")]
    Copy(CopyArgs),
    /// Delete containers and snapshots
    #[command(visible_alias = "rm")]
    Delete(DeleteArgs),
    /// Run a command in a container
    Exec(ExecArgs),
    /// Manage files in containers
    #[command(subcommand, arg_required_else_help = true)]
    File(FileCommand),
    /// Manage images
    #[command(subcommand, arg_required_else_help = true)]
    Image(ImageCommand),
    /// Show what a container or the server is and does
    Info(InfoArgs),
    /// Create a container from an image
    Init(CreateArgs),
    /// Create and start a container from an image
    Launch(CreateArgs),
    /// List containers
    #[command(visible_alias = "ls")]
    List(ListArgs),
    /// Show events as they happen
    Monitor(MonitorArgs),
    /// Move or rename a container or snapshot
    #[command(visible_alias = "mv")]
    Move(MoveArgs),
    /// Look at networks
    #[command(subcommand, arg_required_else_help = true)]
    Network(NetworkCommand),
    /// List, show and cancel background operations
    #[command(subcommand, arg_required_else_help = true)]
    Operation(OperationCommand),
    /// Freeze containers
    Pause(PauseArgs),
    /// Manage profiles
    #[command(subcommand, arg_required_else_help = true)]
    Profile(ProfileCommand),
    /// Make an image of a container or snapshot
    Publish(PublishArgs),
    /// Send a request to the API
    Query(QueryArgs),
    /// Manage the list of servers
    #[command(subcommand, arg_required_else_help = true)]
    Remote(RemoteCommand),
    /// Rename a container or snapshot
    Rename(RenameArgs),
    /// Restart containers
    Restart(RestartArgs),
    /// Make a container what one of its snapshots is
    Restore(RestoreArgs),
    /// Take a snapshot of a container
    Snapshot(SnapshotArgs),
    /// Start containers
    Start(StartArgs),
    /// Stop containers
    Stop(StopArgs),
    /// Manage storage pools and volumes
    #[command(subcommand, arg_required_else_help = true)]
    Storage(StorageCommand),
    /// Show the versions of client and server
    Version(VersionArgs),
}

/// How lists are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table with lines
    Table,
    /// A table without lines
    Compact,
    /// Comma-separated values, without a header
    Csv,
    /// All there is, as JSON
    Json,
    /// All there is, as YAML
    Yaml,
}

// The flag `--format`.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct FormatArg {
    /// How to print the list
    #[arg(short, long, value_enum, default_value = "table")]
    pub(crate) format: Format,
}

// The flag `--format` of what shows one thing in a form that can be fed back.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ShowFormatArg {
    /// How to print it; tables and csv have a line for each property
    #[arg(short, long, value_enum, default_value = "yaml")]
    pub(crate) format: Format,
}

// The flag `--format` of what tells people about one thing.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct InfoFormatArg {
    /// Print all there is for programs; tables and csv have a line for each property
    #[arg(short, long, value_enum)]
    pub(crate) format: Option<Format>,
}
