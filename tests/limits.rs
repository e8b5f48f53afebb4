//! Limits: what a container may use of the host, measured inside.

use std::path::PathBuf;
use std::time::Instant;
use testkit::{TestDaemon, daemon, eventually, skip};

const MB: u64 = 1_000_000;

/// How many processors the host lets everybody use.
fn processors() -> usize {
    let status = std::fs::read_to_string("/sys/devices/system/cpu/online").unwrap();
    let of = |range: &str| {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        last.parse::<usize>().unwrap() - first.parse::<usize>().unwrap() + 1
    };
    status.trim().split(',').map(of).sum()
}

/// Processors that a program in a container may run on.
fn allowed(d: &TestDaemon, container: &str) -> String {
    let status = d.exec(container, &["grep", "Cpus_allowed_list", "/proc/self/status"]);
    status.split_whitespace().nth(1).unwrap().to_owned()
}

/// The content of a file of a container's control group, wherever its controller is.
pub(crate) fn group(d: &TestDaemon, container: &str, names: &[&str]) -> Option<String> {
    let dir = directory(d, container, names)?;
    let text = names.iter().find_map(|name| std::fs::read_to_string(dir.join(name)).ok())?;
    Some(text.trim().to_owned())
}

/// The control group of a container that has one of these files.
fn directory(d: &TestDaemon, container: &str, names: &[&str]) -> Option<PathBuf> {
    let pid = d.init_pid(container).to_string();
    let mut cat = d.inside("cat");
    let groups = testkit::run(cat.arg(format!("/proc/{pid}/cgroup"))).expect_success().text();
    // A systemd container's init is below; all of ours is up to its name.
    let path = groups.lines().find_map(|line| {
        let path = line.splitn(3, ':').nth(2)?;
        let at = path.find(&format!("/{container}"))?;
        Some(path[..at + container.len() + 1].to_owned())
    })?;
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let dirs = mounts.lines().filter(|line| line.contains(" cgroup")).filter_map(|l| l.split(' ').nth(1));
    dirs.map(|dir| PathBuf::from(format!("{dir}{path}")))
        .find(|dir| names.iter().any(|name| dir.join(name).exists()))
}

#[test]
fn memory_is_bounded_and_raised_while_it_runs() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "my-container", "-c", "limits.memory=32MB"]);
    let limit = |d: &TestDaemon| group(d, "my-container", &["memory.limit_in_bytes", "memory.max"]);
    let Some(bytes) = limit(&d) else { skip!("there is no memory controller") };
    assert!(bytes.parse::<u64>().unwrap().abs_diff(32 * MB) < 4096, "{bytes}");
    let fill = |megabytes: &str| {
        let size = format!("bs={megabytes}M");
        d.lxc(&["exec", "my-container", "--", "dd", "if=/dev/zero", "of=/dev/null", &size, "count=1"]).code()
    };
    assert_eq!(fill("8"), 0);
    assert_eq!(fill("100"), 137, "the kernel kills what needs more");
    d.lxc_ok(&["config", "set", "my-container", "limits.memory", "256MB"]);
    assert_eq!(fill("100"), 0);
    // Lowered and raised again, past what bounds memory and swap together.
    for size in ["64MB", "1GB", "10%", "256MB"] {
        d.lxc_ok(&["config", "set", "my-container", "limits.memory", size]);
    }
    assert_eq!(fill("400"), 137);
    d.lxc_ok(&["config", "set", "my-container", "limits.memory", "2%"]);
    let total = std::fs::read_to_string("/proc/meminfo").unwrap();
    let total: u64 = total.split_whitespace().nth(1).unwrap().parse().unwrap();
    let part = limit(&d).unwrap().parse::<u64>().unwrap();
    assert!(part.abs_diff(total * 1024 / 50) < 8192, "{part} of {total} kB");
    let more = (part >> 20) + 100;
    assert_eq!(fill(&more.to_string()), 137, "a part of the host's memory is a limit too");
    d.lxc_ok(&["config", "set", "my-container", "limits.memory", "256MB"]);
    d.lxc_ok(&["config", "set", "my-container", "limits.memory.enforce", "soft"]);
    assert_eq!(fill("400"), 0, "soft is no bound while there is memory");
    let soft = group(&d, "my-container", &["memory.soft_limit_in_bytes", "memory.low"]).unwrap();
    assert!(soft.parse::<u64>().unwrap().abs_diff(256 * MB) < 4096, "{soft}");
    d.lxc_ok(&["config", "unset", "my-container", "limits.memory.enforce"]);
    assert_eq!(fill("400"), 137);
    d.lxc_ok(&["config", "unset", "my-container", "limits.memory"]);
    assert_eq!(fill("400"), 0);
    let state = d.state("my-container");
    assert!(state["memory"]["usage"].as_u64().unwrap() > 0, "{state}");
    if group(&d, "my-container", &["memory.max_usage_in_bytes", "memory.peak"]).is_some() {
        assert!(state["memory"]["usage_peak"].as_u64().unwrap() > 400 * MB, "{state}");
        assert!(d.lxc_ok(&["info", "my-container"]).contains("Memory (peak)"));
    }
}

