//! Arguments of `storage`.

use super::{FormatArg, InfoFormatArg, ShowFormatArg, VolumeCommand};
use clap::{Args, Subcommand};

// `storage` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum StorageCommand {
    /// Create a pool
    Create(StorageCreateArgs),
    /// Delete a pool in which nothing lives any more
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage delete my-btrfs"
    )]
    Delete {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
    },
    /// Edit the configuration of a pool as YAML
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage edit my-lvm\n  lxc storage edit my-lvm < pool.yaml"
    )]
    Edit {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
    },
    /// Print the value of a key
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage get my-lvm volume.block.filesystem"
    )]
    Get {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// The key
        key: String,
    },
    /// Show how full a pool is and what uses it
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage info default\n  lxc storage info default --bytes\n  lxc storage info default --format json"
    )]
    Info {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// Sizes in bytes
        #[arg(long)]
        bytes: bool,
        #[command(flatten)]
        format: InfoFormatArg,
    },
    /// List pools
    #[command(visible_alias = "ls", after_help = "Examples:\n  lxc storage list")]
    List {
        /// The server
        #[arg(value_name = "REMOTE:")]
        remote: Option<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Set keys
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage set my-lvm volume.size 5GB\n  lxc storage set my-lvm volume.size=5GB volume.block.filesystem=xfs\n  lxc storage set my-btrfs size 40GB           (a loop file grows)"
    )]
    Set {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// KEY=VALUE pairs, or one KEY and VALUE; the value - is read from standard input
        #[arg(required = true, allow_hyphen_values = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
    /// Show the configuration of a pool
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc storage show default")]
    Show {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// Show used and total space instead
        #[arg(long)]
        resources: bool,
        #[command(flatten)]
        format: ShowFormatArg,
    },
    /// Remove a key
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage unset my-lvm volume.size"
    )]
    Unset {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// The key
        key: String,
    },
    /// Manage volumes
    #[command(subcommand, arg_required_else_help = true)]
    Volume(VolumeCommand),
}

// Arguments of `storage create`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "\
Drivers: dir, btrfs, lvm, zfs and ceph. Without a source, btrfs, lvm and zfs live in a file that is made
for them (size=30GB says how large), and dir in the daemon's own directory.

Examples:
  lxc storage create more dir
  lxc storage create disk2 dir source=/mnt/disk2
  lxc storage create my-btrfs btrfs source=/dev/sdb
  lxc storage create my-loop btrfs size=30GB
  lxc storage create my-zfs zfs source=tank/lxd
  lxc storage create my-lvm lvm source=/dev/sdc lvm.vg_name=containers volume.size=5GB
  lxc storage create my-osd ceph ceph.user.name=my-user ceph.cluster_name=my-cluster"
)]
pub(crate) struct StorageCreateArgs {
    /// Its name
    #[arg(value_name = "[REMOTE:]POOL")]
    pub(crate) pool: String,
    /// What it is made of
    #[arg(value_name = "DRIVER")]
    pub(crate) driver: String,
    /// Its configuration
    #[arg(value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
}
