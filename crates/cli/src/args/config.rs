//! Arguments of `config`.

use super::{Format, FormatArg, ShowFormatArg, TrustCommand};
use clap::Subcommand;

// `config` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ConfigCommand {
    /// Manage devices of a container
    #[command(subcommand, arg_required_else_help = true)]
    Device(DeviceCommand),
    /// Edit the configuration of a container, snapshot or the server as YAML
    #[command(after_help = "Examples:\n  lxc config edit first\n  lxc config edit < server.yaml")]
    Edit {
        /// The container or snapshot; without it, the server
        #[arg(value_name = "[REMOTE:][CONTAINER[/SNAPSHOT]]")]
        name: Option<String>,
    },
    /// Print the value of a key
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config get first limits.memory\n  lxc config get core.https_address"
    )]
    Get {
        /// The container, if any, and the key
        #[arg(required = true, num_args = 1..=2, value_name = "[REMOTE:][CONTAINER] KEY")]
        args: Vec<String>,
    },
    /// List the keys of containers, pools, volumes and the server, and the properties of devices
    #[command(
        after_help = "Examples:\n  lxc config keys\n  lxc config keys limits.\n  lxc config keys nic --format csv\n  lxc config keys pool-lvm\n  lxc config keys volume-lvm"
    )]
    Keys {
        /// Part of a name, or what the keys belong to: container, server, a type of device, pool-DRIVER or volume-DRIVER
        #[arg(value_name = "[REMOTE:][PATTERN]")]
        pattern: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Manage what a container's image says about itself
    #[command(subcommand, arg_required_else_help = true)]
    Metadata(MetadataCommand),
    /// Set keys
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config set first limits.cpu 2\n  lxc config set first limits.cpu=2 limits.memory=256MB\n  lxc config set first user.user-data - < cloud.yaml\n  lxc config set core.https_address=[::]:8443\n\n\"lxc config keys\" lists the keys that there are."
    )]
    Set {
        /// The container, if any, then KEY=VALUE pairs or one KEY and VALUE; the value - is read from standard input
        #[arg(required = true, allow_hyphen_values = true, value_name = "[REMOTE:][CONTAINER] KEY=VALUE")]
        args: Vec<String>,
    },
    /// Show the configuration of a container or of the server
    #[command(
        after_help = "Examples:\n  lxc config show first\n  lxc config show first --expanded\n  lxc config show"
    )]
    Show {
        /// The container; without it, the server
        #[arg(value_name = "[REMOTE:][CONTAINER]")]
        name: Option<String>,
        /// With what comes from profiles
        #[arg(short, long)]
        expanded: bool,
        #[command(flatten)]
        format: ShowFormatArg,
    },
    /// Manage the templates of files in a container
    #[command(subcommand, arg_required_else_help = true)]
    Template(TemplateCommand),
    /// Manage which clients the server trusts
    #[command(subcommand, arg_required_else_help = true)]
    Trust(TrustCommand),
    /// Remove a key
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config unset first limits.cpu\n  lxc config unset core.https_address"
    )]
    Unset {
        /// The container, if any, and the key
        #[arg(required = true, num_args = 1..=2, value_name = "[REMOTE:][CONTAINER] KEY")]
        args: Vec<String>,
    },
}

// `config metadata` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum MetadataCommand {
    /// Edit the metadata as YAML
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config metadata edit first\n  lxc config metadata edit first < metadata.yaml"
    )]
    Edit {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
    },
    /// Show the metadata
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc config metadata show first")]
    Show {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
        #[command(flatten)]
        format: ShowFormatArg,
    },
}

// `config template` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum TemplateCommand {
    /// Make a template; its text is what standard input holds
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config template create first motd.tpl < motd.tpl"
    )]
    Create {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
        /// The template
        template: String,
    },
    /// Delete a template
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config template delete first motd.tpl"
    )]
    Delete {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
        /// The template
        template: String,
    },
    /// Edit a template
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config template edit first hostname.tpl"
    )]
    Edit {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
        /// The template
        template: String,
    },
    /// List templates
    #[command(
        visible_alias = "ls",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config template list first"
    )]
    List {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Show a template
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config template show first hostname.tpl"
    )]
    Show {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
        /// The template
        template: String,
    },
}

// `config device` and `profile device` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum DeviceCommand {
    /// Add a device
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config device add first kvm unix-char path=/dev/kvm\n  lxc config device add first share disk source=/srv path=/srv\n  lxc profile device add default eth0 nic nictype=bridged parent=lxdbr0"
    )]
    Add {
        /// The container or profile
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
        /// The device's name
        device: String,
        /// The device's type, such as disk or nic
        #[arg(value_name = "TYPE")]
        kind: String,
        /// Its properties
        #[arg(value_name = "KEY=VALUE")]
        properties: Vec<String>,
    },
    /// Print a property of a device
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config device get first root size"
    )]
    Get {
        /// The container or profile
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
        /// The device's name
        device: String,
        /// The property
        key: String,
    },
    /// List the names of devices
    #[command(
        visible_alias = "ls",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config device list first\n  lxc config device list first --format table"
    )]
    List {
        /// The container or profile
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
        /// How to print the list [default: names alone]
        #[arg(short, long, value_enum)]
        format: Option<Format>,
    },
    /// Copy a device from the profiles into the container and change it there
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config device override first root size=20GB"
    )]
    Override {
        /// The container
        #[arg(value_name = "[REMOTE:]CONTAINER")]
        name: String,
        /// The device's name
        device: String,
        /// Properties to change
        #[arg(value_name = "KEY=VALUE")]
        properties: Vec<String>,
    },
    /// Remove devices
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config device remove first kvm"
    )]
    Remove {
        /// The container or profile
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
        /// The devices' names
        #[arg(required = true, value_name = "DEVICE")]
        devices: Vec<String>,
    },
    /// Set properties of a device
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config device set first root size 20GB\n  lxc config device set first eth0 limits.ingress=10Mbit limits.egress=10Mbit"
    )]
    Set {
        /// The container or profile
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
        /// The device's name
        device: String,
        /// KEY=VALUE pairs, or one KEY and VALUE
        #[arg(required = true, allow_hyphen_values = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
    /// Show the devices
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc config device show first")]
    Show {
        /// The container or profile
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
        #[command(flatten)]
        format: ShowFormatArg,
    },
    /// Remove a property of a device
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc config device unset first root size"
    )]
    Unset {
        /// The container or profile
        #[arg(value_name = "[REMOTE:]NAME")]
        name: String,
        /// The device's name
        device: String,
        /// The property
        key: String,
    },
}
