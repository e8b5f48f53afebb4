//! Limits of disks, measured inside, and what a host cannot limit.

use std::time::{Duration, Instant};
use testkit::{TestDaemon, daemon, run, skip};

/// What the kernel limits for a container in one of these files, without the whole devices' order.
fn limits(d: &TestDaemon, container: &str, v1: &str) -> Option<String> {
    crate::limits::group(d, container, &[v1, "io.max"])
}

/// How long a command takes inside.
fn time(d: &TestDaemon, container: &str, command: &str) -> Duration {
    let began = Instant::now();
    d.exec(container, &["sh", "-c", command]);
    began.elapsed()
}

const READ: &str = "blkio.throttle.read_bps_device";
const WRITE: &str = "blkio.throttle.write_bps_device";

/// A container with a root device of its own, or why there is nothing to try.
fn launch(d: &TestDaemon) -> Result<(), &'static str> {
    d.lxc_ok(&["launch", "busybox", "my-container"]);
    if limits(d, "my-container", READ).is_none() {
        return Err("the kernel cannot limit block devices");
    }
    d.lxc_ok(&["config", "device", "override", "my-container", "root"]);
    let set = d.lxc(&["config", "device", "set", "my-container", "root", "limits.read", "30MB"]);
    if set.errors().contains("doesn't support quotas") {
        return Err("/tmp lies on no block device");
    }
    let _ = set.expect_success();
    Ok(())
}

#[test]
fn reading_and_writing_are_slowed_down_while_it_runs() {
    let d = daemon!();
    if let Err(reason) = launch(&d) {
        skip!("{reason}");
    }
    let has = |file: &str, text: &str| limits(&d, "my-container", file).unwrap().contains(text);
    assert!(has(READ, "30000000"));
    let set = |key: &str, value: &str| {
        d.lxc_ok(&["config", "device", "set", "my-container", "root", key, value]);
    };
    d.exec("my-container", &["dd", "if=/dev/zero", "of=/file", "bs=1M", "count=12", "conv=fsync"]);
    let read = "dd if=/file of=/dev/null bs=1M count=12 iflag=direct 2>&1";
    set("limits.read", "4MB");
    let took = time(&d, "my-container", read);
    assert!(took > Duration::from_millis(2300), "12 MB at 4 MB a second took {took:?}");
    d.lxc_ok(&["config", "device", "set", "my-container", "root.limits.write", "4MB"]);
    let took = time(&d, "my-container", "dd if=/dev/zero of=/other bs=1M count=12 oflag=direct 2>&1");
    assert!(took > Duration::from_millis(2300), "12 MB at 4 MB a second took {took:?}");
    // Operations instead of bytes, as people spell them.
    set("limits.read", "20Iops");
    set("limits.write", "10Iops");
    assert!(!has(READ, "4000000") && !has(WRITE, "4000000"));
    let took = time(&d, "my-container", "dd if=/file of=/dev/null bs=4k count=60 iflag=direct 2>&1");
    assert!(took > Duration::from_millis(1900), "60 reads at 20 a second took {took:?}");
    d.lxc_ok(&["config", "device", "unset", "my-container", "root", "limits.read"]);
    d.lxc_ok(&["config", "device", "unset", "my-container", "root", "limits.write"]);
    for file in ["blkio.throttle.read_iops_device", "blkio.throttle.write_iops_device"] {
        assert_eq!(limits(&d, "my-container", file).as_deref(), Some(""), "{file}");
    }
    set("limits.max", "8MB");
    assert!(has(READ, "8000000") && has(WRITE, "8000000"));
    d.lxc_ok(&["restart", "--force", "my-container"]);
    assert!(has(READ, "8000000") && has(WRITE, "8000000"), "also from the start");
}

#[test]
fn disks_on_one_device_get_the_mean() {
    let d = daemon!();
    if let Err(reason) = launch(&d) {
        skip!("{reason}");
    }
    let data = d.scratch().join("data");
    std::fs::create_dir(&data).unwrap();
    let source = format!("source={}", data.display());
    let add = ["config", "device", "add", "my-container", "data", "disk", &source, "path=/data"];
    d.lxc_ok(&[&add[..], &["limits.read=10MB"]].concat());
    assert!(limits(&d, "my-container", READ).unwrap().contains("20000000"), "of 30 and 10");
    d.lxc_ok(&["config", "device", "set", "my-container", "data", "limits.read", "20MB"]);
    assert!(limits(&d, "my-container", READ).unwrap().contains("25000000"), "of 30 and 20");
    d.lxc_ok(&["restart", "--force", "my-container"]);
    assert!(limits(&d, "my-container", READ).unwrap().contains("25000000"));
    d.lxc_ok(&["config", "device", "remove", "my-container", "data"]);
    assert!(limits(&d, "my-container", READ).unwrap().contains("30000000"));
    // The same through a profile.
    d.lxc_ok(&["config", "device", "remove", "my-container", "root"]);
    assert_eq!(limits(&d, "my-container", READ).as_deref(), Some(""));
    d.lxc_ok(&["profile", "device", "set", "default", "root", "limits.read", "7MB"]);
    assert!(limits(&d, "my-container", READ).unwrap().contains("7000000"));
}

