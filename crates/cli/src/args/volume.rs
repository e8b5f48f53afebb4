//! Arguments of `storage volume`.
//!
//! A volume is one of those that people make (custom volumes) unless its kind stands before it:
//! `container/c1`, `image/75182b1241be`, `custom/data`.

use super::{FormatArg, InfoFormatArg, Mode, ShowFormatArg};
use clap::{Args, Subcommand};

// `storage volume` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum VolumeCommand {
    /// Attach a volume to a container
    #[command(
        arg_required_else_help = true,
        after_help = "The name of the device is that of the volume unless another one is given.\n\nExamples:\n  lxc storage volume attach my-btrfs my-custom-volume xen1 data /opt/my/data\n  lxc storage volume attach my-btrfs my-custom-volume xen1 /opt/my/data"
    )]
    Attach(AttachArgs),
    /// Attach a volume to all containers of a profile
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume attach-profile my-btrfs my-custom-volume web data /opt/my/data"
    )]
    AttachProfile(AttachArgs),
    /// Copy a volume or a snapshot of one
    #[command(visible_alias = "cp")]
    Copy(VolumeCopyArgs),
    /// Create a volume
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume create my-btrfs my-custom-volume\n  lxc storage volume create my-lvm data size=20GB block.filesystem=xfs"
    )]
    Create {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// Name of the volume
        volume: String,
        /// Its configuration
        #[arg(value_name = "KEY=VALUE")]
        config: Vec<String>,
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// What it is: there are file systems only
        #[arg(long = "type", value_name = "TYPE", default_value = "filesystem", hide_default_value = true)]
        content_type: String,
    },
    /// Delete volumes and snapshots of volumes
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume delete my-btrfs my-custom-volume\n  lxc storage volume delete my-btrfs my-custom-volume/snap0"
    )]
    Delete {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// The volumes
        #[arg(required = true, value_name = "VOLUME[/SNAPSHOT]")]
        volumes: Vec<String>,
    },
    /// Detach a volume from a container
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume detach my-btrfs my-custom-volume xen1\n  lxc storage volume detach my-btrfs my-custom-volume xen1 data"
    )]
    Detach(DetachArgs),
    /// Detach a volume from all containers of a profile
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume detach-profile my-btrfs my-custom-volume web"
    )]
    DetachProfile(DetachArgs),
    /// Edit the configuration of a volume as YAML
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume edit my-lvm data\n  lxc storage volume edit my-lvm data < volume.yaml\n  lxc storage volume edit my-lvm data/snap0     (description and expiry)"
    )]
    Edit {
        #[command(flatten)]
        which: WhichVolume,
    },
    /// Print the value of a key
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume get my-lvm data size\n  lxc storage volume get my-lvm container/c1 block.filesystem"
    )]
    Get {
        #[command(flatten)]
        which: WhichVolume,
        /// The key
        key: String,
    },
    /// Show how full a volume is, and its snapshots
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume info my-btrfs my-custom-volume\n  lxc storage volume info default container/c1 --format json"
    )]
    Info {
        #[command(flatten)]
        which: WhichVolume,
        /// Sizes in bytes
        #[arg(long)]
        bytes: bool,
        #[command(flatten)]
        format: InfoFormatArg,
    },
    /// List volumes
    #[command(visible_alias = "ls")]
    List(VolumeListArgs),
    /// Move a volume to another pool, or rename it
    #[command(visible_alias = "mv")]
    Move(VolumeMoveArgs),
    /// Rename a volume or a snapshot of one
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume rename my-btrfs data old-data\n  lxc storage volume rename my-btrfs data/snap0 data/before-upgrade"
    )]
    Rename {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// The volume
        #[arg(value_name = "VOLUME[/SNAPSHOT]")]
        volume: String,
        /// Its new name
        #[arg(value_name = "NAME[/SNAPSHOT]")]
        new_name: String,
    },
    /// Make a volume what one of its snapshots is
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume restore my-btrfs data before-upgrade"
    )]
    Restore {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// The volume
        volume: String,
        /// The snapshot
        snapshot: String,
    },
    /// Set keys
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume set my-lvm data size 40GB\n  lxc storage volume set my-lvm data size=40GB security.shifted=true"
    )]
    Set {
        #[command(flatten)]
        which: WhichVolume,
        /// KEY=VALUE pairs, or one KEY and VALUE; the value - is read from standard input
        #[arg(required = true, allow_hyphen_values = true, value_name = "KEY=VALUE")]
        pairs: Vec<String>,
    },
    /// Show the configuration of a volume
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume show my-btrfs my-custom-volume\n  lxc storage volume show my-btrfs my-custom-volume/snap0\n  lxc storage volume show default container/c1\n  lxc storage volume show default image/75182b1241be"
    )]
    Show {
        #[command(flatten)]
        which: WhichVolume,
        #[command(flatten)]
        format: ShowFormatArg,
    },
    /// Take a snapshot of a volume
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume snapshot my-btrfs data                  (called snap0, snap1 and so on)\n  lxc storage volume snapshot my-btrfs data before-upgrade\n  lxc storage volume snapshot my-btrfs data nightly --reuse"
    )]
    Snapshot {
        /// The pool
        #[arg(value_name = "[REMOTE:]POOL")]
        pool: String,
        /// The volume
        volume: String,
        /// Name of the snapshot
        #[arg(value_name = "SNAPSHOT")]
        name: Option<String>,
        /// Keep it until it is deleted, whatever snapshots.expiry says
        #[arg(long)]
        no_expiry: bool,
        /// Take the place of a snapshot of this name
        #[arg(long, requires = "name")]
        reuse: bool,
    },
    /// Remove a key
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc storage volume unset my-lvm data size"
    )]
    Unset {
        #[command(flatten)]
        which: WhichVolume,
        /// The key
        key: String,
    },
}

