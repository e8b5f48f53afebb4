//! Arguments of `file`.

use clap::{Args, Subcommand};

// `file` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum FileCommand {
    /// Delete files in containers
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc file delete first/root/old.txt"
    )]
    Delete {
        /// The files
        #[arg(required = true, value_name = "[REMOTE:]CONTAINER/PATH")]
        paths: Vec<String>,
    },
    /// Edit a file of a container
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc file edit first/etc/hosts\n  sed s/a/b/ hosts | lxc file edit first/etc/hosts"
    )]
    Edit {
        /// The file
        #[arg(value_name = "[REMOTE:]CONTAINER/PATH")]
        path: String,
    },
    /// Copy files out of containers
    Pull(PullArgs),
    /// Copy files into a container
    Push(PushArgs),
}

// Arguments of `file pull`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc file pull first/etc/hosts .\n  lxc file pull first/etc/hosts -          (print it)\n  lxc file pull -r first/etc first/srv backup/"
)]
pub(crate) struct PullArgs {
    /// The files, then where to put them; - is standard output
    #[arg(required = true, num_args = 2.., value_name = "[REMOTE:]CONTAINER/PATH... TARGET")]
    pub(crate) paths: Vec<String>,
    /// Create missing directories
    #[arg(short = 'p', long)]
    pub(crate) create_dirs: bool,
    /// Copy directories with all they hold
    #[arg(short, long)]
    pub(crate) recursive: bool,
}

// Arguments of `file push`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc file push hosts first/etc/hosts\n  lxc file push a b c first/srv/ --mode 0644 --uid 0 --gid 0\n  lxc file push -r site first/srv/\n  echo hi | lxc file push - first/root/hi"
)]
pub(crate) struct PushArgs {
    /// The files, then where to put them; - is standard input
    #[arg(required = true, num_args = 2.., value_name = "SOURCE... [REMOTE:]CONTAINER/PATH")]
    pub(crate) paths: Vec<String>,
    /// Create missing directories
    #[arg(short = 'p', long)]
    pub(crate) create_dirs: bool,
    /// Copy directories with all they hold
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Owner in the container [default: that of the file]
    #[arg(long)]
    pub(crate) uid: Option<u32>,
    /// Group in the container [default: that of the file]
    #[arg(long)]
    pub(crate) gid: Option<u32>,
    /// Permissions in octal [default: those of the file]
    #[arg(long, value_parser = octal)]
    pub(crate) mode: Option<u32>,
}

fn octal(text: &str) -> Result<u32, String> {
    match u32::from_str_radix(text, 8) {
        Ok(mode) if mode <= 0o7777 => Ok(mode),
        _ => Err("give permissions in octal, such as 0644".to_owned()),
    }
}
