//! Arguments of `lxc config trust`.

use super::FormatArg;
use clap::Subcommand;
use std::path::PathBuf;

// `config trust` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum TrustCommand {
    /// Trust a client, or make a token with which one can join
    #[command(
        after_help = "Examples:\n  lxc config trust add client.crt\n  lxc config trust add foo: client.crt --name laptop\n  lxc config trust add --name laptop\n\nWithout a certificate a token is printed. Whoever gives it to \"lxc remote add\" is trusted from then on, once."
    )]
    Add {
        /// The server, and the client's certificate (client.crt)
        #[arg(num_args = 0..=2, value_name = "[REMOTE:] [CERTIFICATE]")]
        args: Vec<PathBuf>,
        /// What to call the client
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// List clients that are trusted
    #[command(
        visible_alias = "ls",
        after_help = "Examples:\n  lxc config trust list\n  lxc config trust list foo:"
    )]
    List {
        /// The server
        #[arg(value_name = "REMOTE:")]
        remote: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// List tokens that nobody has used yet
    #[command(after_help = "Examples:\n  lxc config trust list-tokens")]
    ListTokens {
        /// The server
        #[arg(value_name = "REMOTE:")]
        remote: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Trust a client no more
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config trust remove 8a1f0c6f2b3d\n  lxc config trust remove foo: 8a1f0c6f2b3d"
    )]
    Remove {
        /// The server, and the beginning of the fingerprint of the client's certificate
        #[arg(required = true, num_args = 1..=2, value_name = "[REMOTE:] FINGERPRINT")]
        args: Vec<String>,
    },
    /// Make a token useless
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config trust revoke-token laptop"
    )]
    RevokeToken {
        /// What its client was to be called
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
    },
}
