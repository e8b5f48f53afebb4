//! Control groups, both versions.
use model::runtime::spec::{CgroupSetting, CgroupSpec};
use std::path::PathBuf;
use std::time::Duration;

/// Which hierarchies this host has. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Layout {}
/// What went wrong with a control group.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or directory.
    #[error("{action} {}: {source}", .path.display())]
    File {
        /// What was being done.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The host has no cgroup hierarchy that is mounted.
    #[error("no control groups are mounted")]
    NoHierarchy,
    /// Bounded wait.
    #[error("{action} took longer than {waited:?}")]
    TimedOut {
        /// What.
        action: &'static str,
        /// How long.
        waited: Duration,
    },
}
impl Layout {
    /// Read `/proc/self/mountinfo` and what is there.
    pub fn detect() -> Result<Self, Error> {
        Ok(Self {})
    }
    /// Controllers that a container manager wants and this host lacks, with nothing said about why.
    pub fn missing(&self) -> Vec<&'static str> {
        vec![]
    }
}
/// The groups of one container in every hierarchy.
#[derive(Clone, Debug)]
pub struct Cgroup {}
/// What the kernel counted. `None`: nothing counts it here. Bytes unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Memory in use.
    pub memory: Option<u64>,
    /// Highest memory in use.
    pub memory_peak: Option<u64>,
    /// Swap in use.
    pub swap: Option<u64>,
    /// Highest swap in use.
    pub swap_peak: Option<u64>,
    /// Processor time used, nanoseconds.
    pub cpu_ns: Option<u64>,
    /// Processes and threads.
    pub processes: Option<u64>,
}
impl Cgroup {
    /// Make the groups, apply the settings, give them to the container's root (`owner`: uid and gid
    /// on the host; `None` for a privileged container).
    pub fn create(layout: &Layout, spec: &CgroupSpec, owner: Option<(u32, u32)>) -> Result<Self, Error> {
        let _ = (layout, spec, owner);
        Ok(Self {})
    }
    /// Groups that are there already.
    pub fn open(layout: &Layout, path: &str) -> Result<Self, Error> {
        let _ = (layout, path);
        Ok(Self {})
    }
    /// Stop every process; waits at most `limit`.
    pub fn freeze(&self, limit: Duration) -> Result<(), Error> {
        let _ = limit;
        Ok(())
    }
    /// Let them go on.
    pub fn thaw(&self, limit: Duration) -> Result<(), Error> {
        let _ = limit;
        Ok(())
    }
    /// Whether it is frozen.
    pub fn frozen(&self) -> Result<bool, Error> {
        Ok(false)
    }
    /// SIGKILL for every process, until none is left or `limit` is over.
    pub fn kill(&self, limit: Duration) -> Result<(), Error> {
        let _ = limit;
        Ok(())
    }
    /// Remove the groups and those below; retries while processes go away, at most `limit`.
    /// Groups that are not there are no error.
    pub fn remove(&self, limit: Duration) -> Result<(), Error> {
        let _ = limit;
        Ok(())
    }
    /// Write one setting (to whichever version has the controller). False: the controller is missing.
    pub fn set(&self, setting: &CgroupSetting) -> Result<bool, Error> {
        let _ = setting;
        Ok(false)
    }
    /// Read the counters.
    pub fn stats(&self) -> Stats {
        Stats::default()
    }
}
