//! Arguments of `remote` and `alias`.

use super::FormatArg;
use clap::{Args, Subcommand, ValueEnum};

// `remote` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum RemoteCommand {
    /// Add a server
    Add(RemoteAddArgs),
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
        after_help = "Examples:\n  lxc remote set-url foo https://foo.example.org:8443\n  lxc remote set-url test unix:///srv/other/unix.socket"
    )]
    SetUrl {
        /// Its name
        name: String,
        /// Its new address
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
}

// Arguments of `remote add`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
An address is a host name or an address, with or without a port (8443 where none is given), also as
https://HOST:PORT, or the path of a unix socket. A token is what `lxc config trust add` prints on the
server. Without a name the host's name is used.

Examples:
  lxc remote add foo 1.2.3.4
  lxc remote add foo 2607:f2c0:f00f:2770:216:3eff:fee1:bd67
  lxc remote add foo.example.org --accept-certificate --password something-secure
  lxc remote add foo eyJjbGllbnRfbmFtZSI6I...
  lxc remote add pictures images.example.org --public
  lxc remote add minimal https://cloud-images.ubuntu.com/minimal/releases --protocol simplestreams
  lxc remote add test unix:///srv/lxd/unix.socket"
)]
pub(crate) struct RemoteAddArgs {
    /// Its name, for use before the colon, and its address, or a token that it gave out
    #[arg(required = true, num_args = 1..=2, value_name = "[NAME] ADDRESS|TOKEN")]
    pub(crate) args: Vec<String>,
    /// Trust the certificate that the server shows, whatever it is
    #[arg(long)]
    pub(crate) accept_certificate: bool,
    /// The server's password, or a token that it gave out
    #[arg(long)]
    pub(crate) password: Option<String>,
    /// Use its public images only, without telling it who we are
    #[arg(long)]
    pub(crate) public: bool,
    /// What kind of server it is
    #[arg(long, value_enum)]
    pub(crate) protocol: Option<Protocol>,
    /// How the server knows its clients
    #[arg(long, value_parser = ["tls"])]
    pub(crate) auth_type: Option<String>,
}

/// Kinds of servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Protocol {
    /// One like this
    Lxd,
    /// A web server with images
    Simplestreams,
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
