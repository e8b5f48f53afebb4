//! Arguments of the commands about containers as a whole.

use super::{FormatArg, InfoFormatArg};
use clap::{Args, ValueEnum};

// Arguments of `init` and `launch`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc launch debian/12 first\n  lxc launch debian/12 first -c limits.memory=512MB -p default -p web\n  lxc launch debian/12 first -s fast -d root,size=20GB\n  lxc init 75182b1241be second --ephemeral\n  lxc launch debian/12            (the server invents a name)"
)]
pub(crate) struct CreateArgs {
    /// Alias or fingerprint of the image
    #[arg(value_name = "[REMOTE:]IMAGE")]
    pub(crate) image: String,
    /// Name of the new container
    #[arg(value_name = "[REMOTE:][NAME]")]
    pub(crate) name: Option<String>,
    /// Configuration of the new container
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Profile to apply instead of "default"
    #[arg(short, long, value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// Apply no profile at all
    #[arg(long, conflicts_with = "profile")]
    pub(crate) no_profiles: bool,
    /// Delete the container when it stops
    #[arg(short, long)]
    pub(crate) ephemeral: bool,
    /// Property of a device, also of one that comes from a profile
    #[arg(short, long, value_name = "NAME,KEY=VALUE")]
    pub(crate) device: Vec<String>,
    /// Network to connect eth0 to
    #[arg(short, long, value_name = "NETWORK")]
    pub(crate) network: Option<String>,
    /// Storage pool to put it in
    #[arg(short, long, value_name = "POOL")]
    pub(crate) storage: Option<String>,
    /// Size of the container, such as t2.micro or c2-m4
    #[arg(short = 't', long = "type", value_name = "TYPE")]
    pub(crate) kind: Option<String>,
}

// Arguments of `list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Filters (all must match):
  web                      name matches the expression ^web$, or begins with web
  '.*web.*'                name matches the expression
  security.privileged=true configuration key, from the profiles too, matches
  s.privileged=true        parts of a key may be shortened
  status=running           shorthands: status, type, architecture

Columns:
  4 IPv4 addresses   6 IPv6 addresses  a architecture  b storage pool
  c creation date    d description     l last used     n name
  N processes        p process id      P profiles      s state
  S snapshots        D space used      m memory used   L location
  t persistent or ephemeral
  key[:HEADER[:width]]  any configuration key with a dot in it; width -1 is
                        unlimited, 0 is that of the header

Examples:
  lxc list
  lxc list --fast web
  lxc list -c ns4,volatile.eth0.hwaddr:MAC
  lxc list status=running --format csv")]
pub(crate) struct ListArgs {
    /// Server, and which containers
    #[arg(value_name = "[REMOTE:] FILTER")]
    pub(crate) filters: Vec<String>,
    /// Columns to show [default: ns46tS]
    #[arg(short, long)]
    pub(crate) columns: Option<String>,
    /// Show only what is quick to find out: columns nsacPt
    #[arg(long)]
    pub(crate) fast: bool,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

// Arguments of `info`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  lxc info              (the server)\n  lxc info first\n  lxc info first --show-log\n  lxc info first --format json"
)]
pub(crate) struct InfoArgs {
    /// The container; without it, the server
    #[arg(value_name = "[REMOTE:][CONTAINER]")]
    pub(crate) name: Option<String>,
    /// Show the container's log too
    #[arg(long, conflicts_with = "format")]
    pub(crate) show_log: bool,
    #[command(flatten)]
    pub(crate) format: InfoFormatArg,
}

// Arguments of `start`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc start first\n  lxc start first second foo:third\n  lxc start --all"
)]
pub(crate) struct StartArgs {
    /// The containers
    #[arg(value_name = "[REMOTE:]CONTAINER", required_unless_present = "all")]
    pub(crate) names: Vec<String>,
    /// All containers of the server, or of those that are named (as REMOTE:)
    #[arg(long)]
    pub(crate) all: bool,
    /// Leave a saved state of the processes alone
    #[arg(long)]
    pub(crate) stateless: bool,
}

// Arguments of `pause`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc pause first\n  lxc pause first second foo:third\n  lxc pause --all"
)]
pub(crate) struct PauseArgs {
    /// The containers
    #[arg(value_name = "[REMOTE:]CONTAINER", required_unless_present = "all")]
    pub(crate) names: Vec<String>,
    /// All containers of the server, or of those that are named (as REMOTE:)
    #[arg(long)]
    pub(crate) all: bool,
}

