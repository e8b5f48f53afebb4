//! Arguments of `image`.

use super::{FormatArg, InfoFormatArg, ShowFormatArg};
use clap::{Args, Subcommand};

// `image` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ImageCommand {
    /// Manage names of images
    #[command(subcommand, arg_required_else_help = true)]
    Alias(ImageAliasCommand),
    /// Copy an image from one server to another
    #[command(visible_alias = "cp")]
    Copy(ImageCopyArgs),
    /// Delete images
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc image delete debian/12\n  lxc image delete 75182b1241be"
    )]
    Delete {
        /// The images
        #[arg(required = true, value_name = "[REMOTE:]IMAGE")]
        images: Vec<String>,
    },
    /// Edit the properties of an image as YAML
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc image edit debian/12")]
    Edit {
        /// The image
        #[arg(value_name = "[REMOTE:]IMAGE")]
        image: String,
    },
    /// Write an image to files
    Export(ImageExportArgs),
    /// Print a property of an image
    #[command(
        name = "get-property",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc image get-property debian/12 release"
    )]
    GetProperty {
        /// The image
        #[arg(value_name = "[REMOTE:]IMAGE")]
        image: String,
        /// The property
        key: String,
    },
    /// Bring an image into the store
    Import(ImageImportArgs),
    /// Show what is known about an image
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc image info debian/12")]
    Info {
        /// The image
        #[arg(value_name = "[REMOTE:]IMAGE")]
        image: String,
        #[command(flatten)]
        format: InfoFormatArg,
    },
    /// List images
    #[command(visible_alias = "ls")]
    List(ImageListArgs),
    /// Look for newer versions of images where they came from
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc image refresh debian/12")]
    Refresh {
        /// The images
        #[arg(required = true, value_name = "[REMOTE:]IMAGE")]
        images: Vec<String>,
    },
    /// Set a property of an image
    #[command(
        name = "set-property",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc image set-property debian/12 description 'For the web servers'"
    )]
    SetProperty {
        /// The image
        #[arg(value_name = "[REMOTE:]IMAGE")]
        image: String,
        /// The property
        key: String,
        /// Its value
        value: String,
    },
    /// Show the properties of an image as YAML
    #[command(arg_required_else_help = true, after_help = "Examples:\n  lxc image show debian/12")]
    Show {
        /// The image
        #[arg(value_name = "[REMOTE:]IMAGE")]
        image: String,
        #[command(flatten)]
        format: ShowFormatArg,
    },
    /// Remove a property of an image
    #[command(
        name = "unset-property",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc image unset-property debian/12 label"
    )]
    UnsetProperty {
        /// The image
        #[arg(value_name = "[REMOTE:]IMAGE")]
        image: String,
        /// The property
        key: String,
    },
}

// Arguments of `image copy`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc image copy ubuntu:14.04 local:\n  lxc image copy ubuntu:12.04 local: --alias old-ubuntu\n  lxc image copy ubuntu:15.10 local: --copy-aliases --auto-update\n  lxc image copy lab:debian/12 farm: --mode push\n  lxc image copy lab:debian/12 farm: --mode relay"
)]
pub(crate) struct ImageCopyArgs {
    /// The image
    #[arg(value_name = "[REMOTE:]IMAGE")]
    pub(crate) image: String,
    /// The server to copy it to
    #[arg(value_name = "REMOTE:")]
    pub(crate) target: String,
    /// Name to give the copy
    #[arg(long)]
    pub(crate) alias: Vec<String>,
    /// Give the copy the names that the image has
    #[arg(long)]
    pub(crate) copy_aliases: bool,
    /// Keep the copy up to date with what it was copied from
    #[arg(long)]
    pub(crate) auto_update: bool,
    /// Everybody may read the copy
    #[arg(long)]
    pub(crate) public: bool,
    /// Who carries it: pull (the target fetches it), push (the source sends it) or relay (through this client)
    #[arg(long, value_enum, default_value = "pull")]
    pub(crate) mode: ImageMode,
}

// Who carries an image from one server to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ImageMode {
    /// The target fetches it from the source
    Pull,
    /// The source sends it to the target
    Push,
    /// It passes through this client, in one stream
    Relay,
}

