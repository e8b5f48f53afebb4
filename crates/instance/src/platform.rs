//! What this host is and can do, found out once at start-up.

use crate::Error;
use crate::limits::{groups, missing};
use container::cgroup::Layout;
use model::IdMap;
use model::arch::Architecture;
use model::idmap::{HostIds, daemon_map};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// What this host is and can do. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Platform(Arc<Facts>);

struct Facts {
    idmap: Option<IdMap>,
    /// Not in a user namespace.
    initial: bool,
    layout: Layout,
    architecture: Architecture,
    kernel: rustix::system::Uname,
    limits: groups::Facts,
    /// Keys without effect, one sentence each.
    without_effect: Vec<String>,
    /// Whether mounts of a file system (by device number) can map ids.
    idmapped: Mutex<HashMap<u64, bool>>,
}

impl Platform {
    /// Looks around. Containers' control groups have their place below `cgroup_base`.
    pub(crate) fn detect(cgroup_base: &str) -> Result<Self, Error> {
        let read = |path: &str| std::fs::read_to_string(path);
        let needed = |path: &'static str| {
            read(path).map_err(|source| Error::Path { doing: "read", path: path.into(), source })
        };
        let (uid_map, gid_map) = (needed("/proc/self/uid_map")?, needed("/proc/self/gid_map")?);
        let (subuid, subgid) = (read("/etc/subuid").ok(), read("/etc/subgid").ok());
        let ids = HostIds {
            subuid: subuid.as_deref(),
            subgid: subgid.as_deref(),
            uid_map: &uid_map,
            gid_map: &gid_map,
        };
        let kernel = rustix::system::uname();
        let machine = kernel.machine().to_string_lossy().into_owned();
        let architecture = Architecture::parse(&machine).map_err(|_| Error::Unknown {
            field: "architecture of this machine",
            value: machine,
            allowed: "x86_64, i686, aarch64, armv7l, ppc64le, s390x, …",
        })?;
        let layout = Layout::detect().map_err(Error::Cgroup)?;
        let without_effect = missing::look(&layout, cgroup_base)
            .unwrap_or_else(|error| vec![format!("No limits on this host: {}", error.story())]);
        Ok(Self(Arc::new(Facts {
            limits: groups::Facts::read()?,
            without_effect,
            idmap: daemon_map(&ids, "root", 0),
            initial: uid_map.split_whitespace().eq(["0", "0", "4294967295"]),
            layout,
            architecture,
            kernel,
            idmapped: Mutex::default(),
        })))
    }

    /// The ids that containers may have.
    pub(crate) fn idmap(&self) -> Option<&IdMap> {
        self.0.idmap.as_ref()
    }

    /// Whether this is the host itself, and no container with user ids of its own.
    pub(crate) fn is_initial(&self) -> bool {
        self.0.initial
    }

    /// How control groups are mounted.
    pub(crate) fn layout(&self) -> &Layout {
        &self.0.layout
    }

    /// What limits are computed from.
    pub(crate) fn limit_facts(&self) -> groups::Facts {
        self.0.limits
    }

    /// `uname(2)`.
    pub(crate) fn kernel(&self) -> &rustix::system::Uname {
        &self.0.kernel
    }

    /// Whether mounts of the file system of a directory can map ids; tried once per file system.
    /// Blocks for some milliseconds the first time.
    pub(crate) fn maps_ids(&self, directory: &Path) -> Result<bool, Error> {
        let failed = |source| Error::Path { doing: "look at", path: directory.to_owned(), source };
        let device = std::fs::metadata(directory).map_err(failed)?.dev();
        let known = self.0.idmapped.lock().unwrap_or_else(PoisonError::into_inner).get(&device).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let works = container::idmap::probe(directory).map_err(Error::Probe)?;
        if !works {
            tracing::warn!(directory = %directory.display(), "the file system cannot map ids: owners are shifted on disk instead");
        }
        self.0.idmapped.lock().unwrap_or_else(PoisonError::into_inner).insert(device, works);
        Ok(works)
    }
}

impl Platform {
    /// What decides which configurations are good here.
    pub(crate) fn host(&self) -> model::config::Host {
        model::config::Host { architecture: self.0.architecture, has_ids: self.0.idmap.is_some() }
    }

    /// `personality(2)` for containers of another architecture of the same family.
    pub(crate) fn personality(&self, container: Architecture) -> Option<u32> {
        /// `PER_LINUX32`.
        const LINUX32: u32 = 0x0008;
        (container != self.0.architecture && container.is_32_bit() && self.0.architecture.runs(container))
            .then_some(LINUX32)
    }

    /// The features that clients look for, as they are.
    pub(crate) fn lxc_features(&self) -> std::collections::BTreeMap<String, String> {
        [
            ("cgroup2", true),
            ("devpts_fd", true),
            ("idmapped_mounts_v2", true),
            ("mount_injection_file", true),
            ("pidfd", true),
            ("seccomp_notify", false),
            ("seccomp_allow_deny_syntax", false),
            ("seccomp_proxy_send_notify_fd", false),
            ("network_gateway_device_route", false),
            ("network_ipvlan", false),
            ("network_l2proxy", false),
            ("network_phys_macvlan_mtu", false),
            ("network_veth_router", false),
        ]
        .into_iter()
        .map(|(name, has)| (name.to_owned(), has.to_string()))
        .collect()
    }

    /// What this host lacks, one sentence each.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let mut warnings: Vec<String> = self
            .0
            .layout
            .missing()
            .into_iter()
            // Limits that need a controller are named one by one.
            .filter(|controller| matches!(*controller, "cpuacct" | "devices"))
            .map(|controller| format!("The control group controller {controller} is missing: its limits and figures are not available"))
            .collect();
        warnings.extend(self.0.without_effect.iter().cloned());
        if self.0.idmap.is_none() {
            warnings.push("root has no range of ids in /etc/subuid and /etc/subgid: only privileged containers can be started".to_owned());
        }
        warnings
    }
}
