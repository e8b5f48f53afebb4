//! Kill every process of a container by its groups: for when killing its init was not enough.

use super::{Cgroup, Error, files};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

const SIGKILL: i32 = rustix::process::Signal::KILL.as_raw();

impl Cgroup {
    /// `SIGKILL` for every process, until none is left, at most for `limit`.
    ///
    /// # Errors
    /// [`Error::TimedOut`] when processes remain.
    pub fn kill(&self, limit: Duration) -> Result<(), Error> {
        let began = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            self.kill_once();
            if self.pids().is_empty() {
                return Ok(());
            }
            if began.elapsed() >= limit {
                return Err(Error::TimedOut { action: "killing", waited: limit });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
        }
    }

    fn kill_once(&self) {
        if let Some(dir) = self.unified_dir() {
            // Linux 5.14; whatever it leaves or cannot do is done below.
            let _ = files::write(&dir.join("cgroup.kill"), "1");
        }
        for pid in self.pids() {
            let Some(pid) = Pid::from_raw(pid) else { continue };
            let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
            // The number may have been reused before it was opened, so it is looked at again.
            if self.pids().contains(&pid.as_raw_pid()) {
                let _ = sys::pidfd::send_signal(pidfd.as_fd(), SIGKILL);
            }
        }
        // Frozen by version 1, nothing dies.
        if let Some((_, dir)) = self.dir_with("freezer") {
            let _ = files::write(&dir.join("freezer.state"), "THAWED");
        }
    }

    /// The processes in the groups, as the host numbers them. Empty when there is no group.
    #[must_use]
    pub fn pids(&self) -> Vec<i32> {
        let mut found = Vec::new();
        for hierarchy in self.layout.hierarchies.iter() {
            collect(&self.dir(hierarchy), &mut found);
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn collect(dir: &Path, found: &mut Vec<i32>) {
    let listed = files::read(&dir.join("cgroup.procs")).unwrap_or_default();
    found.extend(listed.lines().filter_map(|line| line.parse::<i32>().ok()).filter(|pid| *pid > 0));
    for child in files::children(dir) {
        collect(&child, found);
    }
}
