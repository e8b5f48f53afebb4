//! Arguments of `exec` and `console`.

use clap::{Args, ValueEnum};

// Arguments of `exec`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
The command is run as it is, no shell looks at it. For variables, redirections
and the like, run a shell: lxc exec first -- sh -c 'cd /tmp && pwd'

A terminal is used when both standard input and standard output are one. The
exit status is that of the command: 128+n when signal n ended it.

Examples:
  lxc exec first bash
  lxc exec first -- ls -lh /
  lxc exec first --env LANG=C --cwd /srv --user 1000 -- make
  tar c . | lxc exec first -- tar x -C /srv"
)]
pub(crate) struct ExecArgs {
    /// The container
    #[arg(value_name = "[REMOTE:]CONTAINER")]
    pub(crate) container: String,
    /// The command and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
    /// Environment variable to set; KEY alone sets it empty
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) env: Vec<String>,
    /// Directory to run the command in
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    pub(crate) cwd: String,
    /// User id to run the command as
    #[arg(long, value_name = "UID", default_value_t = 0)]
    pub(crate) user: u32,
    /// Group id to run the command as
    #[arg(long, value_name = "GID", default_value_t = 0)]
    pub(crate) group: u32,
    /// Whether to use a terminal
    #[arg(long, value_enum, default_value = "auto")]
    pub(crate) mode: ExecMode,
    /// Use a terminal
    #[arg(short = 't', long, conflicts_with_all = ["mode", "force_noninteractive"])]
    pub(crate) force_interactive: bool,
    /// Use no terminal
    #[arg(short = 'T', long, conflicts_with = "mode")]
    pub(crate) force_noninteractive: bool,
    /// Give the command an empty standard input
    #[arg(short = 'n', long)]
    pub(crate) disable_stdin: bool,
}

/// Whether to use a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExecMode {
    /// When standard input and output are one
    Auto,
    /// Always
    Interactive,
    /// Never
    NonInteractive,
}

// Arguments of `console`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Detach with <ctrl>+a q.\n\nExamples:\n  lxc console first\n  lxc console first --show-log"
)]
pub(crate) struct ConsoleArgs {
    /// The container
    #[arg(value_name = "[REMOTE:]CONTAINER")]
    pub(crate) container: String,
    /// Print what the console showed so far, and end
    #[arg(long)]
    pub(crate) show_log: bool,
}