#[test]
fn memory_in_use_is_not_taken_away() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "limits.memory=300MB"]);
    if group(&d, "c1", &["memory.limit_in_bytes", "memory.max"]).is_none() {
        skip!("there is no memory controller");
    }
    // A file system in memory holds it, and nothing can be swapped out.
    d.lxc_ok(&["config", "set", "c1", "limits.memory.swap", "false"]);
    d.exec("c1", &["dd", "if=/dev/zero", "of=/dev/shm/file", "bs=1M", "count=100"]);
    let usage = d.state("c1")["memory"]["usage"].as_u64().unwrap();
    assert!(usage > 100 * 1024 * 1024, "{usage}");
    let refused = d.lxc_fails(&["config", "set", "c1", "limits.memory", "50MB"]);
    assert!(refused.contains("limits.memory") && refused.contains("in use"), "{refused}");
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "limits.memory"]).trim(), "300MB");
    assert_eq!(d.exec("c1", &["wc", "-c", "/dev/shm/file"]).split_whitespace().next(), Some("104857600"));
    d.exec("c1", &["rm", "/dev/shm/file"]);
    d.lxc_ok(&["config", "set", "c1", "limits.memory", "50MB"]);
}

#[test]
fn memory_goes_to_swap_as_it_is_told() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "my-container"]);
    let swappiness = |d: &TestDaemon| group(d, "my-container", &["memory.swappiness"]);
    let swap_max = |d: &TestDaemon| group(d, "my-container", &["memory.swap.max"]);
    let before = swappiness(&d);
    d.lxc_ok(&["config", "set", "my-container", "limits.memory.swap", "false"]);
    match (&before, swap_max(&d)) {
        (Some(_), _) => assert_eq!(swappiness(&d).as_deref(), Some("0")),
        (None, Some(max)) => assert_eq!(max, "0"),
        (None, None) => skip!("swap is not accounted for"),
    }
    d.lxc_ok(&["config", "unset", "my-container", "limits.memory.swap"]);
    d.lxc_ok(&["config", "set", "my-container", "limits.memory.swap.priority", "0"]);
    match &before {
        Some(before) => {
            let usual: u64 = before.parse().unwrap();
            assert_eq!(swappiness(&d).unwrap().parse::<u64>().unwrap(), (usual + 10).min(100.max(usual)));
            d.lxc_ok(&["config", "unset", "my-container", "limits.memory.swap.priority"]);
            assert_eq!(swappiness(&d).as_ref(), Some(before));
        }
        None => assert_eq!(swap_max(&d).as_deref(), Some("max")),
    }
}

