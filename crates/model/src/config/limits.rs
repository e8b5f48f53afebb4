//! What a configuration says about processors, memory, processes, disks and packets.

use super::Rlimit;
use crate::units::{CpuAllowance, CpuLimit, MemoryLimit};

/// Names of resource limits, `getrlimit(2)`, as in `limits.kernel.<name>`.
pub const RLIMITS: [&str; 16] = [
    "as",
    "core",
    "cpu",
    "data",
    "fsize",
    "locks",
    "memlock",
    "msgqueue",
    "nice",
    "nofile",
    "nproc",
    "rss",
    "rtprio",
    "rttime",
    "sigpending",
    "stack",
];

/// A priority from 0 to 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Priority(u8);

impl Priority {
    /// The highest.
    pub const MAX: Self = Self(10);

    /// Reads a whole number from 0 to 10.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number <= Self::MAX.0).map(Self)
    }

    /// 0 to 10.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0 as u64
    }
}

/// Limits on a whole container. What is not set is not limited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// `limits.cpu`.
    pub cpu: Option<CpuLimit>,
    /// `limits.cpu.allowance`.
    pub cpu_allowance: Option<CpuAllowance>,
    /// `limits.cpu.priority`.
    pub cpu_priority: Priority,
    /// `limits.disk.priority`.
    pub disk_priority: Option<Priority>,
    /// `limits.memory`.
    pub memory: Option<MemoryLimit>,
    /// `limits.memory.enforce`: false is "soft".
    pub memory_hard: bool,
    /// `limits.memory.swap`.
    pub swap: bool,
    /// `limits.memory.swap.priority`.
    pub swap_priority: Option<Priority>,
    /// `limits.network.priority`.
    pub network_priority: Option<Priority>,
    /// `limits.processes`.
    pub processes: Option<u64>,
    /// `limits.kernel.*`, by name.
    pub kernel: Vec<Rlimit>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            cpu: None,
            cpu_allowance: None,
            cpu_priority: Priority::MAX,
            disk_priority: None,
            memory: None,
            memory_hard: true,
            swap: true,
            swap_priority: None,
            network_priority: None,
            processes: None,
            kernel: Vec::new(),
        }
    }
}