// Arguments of `image export`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "With --simplestreams, any web server that serves the directory is an image server. Images are added \
and brought up to date; nothing is removed without --prune. A server stands for all of its public images.\n\n\
Examples:\n  lxc image export debian/12 .\n  lxc image export debian/12 /backup/debian\n  lxc image export debian/12 - > debian.tar.gz\n  lxc image export --simplestreams /srv/www debian/12 web\n  lxc image export --simplestreams /srv/www local:"
)]
pub(crate) struct ImageExportArgs {
    /// The image, then a directory, a file name, or - for standard output; with --simplestreams, images and servers
    #[arg(value_name = "[REMOTE:]IMAGE [TARGET]")]
    pub(crate) args: Vec<String>,
    /// Make the directory an image server, or bring it up to date
    #[arg(long, value_name = "DIRECTORY")]
    pub(crate) simplestreams: Option<std::path::PathBuf>,
    /// Remove all other images from the directory
    #[arg(long, requires = "simplestreams")]
    pub(crate) prune: bool,
}

// Arguments of `image import`.
#[derive(Debug, Args)]
#[command(
    arg_required_else_help = true,
    after_help = "Examples:\n  lxc image import debian.tar.xz --alias debian/12\n  lxc image import meta.tar.xz root.squashfs --alias debian/12 os=debian\n  lxc image import https://example.org/image --alias busybox"
)]
pub(crate) struct ImageImportArgs {
    /// Tarball, directory or https URL; then the root file system of a split image, a server, and properties
    #[arg(required = true, value_name = "SOURCE [ROOTFS] [REMOTE:] [KEY=VALUE]")]
    pub(crate) args: Vec<String>,
    /// Everybody may read it
    #[arg(long)]
    pub(crate) public: bool,
    /// Name to give it
    #[arg(long)]
    pub(crate) alias: Vec<String>,
}

// Arguments of `image list`.
#[derive(Debug, Args)]
#[command(after_help = "\
Filters (all must match): part of an alias or fingerprint; or KEY=VALUE, where KEY is a property or the
beginning of one, or architecture, auto_update, cached, fingerprint, public or type; and VALUE is an
expression for all of the value

Columns:
  l shortest alias   L all aliases   f fingerprint   F whole fingerprint
  p public           d description   a architecture  s size
  t type             u upload date

Examples:
  lxc image list
  lxc image list amd64
  lxc image list os=ubuntu -c lfd
  lxc image list architecture=x86_64 cached=true")]
pub(crate) struct ImageListArgs {
    /// Server, and which images
    #[arg(value_name = "[REMOTE:] FILTER")]
    pub(crate) filters: Vec<String>,
    /// Columns to show
    #[arg(short, long, default_value = "lfpdasu")]
    pub(crate) columns: String,
    #[command(flatten)]
    pub(crate) format: FormatArg,
}

// `image alias` commands.
#[derive(Debug, Subcommand)]
#[command(defer = true)]
pub(crate) enum ImageAliasCommand {
    /// Give an image a name
    #[command(
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc image alias create debian 75182b1241be"
    )]
    Create {
        /// The name
        #[arg(value_name = "[REMOTE:]ALIAS")]
        alias: String,
        /// The image
        fingerprint: String,
        /// What the name means
        #[arg(long, default_value = "", hide_default_value = true)]
        description: String,
    },
    /// Delete names
    #[command(
        visible_alias = "rm",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc image alias delete debian"
    )]
    Delete {
        /// The names
        #[arg(required = true, value_name = "[REMOTE:]ALIAS")]
        aliases: Vec<String>,
    },
    /// List names
    #[command(visible_alias = "ls", after_help = "Examples:\n  lxc image alias list")]
    List {
        /// Server, and part of a name or fingerprint
        #[arg(value_name = "[REMOTE:] FILTER")]
        filters: Vec<String>,
        #[command(flatten)]
        format: FormatArg,
    },
    /// Change a name
    #[command(
        visible_alias = "mv",
        arg_required_else_help = true,
        after_help = "Examples:\n  lxc image alias rename debian debian/12"
    )]
    Rename {
        /// The name
        #[arg(value_name = "[REMOTE:]ALIAS")]
        alias: String,
        /// The new name
        #[arg(value_name = "NEW-NAME")]
        new_name: String,
    },
}
