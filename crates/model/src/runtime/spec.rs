//! Everything the runtime needs to know to start a container or to run a program in one.

use super::devices::DeviceRule;
use crate::IdMap;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A container to start. Host paths are absolute; paths inside are relative to the root.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ContainerSpec {
    /// Unique within one daemon.
    pub name: String,
    /// Host name inside.
    pub hostname: String,
    /// `None`: privileged, no user namespace.
    pub idmap: Option<IdMap>,
    /// The root file system.
    pub rootfs: Rootfs,
    /// The program that becomes process 1, and its arguments.
    pub init: Vec<String>,
    /// The whole environment of process 1, `KEY=value`.
    pub environment: Vec<String>,
    /// Mounts made after the standard ones, in order.
    #[serde(default)]
    pub mounts: Vec<Mount>,
    /// Device nodes of the host that appear under `/dev`.
    #[serde(default)]
    pub devices: Vec<DeviceNode>,
    /// Paths hidden under an empty file or directory.
    #[serde(default)]
    pub masked: Vec<String>,
    /// Paths made read-only.
    #[serde(default)]
    pub read_only: Vec<String>,
    /// A path below one of these that stays as it is.
    #[serde(default)]
    pub writable: Option<String>,
    /// Capabilities taken away for good, by number (`linux/capability.h`).
    #[serde(default)]
    pub drop_capabilities: Vec<u32>,
    /// Resource limits.
    #[serde(default)]
    pub rlimits: Vec<Rlimit>,
    /// Names below `/proc/sys` (dots or slashes) and what is written there, inside the namespaces.
    #[serde(default)]
    pub sysctls: Vec<(String, String)>,
    /// Control groups.
    pub cgroup: CgroupSpec,
    /// The console.
    pub console: ConsoleSpec,
    /// Interfaces (by their name inside) that are set up before init starts; `lo` always is.
    #[serde(default)]
    pub nics: Vec<String>,
    /// An AppArmor profile to change to at exec.
    #[serde(default)]
    pub apparmor: Option<String>,
    /// True: the start message carries a seccomp program (an array of `sock_filter`) as its
    /// descriptor, loaded last before exec.
    #[serde(default)]
    pub seccomp: bool,
    /// How much of `/sys` can be written; `None`: all of it, without privileges, else interfaces only.
    #[serde(default)]
    pub sys: Option<SysAccess>,
    /// Files of init below `/proc/<pid>` and what is written there with the host's rights.
    #[serde(default)]
    pub proc: Vec<(String, String)>,
    /// `personality(2)`: 32-bit containers on 64-bit hosts.
    #[serde(default)]
    pub personality: Option<u32>,
}

/// The root file system.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rootfs {
    /// The directory on the host.
    pub path: PathBuf,
    /// Ids on disk are the container's own and are mapped by the mount. False: they were shifted.
    pub idmapped: bool,
    /// Mount it read-only.
    #[serde(default)]
    pub read_only: bool,
}

/// Something mounted inside.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Mount {
    /// What.
    pub source: MountSource,
    /// Where, relative to the root.
    pub target: String,
    /// Make the mount point if it is missing.
    #[serde(default)]
    pub create: Option<Create>,
    /// A source that is missing is not an error.
    #[serde(default)]
    pub optional: bool,
    /// Read-only.
    #[serde(default)]
    pub read_only: bool,
}

/// How much of `/sys` a container can write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum SysAccess {
    /// Nothing.
    ReadOnly,
    /// Its interfaces.
    Mixed,
    /// What the kernel lets it.
    Writable,
}

/// What is mounted.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or directory of the host.
    Bind {
        /// On the host.
        path: PathBuf,
        /// With everything mounted below.
        recursive: bool,
        /// Ids are mapped like those of the root file system.
        idmapped: bool,
    },
    /// A file or directory of the host, of which less can be used.
    Restricted {
        /// On the host.
        path: PathBuf,
        /// With everything mounted below.
        recursive: bool,
        /// Set-user-id bits and file capabilities count for nothing.
        no_suid: bool,
        /// Device nodes cannot be opened.
        no_dev: bool,
        /// Nothing can be executed.
        no_exec: bool,
    },
    /// A new file system.
    Filesystem {
        /// `tmpfs`, `mqueue`, `proc`, `sysfs`, …
        kind: String,
        /// Options as for `mount -o`.
        options: String,
    },
    /// A mount that is attached nowhere yet: the next descriptor of the request.
    Given {
        /// As for `Bind`.
        idmapped: bool,
    },
}

/// What to make where something is mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Create {
    /// An empty file.
    File,
    /// A directory, with its parents.
    Dir,
}

/// A device node of the host, bound into the container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct DeviceNode {
    /// On the host, such as `/dev/fuse`.
    pub source: PathBuf,
    /// Inside, relative to the root, such as `dev/fuse`.
    pub target: String,
    /// A source that is missing is not an error.
    pub optional: bool,
}

/// A resource limit, `setrlimit(2)`. `None` is "unlimited".
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Rlimit {
    /// `nofile`, `nproc`, …
    pub name: String,
    /// What is enforced.
    pub soft: Option<u64>,
    /// How far the soft limit can be raised.
    pub hard: Option<u64>,
}

/// Where the container lives in the trees of control groups.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CgroupSpec {
    /// Relative to the root of each hierarchy: `lxd-1a2b3c4d/web`.
    pub path: String,
    /// Settings for version 1 hierarchies; a missing controller skips its lines.
    #[serde(default)]
    pub v1: Vec<CgroupSetting>,
    /// Settings for version 2.
    #[serde(default)]
    pub v2: Vec<CgroupSetting>,
    /// The devices that may be used, everything else is denied; `None`: no restriction.
    #[serde(default)]
    pub devices: Option<Vec<DeviceRule>>,
}

/// One file of a control group and what is written to it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CgroupSetting {
    /// `memory`, `pids`, …
    pub controller: String,
    /// `memory.max`, …
    pub file: String,
    /// What is written.
    pub value: String,
}

/// The console: a terminal that init has as its standard streams and `/dev/console`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ConsoleSpec {
    /// Where what the container prints is kept as well, on the host.
    pub log: PathBuf,
    /// How much of it is kept, in bytes, in memory and in the file.
    pub keep: usize,
}

/// A program to run inside a running container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExecSpec {
    /// The program, looked up in the `PATH` of `environment`, and its arguments.
    pub command: Vec<String>,
    /// The whole environment, `KEY=value`.
    pub environment: Vec<String>,
    /// Working directory inside; when it cannot be entered, `/`, unless `require_cwd`.
    pub cwd: String,
    /// Fail when the working directory cannot be entered.
    #[serde(default)]
    pub require_cwd: bool,
    /// User id inside.
    pub uid: u32,
    /// Group id inside.
    pub gid: u32,
    /// The three descriptors are one terminal: new session, controlling terminal.
    pub terminal: bool,
    /// As for [`ContainerSpec::drop_capabilities`].
    #[serde(default)]
    pub drop_capabilities: Vec<u32>,
    /// Resource limits, set with the host's rights before it becomes the container's.
    #[serde(default)]
    pub rlimits: Vec<Rlimit>,
    /// The message carries, after the three streams, a seccomp program.
    #[serde(default)]
    pub seccomp: bool,
    /// The last descriptor is the read end of a pipe. Everything is made ready, and the program is
    /// executed when there is a byte to read; at the pipe's end it never is.
    #[serde(default)]
    pub held: bool,
}
