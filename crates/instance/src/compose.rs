//! What a container gets: a pure function from what is known about it to the specification that
//! the keeper starts. No root rights, no files: what a start would do is tested here.

use crate::limits::{Setting, Settings};
use model::IdMap;
use model::runtime::devices::{DeviceRule, NodeKind};
use model::runtime::spec::{
    CgroupSpec, ConsoleSpec, ContainerSpec, Create, DeviceNode, Mount, MountSource, Rlimit, Rootfs,
};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// How much of what a console prints is kept, in bytes.
const CONSOLE_KEEP: usize = 128 * 1024;

/// What is known about a container that is about to start.
pub(crate) struct Facts {
    pub(crate) name: String,
    /// `None`: privileged.
    pub(crate) idmap: Option<IdMap>,
    pub(crate) nesting: bool,
    /// Values of `environment.*`.
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) rootfs: PathBuf,
    /// Ids on disk are the container's own.
    pub(crate) idmapped: bool,
    pub(crate) rootfs_read_only: bool,
    /// The directory that becomes `/dev/lxd`.
    pub(crate) devlxd: PathBuf,
    /// What its devices mount inside.
    pub(crate) mounts: Vec<Mount>,
    /// Devices that it may use; `None`: no restriction.
    pub(crate) devices: Option<Vec<DeviceRule>>,
    /// Names of the interfaces inside.
    pub(crate) nics: Vec<String>,
    /// First part of the path of control groups.
    pub(crate) cgroup_base: String,
    /// What its control groups are limited to.
    pub(crate) limits: Settings,
    /// What each of its processes is limited to.
    pub(crate) rlimits: Vec<Rlimit>,
    pub(crate) console_log: PathBuf,
    pub(crate) seccomp: bool,
    /// `personality(2)` of the container's architecture, if it differs from the host's.
    pub(crate) personality: Option<u32>,
}

/// Read-only in privileged containers, whose root is the host's for the kernel: with these files it
/// would change the host or run programs there.
pub(crate) const READ_ONLY: [&str; 9] = [
    "proc/bus",
    "proc/irq",
    "proc/sys",
    "proc/sysrq-trigger",
    "sys/bus",
    "sys/firmware",
    "sys/kernel",
    "sys/module",
    "sys/power",
];

/// What stays writable below these: its own network.
pub(crate) const WRITABLE: &str = "proc/sys/net";

/// Hidden in unprivileged containers: what these files say concerns the host. With nesting they
/// stay, because a container in which parts of /proc are hidden may not mount another.
const MASKED: &[&str] = &["proc/kcore", "proc/keys", "proc/timer_list", "proc/sched_debug", "sys/firmware"];

/// Where the host's own trees appear when the host has them.
const HOST_TREES: &[&str] = &[
    "proc/sys/fs/binfmt_misc",
    "sys/fs/fuse/connections",
    "sys/fs/pstore",
    "sys/kernel/debug",
    "sys/kernel/security",
];

/// `CAP_SYS_MODULE`, `CAP_SYS_RAWIO`, `CAP_SYS_TIME`, `CAP_MAC_OVERRIDE`, `CAP_MAC_ADMIN`: with
/// these, root without a user namespace is root of the host.
const PRIVILEGED_DROPPED: &[u32] = &[16, 17, 25, 32, 33];

