//! Arguments of `remote` and `alias`.

use super::FormatArg;
use clap::Subcommand;

// `remote` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum RemoteCommand {
    /// Add a server
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc remote add test unix:///srv/lxd/unix.socket"
    )]
    Add {
        /// Its name, for use before the colon
        name: String,
        /// Its address
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// Print the server that is used when none is named
    #[command(after_help = "Examples:\n  lxc remote get-default")]
    GetDefault,
    /// List servers
    #[command(visible_alias = "ls", after_help = "Examples:\n  lxc remote list")]
    List {
        #[command(flatten)]
        format: FormatArg,
    },
    /// Forget a server
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc remote remove test"
    )]
    Remove {
        /// Its name
        name: String,
    },
    /// Rename a server
    #[command(
        visible_alias = "mv",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc remote rename test lab"
    )]
    Rename {
        /// Its name
        name: String,
        /// Its new name
        new_name: String,
    },
    /// Choose the server that is used when none is named
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc remote set-default test")]
    SetDefault {
        /// Its name
        name: String,
    },
    /// Change the address of a server
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc remote set-url test unix:///srv/other/unix.socket"
    )]
    SetUrl {
        /// Its name
        name: String,
        /// Its new address
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
}

// `alias` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum AliasCommand {
    /// Add an alias
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc alias add list 'list -c ns46S'\n  lxc alias add bash 'exec @ARGS@ -- bash'"
    )]
    Add {
        /// The words to replace
        alias: String,
        /// What to run instead; @ARGS@ stands for the other arguments
        target: String,
    },
    /// List aliases
    #[command(visible_alias = "ls", after_help = "Examples:\n  lxc alias list")]
    List {
        #[command(flatten)]
        format: FormatArg,
    },
    /// Remove an alias
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc alias remove bash"
    )]
    Remove {
        /// The alias
        alias: String,
    },
    /// Rename an alias
    #[command(
        visible_alias = "mv",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc alias rename bash sh"
    )]
    Rename {
        /// The alias
        alias: String,
        /// The new name
        new_name: String,
    },
}
