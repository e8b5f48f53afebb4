//! Arguments of the commands about a server and what it has besides containers.

use super::{FormatArg, InfoFormatArg, ShowFormatArg};
use clap::{Args, Subcommand, ValueEnum};

// Arguments of `monitor`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lxc monitor\n  lxc monitor --type lifecycle\n  lxc monitor --pretty --type logging --loglevel info"
)]
pub(crate) struct MonitorArgs {
    /// The server
    #[arg(value_name = "REMOTE:")]
    pub(crate) remote: Option<String>,
    /// Kind of events to show; all when not given
    #[arg(long = "type", value_enum, value_name = "TYPE")]
    pub(crate) kinds: Vec<MonitorKind>,
    /// Print log lines as a log has them
    #[arg(long)]
    pub(crate) pretty: bool,
    /// Least important log lines to show, with --pretty
    #[arg(long, value_enum, value_name = "LEVEL", requires = "pretty")]
    pub(crate) loglevel: Option<LogLevel>,
    /// How to print events
    #[arg(short, long, value_enum, default_value = "yaml")]
    pub(crate) format: MonitorFormat,
}

/// Kinds of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MonitorKind {
    /// Background operations
    Operation,
    /// The daemon's log
    Logging,
    /// Objects made, changed and deleted
    Lifecycle,
}

/// How events are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MonitorFormat {
    /// YAML with an empty line between events
    Yaml,
    /// One JSON object per line
    Json,
}

/// Levels of log lines, least important first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum LogLevel {
    /// For developers
    Debug,
    /// What happens
    Info,
    /// What is odd
    #[value(alias = "warning")]
    Warn,
    /// What failed
    #[value(alias = "eror")]
    Error,
    /// What cannot go on
    #[value(alias = "critical")]
    Crit,
}

// `network` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum NetworkCommand {
    /// Print the value of a key
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc network get lxdbr0 ipv4.address")]
    Get {
        /// The network
        #[arg(value_name = "[REMOTE:]NETWORK")]
        network: String,
        /// The key
        key: String,
    },
    /// Show addresses and traffic of a network
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc network info lxdbr0\n  lxc network info lxdbr0 --format json"
    )]
    Info {
        /// The network
        #[arg(value_name = "[REMOTE:]NETWORK")]
        network: String,
        #[command(flatten)]
        format: InfoFormatArg,
    },
    /// List networks
    #[command(visible_alias = "ls", after_help = "Examples:\n  lxc network list")]
    List {
        /// The server
        #[arg(value_name = "REMOTE:")]
        remote: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// List addresses given out on a network
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc network list-leases lxdbr0")]
    ListLeases {
        /// The network
        #[arg(value_name = "[REMOTE:]NETWORK")]
        network: String,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Show the configuration of a network
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc network show lxdbr0")]
    Show {
        /// The network
        #[arg(value_name = "[REMOTE:]NETWORK")]
        network: String,
        #[command(flatten)]
        format: ShowFormatArg,
    },
}

// `operation` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum OperationCommand {
    /// Cancel an operation
    #[command(visible_aliases = ["cancel", "rm"], arg_required_else_help = true, after_help = "Examples:\n  lxc operation delete 0c0b5d51-0ad5-4a4f-9cf4-6c1b6f2e3d11")]
    Delete {
        /// The operation
        #[arg(value_name = "[REMOTE:]ID")]
        id: String,
    },
    /// List operations
    #[command(visible_alias = "ls", after_help = "Examples:\n  lxc operation list")]
    List {
        /// The server
        #[arg(value_name = "REMOTE:")]
        remote: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Show an operation
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc operation show 0c0b5d51-0ad5-4a4f-9cf4-6c1b6f2e3d11"
    )]
    Show {
        /// The operation
        #[arg(value_name = "[REMOTE:]ID")]
        id: String,
        #[command(flatten)]
        format: ShowFormatArg,
    },
}

// Arguments of `query`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc query /1.0/containers\n  lxc query -X DELETE --wait /1.0/containers/first\n  lxc query -X PATCH -d '{\"config\": {\"user.note\": \"x\"}}' /1.0/containers/first"
)]
pub(crate) struct QueryArgs {
    /// Path of the API
    #[arg(value_name = "[REMOTE:]PATH")]
    pub(crate) path: String,
    /// HTTP method
    #[arg(short = 'X', long, default_value = "GET", value_name = "METHOD")]
    pub(crate) request: String,
    /// Body, as JSON; - is standard input
    #[arg(short, long, allow_hyphen_values = true)]
    pub(crate) data: Option<String>,
    /// Wait for the operation that the request starts
    #[arg(long)]
    pub(crate) wait: bool,
    /// Print the answer as it came
    #[arg(long)]
    pub(crate) raw: bool,
}

// Arguments of `version`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  lxc version")]
pub(crate) struct VersionArgs {
    /// The server
    #[arg(value_name = "REMOTE:")]
    pub(crate) remote: Option<String>,
}

// Arguments of `completion`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc completion bash > /etc/bash_completion.d/lxc\n  lxc completion zsh > ~/.zfunc/_lxc\n  lxc completion fish > ~/.config/fish/completions/lxc.fish"
)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: CompletionShell,
}

/// Shells with completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompletionShell {
    /// bash
    Bash,
    /// zsh
    Zsh,
    /// fish
    Fish,
}
