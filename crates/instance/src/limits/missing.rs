//! Which keys have no effect on this host, because the kernel lacks what they need.

use crate::Error;
use container::cgroup::{Cgroup, Layout};
use model::runtime::spec::CgroupSpec;
use std::time::Duration;

/// What a key needs: any one of these files, each of a controller.
struct Need {
    keys: &'static str,
    files: &'static [(&'static str, &'static str)],
}

const NEEDS: [Need; 10] = [
    Need { keys: "limits.cpu", files: &[("cpuset", "cpuset.cpus")] },
    Need {
        keys: "limits.cpu.allowance as a share and limits.cpu.priority",
        files: &[("cpu", "cpu.shares"), ("cpu", "cpu.weight")],
    },
    Need { keys: "limits.cpu.allowance as time", files: &[("cpu", "cpu.cfs_quota_us"), ("cpu", "cpu.max")] },
    Need { keys: "limits.memory", files: &[("memory", "memory.limit_in_bytes"), ("memory", "memory.max")] },
    Need {
        keys: "limits.memory for swap",
        files: &[("memory", "memory.memsw.limit_in_bytes"), ("memory", "memory.swap.max")],
    },
    Need { keys: "limits.memory.swap.priority", files: &[("memory", "memory.swappiness")] },
    Need { keys: "limits.processes", files: &[("pids", "pids.max")] },
    Need {
        keys: "limits.disk.priority",
        files: &[
            ("blkio", "blkio.weight"),
            ("blkio", "blkio.bfq.weight"),
            ("io", "io.weight"),
            ("io", "io.bfq.weight"),
        ],
    },
    Need {
        keys: "limits.read, limits.write and limits.max of disks",
        files: &[("blkio", "blkio.throttle.read_bps_device"), ("io", "io.max")],
    },
    Need { keys: "limits.network.priority", files: &[("net_prio", "net_prio.ifpriomap")] },
];

/// One sentence for each key without effect. Makes a control group and removes it.
pub(crate) fn look(layout: &Layout, base: &str) -> Result<Vec<String>, Error> {
    let spec = CgroupSpec { path: format!("{base}/.probe"), v1: Vec::new(), v2: Vec::new(), devices: None };
    let probe = Cgroup::create(layout, &spec, None).map_err(Error::Cgroup)?;
    let found = sentences(
        |controller, file| probe.has(controller, file),
        |controller| layout.version_of(controller).is_some(),
    );
    probe.remove(Duration::from_secs(1)).map_err(Error::Cgroup)?;
    Ok(found)
}

fn sentences(has_file: impl Fn(&str, &str) -> bool, has_controller: impl Fn(&str) -> bool) -> Vec<String> {
    let mut sentences = Vec::new();
    for Need { keys, files } in NEEDS {
        if files.iter().any(|(controller, file)| has_file(controller, file)) {
            continue;
        }
        let there = files.iter().find(|(controller, _)| has_controller(controller));
        let why = match (there, files.first()) {
            (Some((controller, file)), _) => {
                format!("the control group controller {controller} has no {file}")
            }
            (None, Some((controller, _))) => format!("the control group controller {controller} is missing"),
            (None, None) => continue,
        };
        sentences.push(format!("No effect on this host: {keys} ({why})"));
    }
    sentences
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lacks_is_named_with_its_keys() {
        assert_eq!(sentences(|_, _| true, |_| true), [""; 0]);
        let v2 = sentences(
            |controller, file| controller != "net_prio" && file != "memory.swappiness",
            |controller| controller != "net_prio",
        );
        assert_eq!(
            v2,
            [
                "No effect on this host: limits.memory.swap.priority (the control group controller memory has no memory.swappiness)",
                "No effect on this host: limits.network.priority (the control group controller net_prio is missing)"
            ]
        );
        assert_eq!(sentences(|_, _| false, |_| false).len(), NEEDS.len());
    }
}