/// Tells the kernel to take memory back from a container; false where it cannot be told.
fn press(d: &TestDaemon, container: &str) -> bool {
    let Some(dir) = directory(d, container, &["memory.reclaim", "memory.force_empty"]) else { return false };
    // What cannot be taken back is an error and none of ours.
    let _ = std::fs::write(dir.join("memory.reclaim"), "40M");
    let _ = std::fs::write(dir.join("memory.force_empty"), "0");
    true
}

#[test]
fn memory_stays_out_of_swap() {
    if std::fs::read_to_string("/proc/swaps").unwrap_or_default().lines().count() < 2 {
        skip!("the host has no swap");
    }
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "my-container", "-c", "limits.memory.swap=false"]);
    d.exec("my-container", &["dd", "if=/dev/zero", "of=/dev/shm/file", "bs=1M", "count=60"]);
    let swapped = || d.state("my-container")["memory"]["swap_usage"].as_u64().unwrap_or(0);
    if !press(&d, "my-container") {
        skip!("the kernel takes no memory back on demand");
    }
    assert!(swapped() < 1024 * 1024, "{} bytes went to swap", swapped());
    d.lxc_ok(&["config", "unset", "my-container", "limits.memory.swap"]);
    assert!(press(&d, "my-container"));
    assert!(swapped() > 10 * 1024 * 1024, "only {} bytes went to swap", swapped());
}

#[test]
fn processes_are_counted() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "limits.processes=200"]);
    assert_eq!(group(&d, "c1", &["pids.max"]).as_deref(), Some("200"));
    // An init that cannot fork while it starts ends.
    eventually("init is ready", || {
        d.lxc(&["console", "c1", "--show-log"]).text().contains("init: ready").then_some(())
    });
    d.lxc_ok(&["config", "set", "c1", "limits.processes", "20"]);
    let many = "for i in $(seq 1 40); do sleep 3 & done 2>&1; wait";
    let said = d.lxc(&["exec", "c1", "--", "sh", "-c", many]);
    assert!(said.text().contains("fork") || said.errors().contains("fork"), "{said:?}");
    d.lxc_ok(&["config", "set", "c1", "limits.processes", "500"]);
    let said = d.lxc(&["exec", "c1", "--", "sh", "-c", many]).expect_success();
    assert!(!said.text().contains("fork"), "{said:?}");
    d.lxc_ok(&["config", "set", "c1", "limits.processes", "15"]);
    assert_eq!(group(&d, "c1", &["pids.max"]).as_deref(), Some("15"));
    d.lxc_ok(&["config", "unset", "c1", "limits.processes"]);
    assert_eq!(group(&d, "c1", &["pids.max"]).as_deref(), Some("max"));
    for bad in ["0", "-1", "many"] {
        let refused = d.lxc_fails(&["config", "set", "c1", "limits.processes", bad]);
        assert!(refused.contains("limits.processes") && refused.contains("from 1"), "{refused}");
    }
}