// Which volume.
#[derive(Debug, Args)]
pub(crate) struct WhichVolume {
    /// The pool
    #[arg(value_name = "[REMOTE:]POOL")]
    pub(crate) pool: String,
    /// The volume; a container's, an image's, or one of your own
    #[arg(value_name = "[TYPE/]VOLUME[/SNAPSHOT]")]
    pub(crate) volume: String,
}

// Arguments of `storage volume attach` and `attach-profile`.
#[derive(Debug, Args)]
pub(crate) struct AttachArgs {
    /// The pool
    #[arg(value_name = "[REMOTE:]POOL")]
    pub(crate) pool: String,
    /// The volume
    pub(crate) volume: String,
    /// The container or profile
    #[arg(value_name = "NAME")]
    pub(crate) holder: String,
    /// The device's name, if it is another one than the volume's, and where it is to be seen inside
    #[arg(required = true, num_args = 1..=2, value_name = "[DEVICE] PATH")]
    pub(crate) device_and_path: Vec<String>,
}

// Arguments of `storage volume detach` and `detach-profile`.
#[derive(Debug, Args)]
pub(crate) struct DetachArgs {
    /// The pool
    #[arg(value_name = "[REMOTE:]POOL")]
    pub(crate) pool: String,
    /// The volume
    pub(crate) volume: String,
    /// The container or profile
    #[arg(value_name = "NAME")]
    pub(crate) holder: String,
    /// The device's name, where the volume is attached more than once
    pub(crate) device: Option<String>,
}

// Arguments of `storage volume copy`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc storage volume copy my-btrfs/data my-btrfs/data2\n  lxc storage volume copy my-btrfs/data my-zfs/data --volume-only     (without its snapshots)\n  lxc storage volume copy my-btrfs/data/snap0 my-btrfs/old-data"
)]
pub(crate) struct VolumeCopyArgs {
    /// The pool and the volume or snapshot
    #[arg(value_name = "[REMOTE:]POOL/VOLUME[/SNAPSHOT]")]
    pub(crate) source: String,
    /// The pool to put the copy in, and its name
    #[arg(value_name = "[REMOTE:]POOL/VOLUME")]
    pub(crate) target: String,
    /// Leave the snapshots behind
    #[arg(long)]
    pub(crate) volume_only: bool,
    /// Bring an earlier copy up to date
    #[arg(long)]
    pub(crate) refresh: bool,
    /// Accepted for scripts; a copy on one server has no use for it
    #[arg(long, value_enum, hide = true)]
    pub(crate) mode: Option<Mode>,
}

// Arguments of `storage volume move`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Nobody may use the volume meanwhile.\n\nExamples:\n  lxc storage volume move my-btrfs/data my-zfs/data\n  lxc storage volume move my-btrfs/data my-btrfs/old-data"
)]
pub(crate) struct VolumeMoveArgs {
    /// The pool and the volume
    #[arg(value_name = "[REMOTE:]POOL/VOLUME")]
    pub(crate) source: String,
    /// The pool to move it to, and its name there
    #[arg(value_name = "[REMOTE:]POOL/VOLUME")]
    pub(crate) target: String,
    /// Accepted for scripts; a move on one server has no use for it
    #[arg(long, value_enum, hide = true)]
    pub(crate) mode: Option<Mode>,
}

// Arguments of `storage volume list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Filters (all must match): part of a name; or KEY=VALUE, where KEY is name, type, description or a
configuration key, and VALUE is an expression for all of the value

Columns:
  t type         n name                  d description    u number of users
  U used space   c kind of its content   p pool           L location
  key with a dot in it: any configuration key

Examples:
  lxc storage volume list                    (all pools)
  lxc storage volume list default
  lxc storage volume list type=custom        (all of your own)
  lxc storage volume list default -c nU
  lxc storage volume list default --format json")]
pub(crate) struct VolumeListArgs {
    /// The pool; without it, all pools
    #[arg(value_name = "[REMOTE:][POOL]")]
    pub(crate) pool: Option<String>,
    /// Which volumes
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,
    /// Columns to show [default: tndu]
    #[arg(short, long)]
    pub(crate) columns: Option<String>,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}
