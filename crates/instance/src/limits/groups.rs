//! Keys of the configuration → files of control groups. Pure.
//!
//! See `admin-guide/cgroup-v1` and `admin-guide/cgroup-v2` of the kernel.

use super::{Setting, Settings};
use crate::Error;
use model::config::{Limits, Priority};
use model::units::{Bytes, CpuAllowance};

/// What of the host decides what is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts {
    /// All memory of the host.
    pub(crate) memory: Bytes,
    /// `vm.swappiness`.
    pub(crate) swappiness: u64,
}

impl Facts {
    /// Reads them.
    pub(crate) fn read() -> Result<Self, Error> {
        let path = "/proc/meminfo";
        let table = std::fs::read_to_string(path).map_err(|source| Error::Path {
            doing: "read",
            path: path.into(),
            source,
        })?;
        let swappiness = std::fs::read_to_string("/proc/sys/vm/swappiness").unwrap_or_default();
        Ok(Self {
            memory: Bytes(total(&table).unwrap_or(0)),
            // The kernel's own value, where it does not tell.
            swappiness: swappiness.trim().parse().unwrap_or(60),
        })
    }
}

/// `MemTotal` of `proc_meminfo(5)`, in bytes.
fn total(table: &str) -> Option<u64> {
    let line = table.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// What a new container needs written; what the kernel has by itself is left out.
pub(crate) fn at_start(limits: &Limits, facts: Facts) -> Settings {
    let unset = Limits::default();
    let mut wanted = settings(limits, facts);
    let usual = settings(&unset, facts);
    // Version 2 starts groups with another weight than that of the usual priority.
    let needed = |setting: &Setting, usual: &[Setting]| {
        setting.file.controller == "io" || !usual.iter().any(|other| other.file == setting.file)
    };
    wanted.v1.retain(|setting| needed(setting, &usual.v1));
    wanted.v2.retain(|setting| needed(setting, &usual.v2));
    wanted
}

/// What is to be written when limits change while the container runs, in the order in which the
/// kernel takes it.
pub(crate) fn changes(before: &Limits, after: &Limits, facts: Facts) -> Settings {
    let (old, mut new) = (settings(before, facts), settings(after, facts));
    if memory_goes_last(before, after, facts) {
        new.v1.swap(0, 1);
    }
    new.v1.retain(|setting| !old.v1.contains(setting));
    new.v2.retain(|setting| !old.v2.contains(setting));
    new
}

/// Version 1 demands at every moment that memory is limited no higher than memory and swap together.
fn memory_goes_last(before: &Limits, after: &Limits, facts: Facts) -> bool {
    const UNLIMITED: u64 = u64::MAX;
    let memory = hard_limit(after, facts).map_or(UNLIMITED, |bytes| bytes.0);
    let both = hard_limit(before, facts).filter(|_| before.swap).map_or(UNLIMITED, |bytes| bytes.0);
    memory > both
}

fn hard_limit(limits: &Limits, facts: Facts) -> Option<Bytes> {
    limits.memory.filter(|_| limits.memory_hard).map(|limit| limit.of(facts.memory))
}

/// Every file, also those that say "no limit". The first two of version 1 are memory, and memory
/// and swap together.
fn settings(limits: &Limits, facts: Facts) -> Settings {
    let mut settings = memory(limits, facts);
    settings.extend(cpu(limits));
    let processes = limits.processes.map_or_else(|| "max".to_owned(), |most| most.to_string());
    settings.v1.push(Setting::new("limits.processes", "pids", "pids.max", &processes));
    settings.v2.push(Setting::new("limits.processes", "pids", "pids.max", &processes));
    settings.extend(disk_priority(limits.disk_priority));
    settings
}

fn memory(limits: &Limits, facts: Facts) -> Settings {
    const KEY: &str = "limits.memory";
    let limit = limits.memory.map(|limit| limit.of(facts.memory));
    let hard = hard_limit(limits, facts);
    // Those that use more are the first that memory is taken from when it is short.
    let soft = match hard {
        Some(hard) => Some(Bytes(hard.0 / 10 * 9 + hard.0 % 10 * 9 / 10)),
        None => limit,
    };
    let or =
        |limit: Option<Bytes>, none: &str| limit.map_or_else(|| none.to_owned(), |bytes| bytes.0.to_string());
    let v1 = vec![
        Setting::new(KEY, "memory", "memory.limit_in_bytes", &or(hard, "-1")),
        Setting::new(KEY, "memory", "memory.memsw.limit_in_bytes", &or(hard.filter(|_| limits.swap), "-1")),
        Setting::new(KEY, "memory", "memory.soft_limit_in_bytes", &or(soft, "-1")),
        Setting::new("limits.memory.swap", "memory", "memory.swappiness", &swappiness(limits, facts)),
    ];
    // Version 2 cannot bound memory and swap together: none of what is limited goes to swap.
    let swap = if limits.swap && hard.is_none() { "max" } else { "0" };
    let v2 = vec![
        Setting::new(KEY, "memory", "memory.max", &or(hard, "max")),
        Setting::new("limits.memory.swap", "memory", "memory.swap.max", swap),
        Setting::new(KEY, "memory", "memory.low", &or(soft, "0")),
    ];
    Settings { v1, v2 }
}

/// The lower the priority, the sooner it is swapped out.
fn swappiness(limits: &Limits, facts: Facts) -> u64 {
    const MOST: u64 = 100;
    if !limits.swap {
        return 0;
    }
    let behind = limits.swap_priority.map_or(0, |priority| Priority::MAX.get() - priority.get());
    (facts.swappiness + behind).min(MOST.max(facts.swappiness))
}

fn cpu(limits: &Limits) -> Settings {
    const KEY: &str = "limits.cpu.allowance";
    const FULL_V1: u64 = 1024;
    const FULL_V2: u64 = 100;
    const PERIOD: u64 = 100_000;
    let behind = Priority::MAX.get() - limits.cpu_priority.get();
    let (shares, weight) = match limits.cpu_allowance {
        Some(CpuAllowance::Percent(percent)) => (percent.saturating_mul(10).saturating_add(24), percent),
        _ => (FULL_V1, FULL_V2),
    };
    // The bounds are the kernel's.
    let shares = shares.saturating_sub(behind).clamp(2, 262_144);
    let weight = weight.saturating_sub(behind).clamp(1, 10_000);
    let time = match limits.cpu_allowance {
        Some(CpuAllowance::Time { quota, period }) => Some((quota.saturating_mul(1000), period * 1000)),
        _ => None,
    };
    let (quota, max) = match time {
        Some((quota, period)) => (quota.to_string(), format!("{quota} {period}")),
        None => ("-1".to_owned(), format!("max {PERIOD}")),
    };
    let period = time.map_or(PERIOD, |(_, period)| period);
    Settings {
        v1: vec![
            Setting::new(KEY, "cpu", "cpu.shares", &shares),
            Setting::new(KEY, "cpu", "cpu.cfs_period_us", &period),
            Setting::new(KEY, "cpu", "cpu.cfs_quota_us", &quota),
        ],
        v2: vec![Setting::new(KEY, "cpu", "cpu.weight", &weight), Setting::new(KEY, "cpu", "cpu.max", &max)],
    }
}

fn disk_priority(priority: Option<Priority>) -> Settings {
    const KEY: &str = "limits.disk.priority";
    const USUAL: u64 = 500;
    let weight = priority.map_or(USUAL, |priority| (priority.get() * 100).max(10));
    // Either file, by the scheduler that the kernel has.
    let files = |controller: &str, names: [&str; 2]| {
        names.map(|name| Setting::new(KEY, controller, name, &weight)).to_vec()
    };
    Settings {
        v1: files("blkio", ["blkio.weight", "blkio.bfq.weight"]),
        v2: files("io", ["io.weight", "io.bfq.weight"]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::config::Effective;

    const FACTS: Facts = Facts { memory: Bytes(8_000_000_000), swappiness: 60 };

    fn limits(pairs: &[(&str, &str)]) -> Limits {
        let config = pairs.iter().map(|(k, v)| (format!("limits.{k}"), (*v).to_owned())).collect();
        Effective::parse(&config).unwrap().limits
    }

    fn written(settings: &[Setting]) -> Vec<String> {
        settings.iter().map(|s| format!("{}={}", s.file.file, s.file.value)).collect()
    }

    fn value(settings: &[Setting], file: &str) -> String {
        settings.iter().find(|s| s.file.file == file).unwrap().file.value.clone()
    }

    #[test]
    fn nothing_is_written_for_a_container_without_limits_but_the_usual_priority_of_version_2() {
        let start = at_start(&Limits::default(), FACTS);
        assert_eq!(written(&start.v1), [""; 0]);
        assert_eq!(written(&start.v2), ["io.weight=500", "io.bfq.weight=500"]);
    }

    #[test]
    fn memory_hard_and_soft() {
        let start = at_start(&limits(&[("memory", "1000MB")]), FACTS);
        assert_eq!(
            written(&start.v1),
            [
                "memory.limit_in_bytes=1000000000",
                "memory.memsw.limit_in_bytes=1000000000",
                "memory.soft_limit_in_bytes=900000000"
            ]
        );
        assert_eq!(
            written(&start.v2)[..3],
            ["memory.max=1000000000", "memory.swap.max=0", "memory.low=900000000"]
        );
        let soft = at_start(&limits(&[("memory", "50%"), ("memory.enforce", "soft")]), FACTS);
        assert_eq!(written(&soft.v1), ["memory.soft_limit_in_bytes=4000000000"]);
        assert_eq!(written(&soft.v2)[..1], ["memory.low=4000000000"]);
    }

    #[test]
    fn the_hosts_memory() {
        assert_eq!(total("MemTotal:       24683720 kB\nMemFree: 1 kB\n"), Some(24_683_720 << 10));
        assert_eq!(total(""), None);
        assert!(Facts::read().unwrap().memory.0 > 0);
    }

    #[test]
    fn swap() {
        let none = at_start(&limits(&[("memory", "10MB"), ("memory.swap", "false")]), FACTS);
        assert_eq!(value(&none.v1, "memory.swappiness"), "0");
        assert!(!none.v1.iter().any(|s| s.file.file.contains("memsw")));
        assert_eq!(value(&none.v2, "memory.swap.max"), "0");
        let first = at_start(&limits(&[("memory.swap.priority", "0")]), FACTS);
        assert_eq!(written(&first.v1), ["memory.swappiness=70"]);
        assert_eq!(written(&at_start(&limits(&[("memory.swap.priority", "10")]), FACTS).v1), [""; 0]);
    }

    #[test]
    fn memory_is_raised_and_lowered_in_the_order_that_the_kernel_takes() {
        let files = |before: &[(&str, &str)], after: &[(&str, &str)]| -> Vec<String> {
            let changes = changes(&limits(before), &limits(after), FACTS);
            changes.v1.iter().map(|s| s.file.file.clone()).filter(|f| f.contains("limit")).collect()
        };
        let (memory, both) = ("memory.limit_in_bytes", "memory.memsw.limit_in_bytes");
        let soft = "memory.soft_limit_in_bytes";
        assert_eq!(files(&[], &[("memory", "10MB")]), [memory, both, soft]);
        assert_eq!(files(&[("memory", "10MB")], &[("memory", "20MB")]), [both, memory, soft]);
        assert_eq!(files(&[("memory", "20MB")], &[("memory", "10MB")]), [memory, both, soft]);
        assert_eq!(files(&[("memory", "20MB")], &[]), [both, memory, soft]);
        let no_swap: &[_] = &[("memory", "10MB"), ("memory.swap", "false")];
        assert_eq!(files(no_swap, &[("memory", "20MB")]), [memory, both, soft]);
        assert_eq!(files(&[("memory", "10MB")], no_swap), [both]);
        assert_eq!(files(no_swap, no_swap), [""; 0]);
    }

    #[test]
    fn processor_shares_and_time() {
        for (pairs, shares, weight) in [
            (&[("cpu.allowance", "10%")][..], "124", "10"),
            (&[("cpu.allowance", "100%")], "1024", "100"),
            (&[("cpu.priority", "0")], "1014", "90"),
            (&[("cpu.allowance", "5%"), ("cpu.priority", "0")], "64", "1"),
            (&[("cpu.allowance", "25ms/200ms"), ("cpu.priority", "9")], "1023", "99"),
        ] {
            let all = settings(&limits(pairs), FACTS);
            assert_eq!(value(&all.v1, "cpu.shares"), shares, "{pairs:?}");
            assert_eq!(value(&all.v2, "cpu.weight"), weight, "{pairs:?}");
        }
        let time = at_start(&limits(&[("cpu.allowance", "25ms/200ms")]), FACTS);
        assert_eq!(written(&time.v1), ["cpu.cfs_period_us=200000", "cpu.cfs_quota_us=25000"]);
        assert_eq!(value(&time.v2, "cpu.max"), "25000 200000");
        let back = changes(&limits(&[("cpu.allowance", "25ms/200ms")]), &Limits::default(), FACTS);
        assert_eq!(written(&back.v1), ["cpu.cfs_period_us=100000", "cpu.cfs_quota_us=-1"]);
        assert_eq!(written(&back.v2), ["cpu.max=max 100000"]);
    }

    #[test]
    fn processes_and_disks() {
        let all = settings(&limits(&[("processes", "50"), ("disk.priority", "0")]), FACTS);
        assert_eq!(value(&all.v1, "pids.max"), "50");
        assert_eq!(value(&all.v2, "pids.max"), "50");
        assert_eq!(value(&all.v1, "blkio.weight"), "10");
        let all = settings(&limits(&[("disk.priority", "10")]), FACTS);
        assert_eq!(value(&all.v2, "io.weight"), "1000");
        let back = changes(&limits(&[("processes", "50")]), &Limits::default(), FACTS);
        assert_eq!(written(&back.v1), ["pids.max=max"]);
    }
}