// Arguments of `stop`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc stop first\n  lxc stop first --timeout 30\n  lxc stop first second --force\n  lxc stop --all foo:"
)]
pub(crate) struct StopArgs {
    /// The containers
    #[arg(value_name = "[REMOTE:]CONTAINER", required_unless_present = "all")]
    pub(crate) names: Vec<String>,
    /// All containers of the server, or of those that are named (as REMOTE:)
    #[arg(long)]
    pub(crate) all: bool,
    /// Kill instead of asking
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Seconds to wait for an orderly stop; -1 waits as long as it takes
    #[arg(long, default_value_t = -1, allow_negative_numbers = true, value_name = "SECONDS")]
    pub(crate) timeout: i64,
    /// Save the state of the processes, for the next start
    #[arg(long)]
    pub(crate) stateful: bool,
}

// Arguments of `restart`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc restart first\n  lxc restart first second --timeout 30\n  lxc restart --all --force"
)]
pub(crate) struct RestartArgs {
    /// The containers
    #[arg(value_name = "[REMOTE:]CONTAINER", required_unless_present = "all")]
    pub(crate) names: Vec<String>,
    /// All containers of the server, or of those that are named (as REMOTE:)
    #[arg(long)]
    pub(crate) all: bool,
    /// Kill instead of asking
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Seconds to wait for an orderly stop; -1 waits as long as it takes
    #[arg(long, default_value_t = -1, allow_negative_numbers = true, value_name = "SECONDS")]
    pub(crate) timeout: i64,
}

// Arguments of `delete`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc delete first\n  lxc delete --force first second\n  lxc delete -i first\n  lxc delete first/before-upgrade"
)]
pub(crate) struct DeleteArgs {
    /// The containers or snapshots
    #[arg(required = true, value_name = "[REMOTE:]CONTAINER[/SNAPSHOT]")]
    pub(crate) names: Vec<String>,
    /// Stop what runs, by force, before deleting it
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Ask before each deletion
    #[arg(short, long)]
    pub(crate) interactive: bool,
}

// How a container gets to another server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    Pull,
    Push,
    Relay,
}

// Arguments of `copy`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc copy first second\n  lxc copy first second -c limits.cpu=2 --ephemeral\n  lxc copy first second --instance-only     (without its snapshots)\n  lxc copy first/before-upgrade third\n  lxc copy first second --storage fast      (in another pool)\n  lxc copy first lab:second                 (to another server)\n  lxc copy lab:first first --refresh        (an earlier copy)"
)]
pub(crate) struct CopyArgs {
    /// The container or snapshot to copy
    #[arg(value_name = "[REMOTE:]SOURCE[/SNAPSHOT]")]
    pub(crate) source: String,
    /// Name of the copy
    #[arg(value_name = "[REMOTE:][NAME]")]
    pub(crate) target: Option<String>,
    /// Configuration of the copy
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Profile to apply besides those of the source
    #[arg(short, long, value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// Apply no profile at all
    #[arg(long, conflicts_with = "profile")]
    pub(crate) no_profiles: bool,
    /// Delete the copy when it stops
    #[arg(short, long)]
    pub(crate) ephemeral: bool,
    /// Leave the snapshots behind
    #[arg(long, visible_alias = "instance-only")]
    pub(crate) container_only: bool,
    /// How it gets there: the target fetches it (pull), the source sends it (push), or its bytes pass
    /// through this program (relay) [default: what the servers can, in this order]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Leave the processes of a running container behind
    #[arg(long)]
    pub(crate) stateless: bool,
    /// Property of a device of the copy
    #[arg(short, long, value_name = "NAME,KEY=VALUE")]
    pub(crate) device: Vec<String>,
    /// Storage pool to put it in
    #[arg(short, long, value_name = "POOL")]
    pub(crate) storage: Option<String>,
    /// Bring an earlier copy up to date
    #[arg(long)]
    pub(crate) refresh: bool,
}

