//! Groups on the host that runs the tests.

use super::*;
use model::runtime::spec::{CgroupSetting, CgroupSpec};
use model::units::CpuSet;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use sys::clone3::{Child, Namespaces, clone3};

const LIMIT: Duration = Duration::from_secs(10);

fn spec(name: &str) -> CgroupSpec {
    let path = format!("lxd-test-{}-{name}/c", std::process::id());
    CgroupSpec { path, v1: Vec::new(), v2: Vec::new(), devices: None }
}

fn setting(controller: &str, file: &str, value: &str) -> CgroupSetting {
    CgroupSetting { controller: controller.to_owned(), file: file.to_owned(), value: value.to_owned() }
}

/// The layout, or a word about why the test is skipped.
fn writable(test: &str) -> Option<Layout> {
    let layout = Layout::detect().ok()?;
    let probe = Cgroup::create(&layout, &spec(&format!("probe-{test}")), None);
    match probe.and_then(|group| group.remove(LIMIT)) {
        Ok(()) => Some(layout),
        Err(error) => {
            eprintln!("SKIP {test}: cannot make control groups: {error}");
            None
        }
    }
}

fn sleeper() -> Child {
    clone3(Namespaces::NONE, None, || {
        loop {
            rustix::event::pause();
        }
    })
    .unwrap()
}

#[test]
fn made_delegated_limited_and_removed() {
    let Some(layout) = writable("made_delegated_limited_and_removed") else { return };
    let mut spec = spec("life");
    spec.v1 = vec![
        setting("pids", "pids.max", "77"),
        setting("no-such-controller", "x.max", "1"),
        setting("memory", "memory.limit_in_bytes", "104857600"),
    ];
    spec.v2 = vec![setting("pids", "pids.max", "77"), setting("memory", "memory.max", "104857600")];
    let umask = rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let group = Cgroup::create(&layout, &spec, Some((1_000_000, 1_000_001))).unwrap();
    rustix::process::umask(umask);
    for hierarchy in layout.hierarchies.iter() {
        let dir = group.dir(hierarchy);
        let meta = std::fs::metadata(&dir).unwrap();
        let above = std::fs::metadata(dir.parent().unwrap()).unwrap();
        assert_eq!((meta.mode() & 0o777, above.mode() & 0o777), (0o755, 0o755), "{}", dir.display());
        assert_eq!((meta.uid(), meta.gid()), (1_000_000, 1_000_001), "{}", dir.display());
        let procs = std::fs::metadata(dir.join("cgroup.procs")).unwrap();
        assert_eq!(procs.uid(), 1_000_000);
        for limit in ["memory.limit_in_bytes", "memory.max", "pids.max", "cpuset.cpus"] {
            if let Ok(meta) = std::fs::metadata(dir.join(limit)) {
                assert_eq!(meta.uid(), 0, "{limit} must stay the host's");
            }
        }
    }
    if let Some((_, dir)) = group.dir_with("pids") {
        assert_eq!(files::number(&dir.join("pids.max")), Some(77));
        assert_eq!(group.stats().processes, Some(0));
        assert!(group.set(&setting("pids", "pids.max", "max")).unwrap());
        assert_eq!(files::read(&dir.join("pids.max")).unwrap(), "max");
        assert!(group.set(&setting("pids", "pids.max", "nonsense")).is_err());
    }
    assert!(!group.set(&setting("no-such-controller", "x", "1")).unwrap());
    assert!(!group.set(&setting("pids", "pids.no-such-file", "1")).unwrap());
    // Made again over an empty one that was left.
    let group = Cgroup::create(&layout, &spec, None).unwrap();
    group.remove(LIMIT).unwrap();
    assert!(!group.exists());
    group.remove(LIMIT).unwrap();
    let above = spec.path.rsplit_once('/').unwrap().0;
    assert!(!Cgroup::open(&layout, above).unwrap().exists());
}