#[test]
fn a_loop_device_is_limited_itself() {
    let d = daemon!();
    if let Err(reason) = launch(&d) {
        skip!("{reason}");
    }
    let (image, mounted) = (d.scratch().join("image"), d.scratch().join("mounted"));
    std::fs::create_dir(&mounted).unwrap();
    std::fs::File::create(&image).unwrap().set_len(64 << 20).unwrap();
    if testkit::find_program("mkfs.ext4").is_none() {
        skip!("mkfs.ext4 is not installed");
    }
    let _ = run(d.inside("mkfs.ext4").args(["-q", "-F"]).arg(&image)).expect_success();
    let mount = run(d.inside("mount").args(["-o", "loop"]).arg(&image).arg(&mounted));
    if !mount.status.success() {
        skip!("no loop devices: {}", mount.errors());
    }
    std::fs::write(d.scratch().join("x"), "").unwrap();
    d.lxc_ok(&["stop", "--force", "my-container"]);
    let source = format!("source={}", mounted.display());
    d.lxc_ok(&[
        "config",
        "device",
        "add",
        "my-container",
        "data",
        "disk",
        &source,
        "path=/data",
        "limits.max=4MB",
    ]);
    d.lxc_ok(&["start", "my-container"]);
    let shown = limits(&d, "my-container", READ).unwrap();
    let devices: Vec<&str> = shown.lines().filter_map(|line| line.split(' ').next()).collect();
    assert!(devices.iter().any(|device| device.starts_with("7:")), "{shown}");
    assert!(devices.len() > 1 && shown.contains("17000000"), "what its file lies on has the mean: {shown}");
    let _ = run(d.inside("chmod").arg("777").arg(&mounted)).expect_success();
    let took = time(&d, "my-container", "dd if=/dev/zero of=/data/file bs=1M count=12 oflag=direct 2>&1");
    assert!(took > Duration::from_millis(2300), "12 MB at 4 MB a second took {took:?}");
}

/// A file system on a loop device whose requests are put in order by BFQ, the scheduler that knows
/// weights.
fn with_weights(d: &TestDaemon) -> Result<std::path::PathBuf, String> {
    let (image, mounted) = (d.scratch().join("image"), d.scratch().join("mounted"));
    std::fs::create_dir(&mounted).unwrap();
    std::fs::File::create(&image).unwrap().set_len(200 << 20).unwrap();
    if testkit::find_program("mkfs.ext4").is_none() {
        return Err("mkfs.ext4 is not installed".to_owned());
    }
    let _ = run(d.inside("mkfs.ext4").args(["-q", "-F"]).arg(&image)).expect_success();
    let mount = run(d.inside("mount").args(["-o", "loop"]).arg(&image).arg(&mounted));
    if !mount.status.success() {
        return Err(format!("no loop devices: {}", mount.errors()));
    }
    let mounts = run(d.inside("cat").arg("/proc/self/mounts")).text();
    let line = mounts.lines().find(|line| line.contains(&*mounted.to_string_lossy())).unwrap();
    let device = line.split(' ').next().unwrap().trim_start_matches("/dev/");
    let queue = format!("/sys/block/{device}/queue");
    std::fs::write(format!("{queue}/scheduler"), "bfq")
        .map_err(|e| format!("no scheduler with weights: {e}"))?;
    // Who begins is not helped.
    let _ = std::fs::write(format!("{queue}/iosched/low_latency"), "0");
    let _ = run(d.inside("chmod").arg("777").arg(&mounted)).expect_success();
    Ok(mounted)
}