// Arguments of `move`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc move first second\n  lxc move first/snap0 first/before-upgrade\n  lxc move first --storage fast             (to another pool)\n  lxc move lab:first local:                 (to another server)"
)]
pub(crate) struct MoveArgs {
    /// The container or snapshot to move
    #[arg(value_name = "[REMOTE:]CONTAINER[/SNAPSHOT]")]
    pub(crate) source: String,
    /// Where to; it keeps its name where only --storage is given
    #[arg(value_name = "[REMOTE:][NAME][/SNAPSHOT]", required_unless_present = "storage")]
    pub(crate) target: Option<String>,
    /// Configuration on the other server
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) config: Vec<String>,
    /// Profile to apply on the other server besides those it has
    #[arg(short, long, value_name = "PROFILE")]
    pub(crate) profile: Vec<String>,
    /// Apply no profile at all on the other server
    #[arg(long, conflicts_with = "profile")]
    pub(crate) no_profiles: bool,
    /// Leave the snapshots behind; they are lost
    #[arg(long, visible_alias = "instance-only")]
    pub(crate) container_only: bool,
    /// How it gets there: the target fetches it (pull), the source sends it (push), or its bytes pass
    /// through this program (relay) [default: what the servers can, in this order]
    #[arg(long, value_enum)]
    pub(crate) mode: Option<Mode>,
    /// Leave the processes of a running container behind
    #[arg(long)]
    pub(crate) stateless: bool,
    /// Property of a device of the container
    #[arg(short, long, value_name = "NAME,KEY=VALUE")]
    pub(crate) device: Vec<String>,
    /// Storage pool to put it in
    #[arg(short, long, value_name = "POOL")]
    pub(crate) storage: Option<String>,
}

// Arguments of `rename`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc rename first second\n  lxc rename first/snap0 first/before-upgrade"
)]
pub(crate) struct RenameArgs {
    /// The container or snapshot to rename
    #[arg(value_name = "[REMOTE:]CONTAINER[/SNAPSHOT]")]
    pub(crate) source: String,
    /// Its new name
    #[arg(value_name = "NAME[/SNAPSHOT]")]
    pub(crate) target: String,
}

// Arguments of `snapshot`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc snapshot first                    (called snap0, snap1 and so on)\n  lxc snapshot first before-upgrade\n  lxc snapshot first nightly --reuse"
)]
pub(crate) struct SnapshotArgs {
    /// The container
    #[arg(value_name = "[REMOTE:]CONTAINER")]
    pub(crate) container: String,
    /// Name of the snapshot
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) name: Option<String>,
    /// Keep it until it is deleted, whatever snapshots.expiry says
    #[arg(long)]
    pub(crate) no_expiry: bool,
    /// Take the place of a snapshot of this name
    #[arg(long, requires = "name")]
    pub(crate) reuse: bool,
    /// Keep the state of the processes too
    // Who asks for what a server refuses must not lose the snapshot that is there.
    #[arg(long, conflicts_with = "reuse")]
    pub(crate) stateful: bool,
}

// Arguments of `publish`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc publish first --alias my-image\n  lxc publish first/before-upgrade --alias old os=Debian release=12\n  lxc publish --force first lab: --public --compression \"zstd -19\""
)]
pub(crate) struct PublishArgs {
    /// The container or snapshot
    #[arg(value_name = "[REMOTE:]CONTAINER[/SNAPSHOT]")]
    pub(crate) source: String,
    /// The server that gets the image, and properties of the image
    #[arg(value_name = "[REMOTE:] [KEY=VALUE]")]
    pub(crate) rest: Vec<String>,
    /// Name to give the image; may be repeated
    #[arg(long, value_name = "ALIAS")]
    pub(crate) alias: Vec<String>,
    /// Everybody may read the image
    #[arg(long)]
    pub(crate) public: bool,
    /// Stop a container that runs, and start it again afterwards
    #[arg(short, long)]
    pub(crate) force: bool,
    /// How to compress: none, squashfs, or a program such as "zstd -19"
    #[arg(long, value_name = "ALGORITHM")]
    pub(crate) compression: Option<String>,
    /// When the image should no longer be used, such as 2030-01-31T12:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) expire: Option<String>,
}

// Arguments of `restore`.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true, after_help = "Examples:\n  lxc restore first before-upgrade")]
pub(crate) struct RestoreArgs {
    /// The container
    #[arg(value_name = "[REMOTE:]CONTAINER")]
    pub(crate) container: String,
    /// The snapshot
    #[arg(value_name = "SNAPSHOT")]
    pub(crate) snapshot: String,
    /// Restore the state of the processes too
    #[arg(long)]
    pub(crate) stateful: bool,
}
