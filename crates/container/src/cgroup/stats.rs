//! What the kernel counted for a container.

use super::Cgroup;
use super::files::{keyed, number};
use super::layout::Version;
use std::path::Path;

/// Counters. `None`: nothing counts it on this host, or the groups are gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Memory in use, bytes.
    pub memory: Option<u64>,
    /// Most memory ever in use, bytes.
    pub memory_peak: Option<u64>,
    /// Swap in use, bytes.
    pub swap: Option<u64>,
    /// Most swap ever in use, bytes.
    pub swap_peak: Option<u64>,
    /// Processor time used, nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}

impl Cgroup {
    /// Read the counters.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let mut stats = Stats::default();
        match self.dir_with("memory") {
            Some((Version::V1, dir)) => memory_v1(&dir, &mut stats),
            Some((Version::V2, dir)) => {
                stats.memory = number(&dir.join("memory.current"));
                stats.memory_peak = number(&dir.join("memory.peak"));
                stats.swap = number(&dir.join("memory.swap.current"));
                stats.swap_peak = number(&dir.join("memory.swap.peak"));
            }
            None => {}
        }
        stats.cpu_ns = self.cpu_ns();
        stats.processes = self
            .dir_with("pids")
            .and_then(|(_, dir)| number(&dir.join("pids.current")))
            .or_else(|| self.exists().then(|| self.pids().len() as u64));
        stats
    }

    fn cpu_ns(&self) -> Option<u64> {
        if let Some((Version::V1, dir)) = self.dir_with("cpuacct") {
            return number(&dir.join("cpuacct.usage"));
        }
        // Version 2 counts time without any controller.
        let used = keyed(&self.unified_dir()?.join("cpu.stat"), "usage_usec")?;
        Some(used.saturating_mul(1000))
    }
}

/// Version 1 counts memory, and memory with swap.
fn memory_v1(dir: &Path, stats: &mut Stats) {
    stats.memory = number(&dir.join("memory.usage_in_bytes"));
    stats.memory_peak = number(&dir.join("memory.max_usage_in_bytes"));
    let beyond = |both: Option<u64>, memory: Option<u64>| Some(both?.saturating_sub(memory?));
    stats.swap = beyond(number(&dir.join("memory.memsw.usage_in_bytes")), stats.memory);
    stats.swap_peak = beyond(number(&dir.join("memory.memsw.max_usage_in_bytes")), stats.memory_peak);
}