#[test]
fn resource_limits_hold_for_init_and_programs_from_the_next_start() {
    let d = daemon!();
    let limits = ["limits.kernel.nofile=3000:4000", "limits.kernel.memlock=4096", "limits.kernel.core=0"];
    let mut launch = vec!["launch", "busybox", "c1"];
    for limit in &limits {
        launch.extend(["-c", limit]);
    }
    d.lxc_ok(&launch);
    for process in ["1", "self"] {
        let table = d.exec("c1", &["cat", &format!("/proc/{process}/limits")]);
        let row = |name: &str| {
            let line = table.lines().find(|line| line.starts_with(name)).unwrap();
            line[name.len()..].split_whitespace().take(2).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(row("Max open files"), "3000 4000", "{process}");
        assert_eq!(row("Max locked memory"), "4096 4096", "{process}");
        assert_eq!(row("Max core file size"), "0 0", "{process}");
    }
    d.lxc_ok(&["config", "set", "c1", "limits.kernel.nofile", "5000"]);
    assert!(d.exec("c1", &["cat", "/proc/1/limits"]).contains("3000"), "init keeps what it has");
    d.lxc_ok(&["restart", "--force", "c1"]);
    assert_eq!(d.exec("c1", &["sh", "-c", "ulimit -n"]).trim(), "5000");
    let refused = d.lxc_fails(&["config", "set", "c1", "limits.kernel.files", "5"]);
    assert!(refused.contains("limits.kernel.files") && refused.contains("nofile"), "{refused}");
    let refused = d.lxc_fails(&["config", "set", "c1", "limits.kernel.nofile", "5:4"]);
    assert!(refused.contains("1000:2000"), "{refused}");
}

#[test]
fn a_number_of_processors_is_chosen_and_balanced() {
    if processors() < 2 {
        skip!("there is one processor");
    }
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "a", "-c", "limits.cpu=1"]);
    assert_eq!(d.exec("a", &["nproc"]).trim(), "1", "from the first moment on");
    d.lxc_ok(&["launch", "busybox", "b"]);
    assert_eq!(d.exec("b", &["nproc"]).trim(), processors().to_string());
    d.lxc_ok(&["config", "set", "b", "limits.cpu", "1"]);
    assert_eq!(d.exec("b", &["nproc"]).trim(), "1");
    assert_ne!(allowed(&d, "a"), allowed(&d, "b"), "each has one of its own");
    // Pinned to the one that the first has: the first makes room.
    let taken = allowed(&d, "a");
    d.lxc_ok(&["config", "set", "b", "limits.cpu", &format!("{taken}-{taken}")]);
    assert_eq!(allowed(&d, "b"), taken);
    assert_ne!(allowed(&d, "a"), taken);
    d.lxc_ok(&["launch", "busybox", "c", "-c", "limits.cpu=100"]);
    assert_eq!(d.exec("c", &["nproc"]).trim(), processors().to_string());
    // When one ends, the others are spread over what it used.
    d.lxc_ok(&["config", "set", "b", "limits.cpu", "1"]);
    d.lxc_ok(&["stop", "--force", "c"]);
    d.lxc_ok(&["config", "set", "a", "limits.cpu", "0-1"]);
    assert_eq!(allowed(&d, "a"), "0-1");
    d.lxc_ok(&["stop", "--force", "a"]);
    d.lxc_ok(&["start", "a"]);
    assert_eq!(allowed(&d, "a"), "0-1");
    d.lxc_ok(&["config", "unset", "b", "limits.cpu"]);
    assert_eq!(d.exec("b", &["nproc"]).trim(), processors().to_string());
}

#[test]
fn containers_make_room_when_others_come_and_go() {
    if processors() < 2 {
        skip!("there is one processor");
    }
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "z", "-c", "limits.cpu=1"]);
    assert_eq!(allowed(&d, "z"), "0");
    d.lxc_ok(&["launch", "busybox", "a", "-c", "limits.cpu=0-0"]);
    eventually("the pinned one has it alone", || (allowed(&d, "z") == "1").then_some(()));
    d.lxc_ok(&["stop", "--force", "a"]);
    eventually("what it left is used again", || (allowed(&d, "z") == "0").then_some(()));
}

#[test]
fn sets_of_processors_leave_out_what_is_not_there() {
    if processors() != 2 {
        skip!("made for two processors");
    }
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "my-container"]);
    for (wanted, has) in [("2", "0-1"), ("1,3", "1"), ("0-3,7-11", "0-1"), ("0-0", "0")] {
        d.lxc_ok(&["config", "set", "my-container", "limits.cpu", wanted]);
        assert_eq!(allowed(&d, "my-container"), has, "{wanted}");
    }
    let refused = d.lxc_fails(&["config", "set", "my-container", "limits.cpu", "5-7"]);
    assert!(refused.contains("5-7") && refused.contains("0-1"), "{refused}");
    assert_eq!(allowed(&d, "my-container"), "0");
    d.lxc_fails(&["config", "set", "my-container", "limits.cpu", "0"]);
}