#[test]
fn a_priority_counts_when_two_want_the_same_disk() {
    let d = daemon!();
    let mounted = match with_weights(&d) {
        Ok(mounted) => mounted,
        Err(reason) => skip!("{reason}"),
    };
    for (name, priority) in [("much", "10"), ("little", "0")] {
        d.lxc_ok(&["launch", "busybox", name]);
        let source = format!("source={}", mounted.display());
        d.lxc_ok(&["config", "device", "add", name, "data", "disk", &source, "path=/data"]);
        d.exec(name, &["dd", "if=/dev/zero", &format!("of=/data/{name}"), "bs=1M", "count=64", "conv=fsync"]);
        // Set while it runs.
        d.lxc_ok(&["config", "set", name, "limits.disk.priority", priority]);
    }
    let files = ["blkio.bfq.weight", "io.bfq.weight"];
    if crate::limits::group(&d, "much", &files).is_none() {
        skip!("the kernel has no weights for control groups");
    }
    let read = |name: &str| {
        let script = format!(
            "end=$(($(date +%s)+8)); for reader in 1 2 3; do ( \
             while [ $(date +%s) -lt $end ]; do \
             dd if=/data/{name} of=/dev/null bs=256k iflag=direct 2>/dev/null && echo x; done ) & done; wait"
        );
        testkit::spawn(d.lxc_command().args(["exec", name, "--", "sh", "-c", &script]))
    };
    let (much, little) = (read("much"), read("little"));
    let count = |running: testkit::Running| {
        running.wait(Duration::from_secs(300)).expect_success().text().lines().count()
    };
    let (much, little) = (count(much), count(little));
    assert!(much * 2 > little * 3, "{much} pieces against {little}");
}

#[test]
fn what_lies_on_no_device_is_refused() {
    let d = daemon!();
    if let Err(reason) = launch(&d) {
        skip!("{reason}");
    }
    let memory = d.scratch().join("memory");
    std::fs::create_dir(&memory).unwrap();
    let _ = run(d.inside("mount").args(["-t", "tmpfs", "none"]).arg(&memory)).expect_success();
    let source = format!("source={}", memory.display());
    let add = [
        "config",
        "device",
        "add",
        "my-container",
        "data",
        "disk",
        &source,
        "path=/data",
        "limits.read=10MB",
    ];
    let refused = d.lxc_fails(&add);
    assert!(refused.contains("doesn't support quotas") && refused.contains("tmpfs"), "{refused}");
    assert_eq!(d.lxc_ok(&["config", "device", "list", "my-container"]), "root\n");
    let missing =
        ["config", "device", "add", "my-container", "data", "disk", "source=/no/where", "path=/data"];
    d.lxc_ok(&[&missing[..], &["limits.read=10MB", "optional=true"]].concat());
    let refused = d.lxc_fails(&["config", "device", "set", "my-container", "root", "limits.read", "10MB/s"]);
    assert!(refused.contains("limits.read") && refused.contains("iops"), "{refused}");
}

#[test]
fn a_size_is_refused_with_a_reason() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "my-container"]);
    d.lxc_ok(&["config", "device", "override", "my-container", "root"]);
    let refused = d.lxc_fails(&["config", "device", "set", "my-container", "root", "size", "20GB"]);
    assert!(refused.contains("size") && refused.contains("root") && refused.contains("dir"), "{refused}");
    assert_eq!(d.lxc_ok(&["config", "device", "get", "my-container", "root", "size"]).trim(), "");
}

#[test]
fn keys_without_effect_on_this_host_are_named() {
    let d = daemon!();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    let named = mounts.lines().any(|line| line.starts_with("cgroup ") && line.contains("net_prio"));
    let info = d.lxc_ok(&["info"]);
    let warning = info.lines().find(|line| line.contains("limits.network.priority"));
    assert_eq!(warning.is_none(), named, "{info}");
    if let Some(warning) = warning {
        assert!(warning.contains("net_prio"), "{warning}");
        assert_eq!(d.log().matches("limits.network.priority").count() % 2, 0, "once in each of two logs");
    }
    assert!(!info.contains("limits.processes"), "{info}");
    // It is kept all the same.
    d.lxc_ok(&["launch", "busybox", "my-container"]);
    d.lxc_ok(&["config", "set", "my-container", "limits.network.priority", "5"]);
    d.lxc_ok(&["config", "set", "my-container", "limits.disk.priority", "10"]);
    assert_eq!(d.lxc_ok(&["config", "get", "my-container", "limits.network.priority"]).trim(), "5");
    let files = ["blkio.weight", "blkio.bfq.weight", "io.weight", "io.bfq.weight"];
    let weight = crate::limits::group(&d, "my-container", &files);
    assert_eq!(weight.is_none(), info.contains("limits.disk.priority"), "{info}");
    if let Some(weight) = weight {
        assert!(weight.contains("1000"), "{weight}");
    }
    if named {
        let priorities = crate::limits::group(&d, "my-container", &["net_prio.ifpriomap"]).unwrap();
        // Those of the daemon's own network namespace are not known to the kernel here.
        assert!(priorities.contains("lo 5"), "{priorities}");
    }
}
