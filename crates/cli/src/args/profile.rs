//! Arguments of `profile`.

use super::{DeviceCommand, FormatArg, ShowFormatArg};
use clap::Subcommand;

// `profile` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ProfileCommand {
    /// Add a profile to a container
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc profile add first web")]
    Add {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        container: String,
        /// The profile
        profile: String,
    },
    /// Give a container these profiles and no others
    #[command(
        visible_alias = "apply",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc profile assign first default,web\n  lxc profile assign first ''       (none at all)"
    )]
    Assign {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        container: String,
        /// The profiles, with commas between them
        profiles: String,
    },
    /// Copy a profile
    #[command(
        visible_alias = "cp",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc profile copy default web"
    )]
    Copy {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        source: String,
        /// Name of the copy
        #[arg(value_name = "[REMOTE:]NAME")]
        target: String,
    },
    /// Create a profile
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc profile create web")]
    Create {
        /// Its name
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
    },
    /// Delete a profile
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc profile delete web"
    )]
    Delete {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
    },
    /// Manage devices of a profile
    #[command(subcommand, arg_required_else_help = true)]
    Device(DeviceCommand),
    /// Edit a profile as YAML
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc profile edit web\n  lxc profile edit web < web.yaml"
    )]
    Edit {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
    },
    /// Print the value of a key
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc profile get default limits.cpu")]
    Get {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
        /// The key
        key: String,
    },
    /// List profiles
    #[command(visible_alias = "ls", after_help = "Examples:\n  lxc profile list")]
    List {
        /// The server
        #[arg(value_name = "REMOTE:")]
        remote: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Take a profile away from a container
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc profile remove first web")]
    Remove {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        container: String,
        /// The profile
        profile: String,
    },
    /// Rename a profile
    #[command(
        visible_alias = "mv",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc profile rename web www"
    )]
    Rename {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
        /// Its new name
        #[arg(value_name = "NAME")]
        new_name: String,
    },
    /// Set keys
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc profile set default limits.cpu 3\n  lxc profile set default limits.cpu=3 limits.memory=1GB"
    )]
    Set {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
        /// KEY=VALUE pairs, or one KEY and VALUE; the value - is read from standard input
        #[arg(required = true, allow_hyphen_values = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
    /// Show a profile
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc profile show default")]
    Show {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
        #[command(flatten)]
        format: ShowFormatArg,
    },
    /// Remove a key
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc profile unset default limits.cpu"
    )]
    Unset {
        /// The profile
        #[arg(value_name = "[REMOTE:]PROFILE")]
        profile: String,
        /// The key
        key: String,
    },
}