#[test]
fn profiles_limit_every_container_that_uses_them() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "snappy"]);
    d.lxc_ok(&["launch", "busybox", "own", "-c", "limits.processes=77"]);
    d.lxc_ok(&["profile", "set", "default", "limits.cpu", "1"]);
    d.lxc_ok(&["profile", "set", "default", "limits.processes", "55"]);
    for name in ["snappy", "own"] {
        assert_eq!(d.exec(name, &["nproc"]).trim(), "1");
    }
    assert_eq!(group(&d, "snappy", &["pids.max"]).as_deref(), Some("55"));
    assert_eq!(group(&d, "own", &["pids.max"]).as_deref(), Some("77"), "its own comes first");
    d.lxc_ok(&["profile", "unset", "default", "limits.cpu"]);
    d.lxc_ok(&["profile", "unset", "default", "limits.processes"]);
    assert_eq!(d.exec("snappy", &["nproc"]).trim(), processors().to_string());
    assert_eq!(group(&d, "snappy", &["pids.max"]).as_deref(), Some("max"));
}

/// Processor time that a container used, in seconds.
fn cpu_seconds(d: &TestDaemon, container: &str) -> f64 {
    d.state(container)["cpu"]["usage"].as_f64().unwrap() / 1e9
}

#[test]
fn processor_time_is_bounded() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "my-container"]);
    d.lxc_ok(&["config", "set", "my-container", "limits.cpu.allowance", "25ms/200ms"]);
    let busy = ["exec", "my-container", "--", "sh", "-c", "timeout 4 sh -c 'while :; do :; done'; true"];
    let measure = || {
        let (used, began) = (cpu_seconds(&d, "my-container"), Instant::now());
        d.lxc_ok(&busy);
        (cpu_seconds(&d, "my-container") - used) / began.elapsed().as_secs_f64()
    };
    let share = measure();
    assert!(share < 0.2, "an eighth is allowed, {share} was used");
    assert!(share > 0.01, "{share}");
    d.lxc_ok(&["config", "unset", "my-container", "limits.cpu.allowance"]);
    let files = group(&d, "my-container", &["cpu.cfs_quota_us", "cpu.max"]).unwrap();
    assert!(files == "-1" || files.starts_with("max"), "{files}");
    for bad in ["25ms/2000ms", "0ms/10ms", "50", "x"] {
        let refused = d.lxc_fails(&["config", "set", "my-container", "limits.cpu.allowance", bad]);
        assert!(refused.contains("limits.cpu.allowance"), "{refused}");
    }
}

#[test]
fn processor_shares_count_when_two_want_the_same_processor() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "much", "-c", "limits.cpu=0-0"]);
    d.lxc_ok(&["launch", "busybox", "little", "-c", "limits.cpu=0-0", "-c", "limits.cpu.allowance=10%"]);
    d.lxc_ok(&["config", "set", "much", "limits.cpu.priority", "10"]);
    let busy = "timeout 6 sh -c 'while :; do :; done'; true";
    let run = |name: &str| testkit::spawn(d.lxc_command().args(["exec", name, "--", "sh", "-c", busy]));
    let before = (cpu_seconds(&d, "much"), cpu_seconds(&d, "little"));
    let (first, second) = (run("much"), run("little"));
    let limit = std::time::Duration::from_secs(120);
    let _ = (first.wait(limit), second.wait(limit));
    let (much, little) = (cpu_seconds(&d, "much") - before.0, cpu_seconds(&d, "little") - before.1);
    assert!(much > 2.5 * little, "{much} against {little}");
    d.lxc_ok(&["config", "set", "little", "limits.cpu.priority", "0"]);
    let shares = group(&d, "little", &["cpu.shares", "cpu.weight"]).unwrap();
    assert!(["114", "1"].contains(&shares.as_str()), "{shares}");
}