/// null, zero, full, random, urandom; tty, console, ptmx; fuse, tun.
const USUAL_DEVICES: [(u32, u32); 10] =
    [(1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (10, 229), (10, 200)];

/// The capabilities that a container's programs never get.
pub(crate) fn dropped_capabilities(privileged: bool) -> Vec<u32> {
    if privileged { PRIVILEGED_DROPPED.to_vec() } else { Vec::new() }
}

/// A resource limit, as the runtime takes it.
pub(crate) fn rlimit(limit: &model::config::Rlimit) -> Rlimit {
    Rlimit { name: limit.name.clone(), soft: limit.soft, hard: limit.hard }
}

/// The specification of a container.
pub(crate) fn compose(facts: Facts) -> ContainerSpec {
    let privileged = facts.idmap.is_none();
    let files = |settings: Vec<Setting>| settings.into_iter().map(|setting| setting.file);
    let mut environment = vec!["container=lxc".to_owned()];
    environment.extend(facts.environment.iter().map(|(key, value)| format!("{key}={value}")));
    ContainerSpec {
        hostname: facts.name.clone(),
        rootfs: Rootfs { path: facts.rootfs, idmapped: facts.idmapped, read_only: facts.rootfs_read_only },
        init: vec!["/sbin/init".to_owned()],
        environment,
        mounts: mounts(facts.nesting, privileged, facts.devlxd, facts.mounts),
        devices: devices(),
        masked: if facts.nesting { Vec::new() } else { MASKED.iter().map(ToString::to_string).collect() },
        read_only: if privileged && !facts.nesting {
            READ_ONLY.map(String::from).to_vec()
        } else {
            Vec::new()
        },
        writable: (privileged && !facts.nesting).then(|| WRITABLE.to_owned()),
        drop_capabilities: dropped_capabilities(privileged),
        rlimits: facts.rlimits,
        sysctls: Vec::new(),
        cgroup: CgroupSpec {
            path: format!("{}/{}", facts.cgroup_base, facts.name),
            v1: files(facts.limits.v1).collect(),
            v2: files(facts.limits.v2).collect(),
            devices: facts.devices,
        },
        console: ConsoleSpec { log: facts.console_log, keep: CONSOLE_KEEP },
        nics: facts.nics,
        apparmor: None,
        seccomp: facts.seccomp,
        sys: None,
        proc: Vec::new(),
        personality: facts.personality,
        idmap: facts.idmap,
        name: facts.name,
    }
}

fn mounts(nesting: bool, privileged: bool, devlxd: PathBuf, devices: Vec<Mount>) -> Vec<Mount> {
    let mut mounts: Vec<Mount> = HOST_TREES
        .iter()
        // A privileged container's root could change what it finds there.
        .filter(|_| !privileged)
        .map(|tree| Mount {
            source: MountSource::Bind {
                path: PathBuf::from(format!("/{tree}")),
                recursive: true,
                idmapped: false,
            },
            target: (*tree).to_owned(),
            create: None,
            optional: true,
            read_only: false,
        })
        .collect();
    if nesting {
        for (kind, target) in [("proc", "dev/.lxc/proc"), ("sysfs", "dev/.lxc/sys")] {
            mounts.push(Mount {
                source: MountSource::Filesystem { kind: kind.to_owned(), options: String::new() },
                target: target.to_owned(),
                create: Some(Create::Dir),
                optional: true,
                read_only: false,
            });
        }
    }
    // Read-only, so that even a privileged container cannot put another socket in its place.
    mounts.push(Mount {
        source: MountSource::Bind { path: devlxd, recursive: false, idmapped: false },
        target: "dev/lxd".to_owned(),
        create: Some(Create::Dir),
        optional: false,
        read_only: true,
    });
    mounts.extend(devices);
    mounts
}

fn devices() -> Vec<DeviceNode> {
    ["dev/fuse", "dev/net/tun"]
        .into_iter()
        .map(|node| DeviceNode {
            source: PathBuf::from(format!("/{node}")),
            target: node.to_owned(),
            optional: true,
        })
        .collect()
}

/// Devices that root without a user namespace may use; everything else is denied.
pub(crate) fn usual_devices() -> Vec<DeviceRule> {
    let made = |kind| DeviceRule { kind, major: None, minor: None, open: false };
    let terminals = DeviceRule { kind: NodeKind::Char, major: Some(136), minor: None, open: true };
    let mut rules = vec![made(NodeKind::Block), made(NodeKind::Char), terminals];
    rules.extend(USUAL_DEVICES.map(|(major, minor)| DeviceRule::node(NodeKind::Char, major, minor)));
    rules
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn facts() -> Facts {
        Facts {
            name: "web".to_owned(),
            idmap: Some(IdMap::contiguous(100_000, 65536)),
            nesting: false,
            environment: BTreeMap::from([("LANG".to_owned(), "C".to_owned())]),
            rootfs: PathBuf::from("/pool/web/rootfs"),
            idmapped: true,
            rootfs_read_only: false,
            devlxd: PathBuf::from("/var/devlxd/web"),
            mounts: Vec::new(),
            devices: None,
            nics: vec!["eth0".to_owned()],
            cgroup_base: "lxd-00000000".to_owned(),
            limits: Settings::default(),
            rlimits: Vec::new(),
            console_log: PathBuf::from("/log/web/console.log"),
            seccomp: true,
            personality: None,
        }
    }

    #[test]
    fn an_unprivileged_container_keeps_its_capabilities_and_hides_what_is_the_hosts() {
        let spec = compose(facts());
        assert!(spec.drop_capabilities.is_empty() && spec.read_only.is_empty());
        assert!(spec.masked.iter().any(|m| m == "proc/kcore"));
        assert_eq!(spec.environment, ["container=lxc", "LANG=C"]);
        assert_eq!(spec.cgroup.path, "lxd-00000000/web");
    }

    #[test]
    fn a_privileged_container_loses_what_would_make_it_the_host() {
        let spec = compose(Facts { idmap: None, ..facts() });
        assert_eq!(spec.drop_capabilities, PRIVILEGED_DROPPED);
        assert!(spec.read_only.iter().any(|path| path == "proc/sys"));
        assert_eq!(spec.writable.as_deref(), Some("proc/sys/net"));
        assert!(spec.mounts.iter().all(|m| !m.target.starts_with("sys/kernel")));
    }

    #[test]
    fn nesting_leaves_proc_whole_and_adds_a_second_one() {
        let spec = compose(Facts { nesting: true, ..facts() });
        assert!(spec.masked.is_empty());
        assert!(spec.mounts.iter().any(|m| m.target == "dev/.lxc/proc"));
    }
}
