//! Why a verb was refused or failed.

use std::path::PathBuf;

/// What an error means to a client; `daemon` gives each kind its HTTP code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 400: the request cannot be carried out as it is.
    BadRequest,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// 409: the name is taken.
    Conflict,
    /// 412: the object changed since it was read.
    Precondition,
    /// 429: too often.
    TooOften,
    /// 501.
    NotImplemented,
    /// 503: starting or stopping.
    Unavailable,
    /// 500.
    Internal,
}

/// Why a verb was refused or failed.
#[derive(Debug, thiserror::Error)]
#[allow(missing_docs)] // the texts say it
pub enum Error {
    #[error("{what} {name:?} not found")]
    NotFound { what: &'static str, name: String },
    #[error("{what} {name:?} already exists; choose another name or delete it first")]
    Exists { what: &'static str, name: String },
    #[error(
        "The network name {name:?} is taken by a network or an interface of the host; choose another name"
    )]
    NetworkNameTaken { name: String },
    #[error("Cannot move the container between servers")]
    Migration(#[from] migration::Error),
    #[error("The other server did not connect within {} seconds", limit.as_secs())]
    NobodyCame { limit: std::time::Duration },
    #[error("The other server offers a container that cannot be: {why}")]
    BadOffer { why: String },
    #[error("The other server took longer than {} seconds for what changed while {name:?} was sent; stop the container first", limit.as_secs())]
    FrozenTooLong { name: String, limit: std::time::Duration },
    #[error("Can't find a storage pool for the container to use; give its device root a pool that is here")]
    NoPoolHere,
    #[error("The fingerprint {prefix:?} matches more than one image; give more of it")]
    AmbiguousFingerprint { prefix: String },
    #[error("The fingerprint {prefix:?} matches more than one certificate; give more of it")]
    AmbiguousCertificate { prefix: String },
    #[error("Certificate already in trust store")]
    CertificateKnown,
    #[error("The certificate does not hold at present: it has expired or is not valid yet; make a new one")]
    CertificateOutdated,
    #[error("The name of a certificate can have at most 255 bytes and no control characters")]
    CertificateName,
    #[error("not authorized")]
    NotAuthorized,
    #[error("Too many wrong passwords: try again in {seconds} seconds")]
    TooManyGuesses { seconds: u64 },
    #[error("{what} {name:?} is in use by {by}; remove it there first")]
    InUse { what: &'static str, name: String, by: String },

    #[error(transparent)]
    Name(#[from] model::names::NameError),
    #[error(transparent)]
    Config(#[from] model::config::ConfigError),
    #[error(transparent)]
    Device(#[from] model::devices::DeviceError),
    #[error("No {field} given; {hint}")]
    Missing { field: &'static str, hint: &'static str },
    #[error("Unknown {field} {value:?}; allowed: {allowed}")]
    Unknown { field: &'static str, value: String, allowed: &'static str },
    #[error("Duplicate profile found in request: {0:?}")]
    DuplicateProfile(String),
    #[error("{subject} needs {feature}, which this version does not have; {hint}")]
    Unsupported { subject: String, feature: &'static str, hint: &'static str },
    #[error("No storage pool found; make one with \"lxd init\" or \"lxc storage create\"")]
    NoPool,

    #[error("{0}")]
    Refused(model::state::Refusal),
    #[error("The container {name:?} has ended before the program could be run")]
    Gone { name: String },
    #[error(
        "The container {name:?} did not stop within {seconds} seconds; its init does not react, and it goes on running. Wait longer with --timeout, or end it with \"lxc stop --force {name}\""
    )]
    StopTimeout { name: String, seconds: i64 },
    #[error(
        "The container {name:?} did not die within {seconds} seconds after its init was killed; look at the host's log for processes stuck in the kernel"
    )]
    Stuck { name: String, seconds: u64 },
    #[error("The container {name:?} is busy; try again when what it is doing has ended")]
    Busy { name: String },
    #[error("{description} is being given up because the daemon stops", description = "The request")]
    Shutdown,

    #[error("No room on the disk mounted at {} ({free} of {size} MiB are free): make room on it and try again", disk.display())]
    DiskFull { disk: PathBuf, free: u64, size: u64, source: Box<Error> },
    #[error("Cannot write the file {path}")]
    Write { path: String, source: std::io::Error },
    #[error("Failed at {step:?} of {subject:?}")]
    Step { step: &'static str, subject: String, source: Box<Error> },
    #[error("Failed to {doing} {}", path.display())]
    Path { doing: &'static str, path: PathBuf, source: std::io::Error },
    #[error("Failed to {doing}")]
    Io { doing: &'static str, source: std::io::Error },
    #[error("Failed to start the container: {step}: {reason}")]
    Runtime { step: String, reason: String, errno: Option<i32> },
    #[error(transparent)]
    File(#[from] crate::keeper::FileError),
    #[error(
        "Failed to use the container's AppArmor profile; if raw.apparmor is set, see the line that is named"
    )]
    Apparmor(#[source] tools::RunError),
    #[error("raw.lxc names interface {number}, but the container has {count}; they are counted from 0")]
    NoInterface { number: usize, count: usize },
    #[error("The policy for system calls cannot be read: {0}")]
    Policy(model::config::seccomp::PolicyError),
    #[error("Failed to compile the system call filter")]
    Seccomp { source: libseccomp::error::SeccompError },
    #[error(
        "The source {path:?} of the disk {device:?} is missing; create it, or set optional=true on the device"
    )]
    MissingSource { device: String, path: String },
    #[error("Failed to {doing} the device {device:?} of the running container {container:?}")]
    LiveDevice { doing: &'static str, device: String, container: String, source: Box<Error> },
    #[error(
        "The disk {device:?} is recursive, but its source {} is no directory; leave recursive out", path.display()
    )]
    RecursiveFile { device: String, path: PathBuf },
    #[error(
        "The device node {path:?} of the device {device:?} is missing on the host; give major and minor, or set required=false to have it added when it appears"
    )]
    MissingNode { device: String, path: String },
    #[error("{} is no {wanted} device, which the device {device:?} needs", path.display())]
    WrongNode { device: String, path: PathBuf, wanted: &'static str },
    #[error("The host has no {wanted} for the device {device:?}")]
    NoMatch { device: String, wanted: String },
    #[error(
        "The ids of {} cannot be shifted for the disk {device:?}: its file system has no id-mapped mounts; leave shift out (security.shifted of a volume), or use another file system", path.display()
    )]
    CannotShift { device: String, path: PathBuf },
    #[error(
        "The block device {} of the disk {device:?} has no file system that is known; make one, or use a unix-block device", path.display()
    )]
    NoFilesystem { device: String, path: PathBuf },
    #[error("User {uid} or group {gid} of the device {device:?} is no id of the container")]
    UnmappedOwner { device: String, uid: u32, gid: u32 },
    #[error(
        "Device nodes do not work below {}, because its file system is mounted with nodev; mount it without", path.display()
    )]
    NoDev { path: PathBuf },
    #[error("Something else is mounted on {path} inside, over the device {device:?}; unmount it there first")]
    OtherMount { device: String, path: String },
    #[error(transparent)]
    Mount(container::Error),
    #[error(transparent)]
    Tool(tools::RunError),

    #[error(
        "Missing parent '{parent}' for nic '{device}'; create the network or the interface, or give the device another parent"
    )]
    MissingParent { device: String, parent: String },
    #[error("The interface {parent:?} has no virtual functions; use a card with SR-IOV, or nictype=macvlan")]
    NoFunctions { parent: String },
    #[error("All virtual functions of {parent:?} are in use; stop a container that has one")]
    FunctionsInUse { parent: String },

    #[error(transparent)]
    Forward(#[from] crate::forwarder::ForwardError),

    #[error(transparent)]
    Expanded(model::expand::ExpandedError),
    #[error(transparent)]
    Idmap(model::idmap::IdmapError),
    #[error("The container's stored id map cannot be read")]
    StoredIdmap(#[from] model::idmap::IdmapJsonError),
    #[error(transparent)]
    ServerConfig(#[from] model::config::server::ServerConfigError),
    #[error("cannot set '{key}': invalid type {kind}; give the value as a string")]
    ServerValue { key: String, kind: &'static str },
    #[error("Profile is currently in use: {by} uses {name:?}; take it away from there first")]
    ProfileInUse { name: String, by: String },
    #[error("The default profile cannot be renamed or deleted; its content can be changed")]
    DefaultProfile,
    #[error(
        "At least one container relies on this profile's root disk device; {profile:?} has to keep its pool"
    )]
    RootInUse { profile: String },
    #[error(
        "Stateful snapshot restore requested by snapshot is stateless: {name:?} holds files and configuration; restore it without \"stateful\""
    )]
    StatelessSnapshot { name: String },
    #[error("The container {name:?} is protected: set security.protection.delete to false first")]
    Protected { name: String },
    #[error(
        "The storage volume is still in use by containers or profiles: {volume} is used by {by}; detach it there first"
    )]
    VolumeInUse { volume: String, by: String },
    #[error("The storage volume {volume} is in the running containers {by}: {hint}")]
    VolumeRunning { volume: String, by: String, hint: &'static str },
    #[error("The storage volume {volume} is mounted, and cannot be changed like that meanwhile; try again")]
    VolumeBusy { volume: String },
    #[error(
        "Idmaps of container {container} and storage volume {volume} are not identical: the container {other} uses the volume with other ids. Give both containers the same ids (security.idmap.isolated, security.privileged, raw.idmap), or set security.shifted=true on the volume"
    )]
    IdmapsDiffer { container: String, volume: String, other: String },
    #[error("This cannot be done with storage volumes of the type {kind}: {hint}")]
    NotCustom { kind: &'static str, hint: &'static str },
    #[error("The storage pool {pool:?} cannot be used: {reason}")]
    PoolUnavailable { pool: String, reason: String },
    #[error("The image is larger than {limit} bytes")]
    UploadTooLarge { limit: u64 },
    #[error("Failed to load the kernel module {module:?} of linux.kernel_modules")]
    KernelModule { module: String, source: tools::run::RunError },
    #[error("The metadata of an image cannot be like that: {reason}")]
    BadMetadata { reason: String },
    #[error("Template {name:?} already exists; edit it, or choose another name")]
    TemplateExists { name: String },
    #[error("Cannot find out whether mounts can map ids")]
    Probe(#[source] container::Error),
    #[error(transparent)]
    InterfaceName(network::InterfaceNameError),
    #[error(transparent)]
    MacAddress(network::MacError),
    #[error("Failed to apply {key}")]
    Limit { key: String, source: container::cgroup::Error },
    #[error("None of the processors {wanted} is there; use some of {there}, or a number of processors")]
    NoProcessors { wanted: String, there: String },
    #[error("The disk {device:?} can have no limits: Block device doesn't support quotas: {reason}")]
    DiskLimits { device: String, reason: String },
    #[error(
        "The size of the root disk cannot be enforced on the storage pool {pool} ({driver}): its file system keeps no quota for each container (ext4 and XFS do when mounted with prjquota). Leave size out, or use another pool; limits.read and limits.write work"
    )]
    NoQuota { pool: String, driver: &'static str },
    #[error("The container {name} cannot be taken over: {why}")]
    NotRecovered { name: String, why: String },
    #[error("Failed to change the control groups")]
    Cgroup(#[source] container::cgroup::Error),
    #[error(transparent)]
    Store(#[from] store::Error),
    #[error(transparent)]
    Storage(#[from] storage::Error),
    #[error(transparent)]
    Network(#[from] network::Error),
    #[error(transparent)]
    Image(#[from] image::Error),
    #[error(transparent)]
    Keeper(#[from] crate::keeper::Error),

    #[error("Failed to get the image {image:?} from {server}")]
    Fetch { image: String, server: String, source: Box<crate::images::FetchError> },
    #[error(transparent)]
    Shared(std::sync::Arc<Error>),
    #[error("The image {0} came from nowhere that it could be looked for again; import or copy it anew")]
    NoSource(String),
    #[error("The image {image} cannot be looked for again: {why}")]
    OldNews { image: String, why: String },
    #[error("Fingerprint {found} of the upload is not {expected}, which the client expects; send it again")]
    WrongFingerprint { expected: String, found: String },
    #[error("Image with same fingerprint already exists: {0}")]
    ImageExists(String),
    #[error("Invalid multipart image: {0}")]
    UploadOrder(&'static str),
    #[error("The following containers failed to update (profile change still saved):{0}")]
    ProfileFollowers(String),
}

impl Error {
    /// An object that is not there.
    pub(crate) fn not_found(what: &'static str, name: &str) -> Self {
        Self::NotFound { what, name: name.to_owned() }
    }

    /// What it means to a client.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::Exists { .. } | Self::ImageExists(_) => Kind::Conflict,
            Self::Name(_)
            | Self::NoPoolHere
            | Self::NetworkNameTaken { .. }
            | Self::AmbiguousFingerprint { .. }
            | Self::AmbiguousCertificate { .. }
            | Self::CertificateKnown
            | Self::CertificateOutdated
            | Self::CertificateName
            | Self::InUse { .. }
            | Self::Config(_)
            | Self::Device(_)
            | Self::Missing { .. }
            | Self::Unknown { .. }
            | Self::DuplicateProfile(_)
            | Self::NoPool
            | Self::Refused(_)
            | Self::Gone { .. }
            | Self::Busy { .. }
            | Self::WrongFingerprint { .. }
            | Self::UploadOrder(_)
            | Self::UploadTooLarge { .. }
            | Self::Expanded(_)
            | Self::ServerConfig(_)
            | Self::ServerValue { .. }
            | Self::ProfileInUse { .. }
            | Self::DefaultProfile
            | Self::RootInUse { .. }
            | Self::Idmap(_)
            | Self::InterfaceName(_)
            | Self::MacAddress(_)
            | Self::Policy(_)
            | Self::NoInterface { .. }
            | Self::BadMetadata { .. }
            | Self::TemplateExists { .. }
            | Self::MissingSource { .. }
            | Self::Limit { .. }
            | Self::NoProcessors { .. }
            | Self::NoQuota { .. }
            | Self::NotRecovered { .. }
            | Self::DiskLimits { .. }
            | Self::MissingParent { .. }
            | Self::Forward(_)
            | Self::NoFunctions { .. }
            | Self::FunctionsInUse { .. }
            | Self::StatelessSnapshot { .. }
            | Self::Protected { .. }
            | Self::RecursiveFile { .. }
            | Self::MissingNode { .. }
            | Self::WrongNode { .. }
            | Self::NoMatch { .. }
            | Self::CannotShift { .. }
            | Self::NoFilesystem { .. }
            | Self::UnmappedOwner { .. }
            | Self::OtherMount { .. }
            | Self::VolumeInUse { .. }
            | Self::VolumeRunning { .. }
            | Self::VolumeBusy { .. }
            | Self::IdmapsDiffer { .. }
            | Self::NotCustom { .. }
            | Self::Storage(storage::Error::Config(_) | storage::Error::Cannot { .. })
            | Self::Unsupported { .. } => Kind::BadRequest,
            Self::NotAuthorized => Kind::Forbidden,
            Self::TooManyGuesses { .. } => Kind::TooOften,
            Self::NoSource(_) => Kind::BadRequest,
            Self::Shared(error) => error.kind(),
            Self::Shutdown => Kind::Unavailable,
            Self::Step { source, .. } | Self::DiskFull { source, .. } | Self::LiveDevice { source, .. } => {
                source.kind()
            }
            Self::File(error) => match error.errno() {
                Some(errno) if errno == rustix::io::Errno::NOENT.raw_os_error() => Kind::NotFound,
                _ => Kind::Internal,
            },
            Self::Store(error) => match error {
                store::Error::NotFound { .. } => Kind::NotFound,
                store::Error::Conflict { .. } => Kind::Conflict,
                _ => Kind::Internal,
            },
            _ => Kind::Internal,
        }
    }

    /// A server of images is not there or not well, as opposed to having no such image.
    pub(crate) fn is_about_server(&self) -> bool {
        match self {
            Self::Fetch { source, .. } => source.is_about_server(),
            Self::Shared(error) => error.is_about_server(),
            _ => false,
        }
    }

    /// The whole story in one line: this error and its causes.
    #[must_use]
    pub fn story(&self) -> String {
        model::story(self)
    }
}