#[test]
fn freeze_thaw_kill_and_remove_what_is_nested() {
    let Some(layout) = writable("freeze_thaw_kill_and_remove_what_is_nested") else { return };
    let group = Cgroup::create(&layout, &spec("freeze"), None).unwrap();
    let child = sleeper();
    group.attach(child.pid).unwrap();
    assert_eq!(group.pids(), [child.pid]);
    assert!(!group.frozen().unwrap());
    group.freeze(LIMIT).unwrap();
    assert!(group.frozen().unwrap());
    assert!(group.remove(Duration::ZERO).is_err());
    group.thaw(LIMIT).unwrap();
    assert!(!group.frozen().unwrap());
    for hierarchy in layout.hierarchies.iter() {
        std::fs::create_dir_all(group.dir(hierarchy).join("a/b")).unwrap();
    }
    group.freeze(LIMIT).unwrap();
    // Nobody reaps while kill waits: a zombie is in no group's list of version 2, but in those of
    // version 1 it stays until its thread group is gone.
    let pidfd = child.pidfd;
    let reaper = std::thread::spawn(move || sys::waitid::wait(pidfd.as_fd()));
    group.kill(LIMIT).unwrap();
    assert_eq!(reaper.join().unwrap(), Ok(sys::waitid::Ended::Signal(9)));
    group.remove(LIMIT).unwrap();
    assert!(!group.exists());
}

#[test]
fn entering_by_the_doors_and_by_clone() {
    let Some(layout) = writable("entering_by_the_doors_and_by_clone") else { return };
    let group = Cgroup::create(&layout, &spec("doors"), None).unwrap();
    let unified = group.unified().unwrap();
    let doors = group.doors();
    let path = format!("/{}", group.path());
    let child = clone3(Namespaces::NONE, unified.as_ref().map(AsFd::as_fd), || {
        for door in &doors {
            if crate::entry::knock(door).is_err() {
                return 1;
            }
        }
        let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
        // What is not mounted is not entered.
        let ours = |line: &&str| match line.starts_with("0::") {
            true => unified.is_some(),
            false => !doors.is_empty(),
        };
        i32::from(!groups.lines().filter(ours).all(|line| line.ends_with(&path))) * 2
    })
    .unwrap();
    assert_eq!(sys::waitid::wait(child.pidfd.as_fd()), Ok(sys::waitid::Ended::Code(0)));
    if unified.is_some() {
        let leaf = group.unified_leaf().unwrap();
        assert!(leaf.is_some());
    }
    assert!(group.stats().cpu_ns.is_some());
    group.remove(LIMIT).unwrap();
}

#[test]
fn paths_cannot_leave_the_tree() {
    let Ok(layout) = Layout::detect() else { return };
    for path in ["", "/", "/a", "../a", "a/../b", "."] {
        assert!(Cgroup::open(&layout, path).is_err(), "{path}");
    }
    let group = Cgroup::open(&layout, "lxd-test-none/c").unwrap();
    assert!(!group.exists());
    assert!(group.set(&setting("pids", "../pids.max", "1")).is_err());
    assert_eq!(group.stats(), Stats::default());
}

#[test]
fn processors_are_narrowed_and_widened_with_what_is_nested() {
    let Some(layout) = writable("processors_are_narrowed_and_widened_with_what_is_nested") else { return };
    let Some(all) = layout.cpus().filter(|all| all.0.len() > 1) else {
        eprintln!("SKIP processors_are_narrowed_and_widened_with_what_is_nested: there is one processor");
        return;
    };
    let group = Cgroup::create(&layout, &spec("cpus"), None).unwrap();
    let first = CpuSet(all.0.iter().copied().take(1).collect());
    let last = CpuSet(all.0.iter().copied().rev().take(1).collect());
    let (version, dir) = group.dir_with("cpuset").unwrap();
    let nested = dir.join("a/b");
    std::fs::create_dir_all(&nested).unwrap();
    let below = |cpus: &CpuSet| {
        for dir in [dir.join("a"), nested.clone()] {
            std::fs::write(dir.join("cpuset.cpus"), cpus.to_string()).unwrap();
        }
    };
    assert!(group.set_cpus(&all).unwrap());
    if version == Version::V1 {
        below(&all);
    }
    for cpus in [&first, &last, &all, &last] {
        assert!(group.set_cpus(cpus).unwrap());
        assert_eq!(group.cpus().as_ref(), Some(cpus));
        if version == Version::V1 {
            assert_eq!(files::read(&nested.join("cpuset.cpus")), Some(cpus.to_string()));
        }
    }
    group.remove(LIMIT).unwrap();
}
