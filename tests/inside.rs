//! What a container looks like from inside.

use testkit::daemon;

#[test]
fn it_is_unprivileged_and_in_namespaces_of_its_own() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let map = d.exec("c1", &["cat", "/proc/self/uid_map"]);
    let map: Vec<&str> = map.split_whitespace().collect();
    assert_eq!((map[0], map[1]), ("0", "1000000"), "{map:?}");
    for kind in ["cgroup", "ipc", "mnt", "net", "pid", "user", "uts"] {
        let path = format!("/proc/self/ns/{kind}");
        let outside = std::fs::read_link(&path).unwrap();
        assert_ne!(d.exec("c1", &["readlink", &path]).trim(), outside.to_string_lossy(), "{kind}");
    }
    assert_eq!(d.exec("c1", &["id", "-u"]).trim(), "0");
    assert_eq!(d.exec("c1", &["stat", "-c", "%u:%g", "/bin/busybox"]).trim(), "0:0");
    let init = d.exec("c1", &["cat", "/proc/1/comm"]);
    assert_eq!(init.trim(), "init");
}

#[test]
fn a_privileged_container_has_the_hosts_ids() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "security.privileged=true"]);
    let map = d.exec("c1", &["cat", "/proc/self/uid_map"]);
    assert_eq!(map.split_whitespace().collect::<Vec<_>>(), ["0", "0", "4294967295"]);
    let capabilities = d.exec("c1", &["grep", "CapBnd", "/proc/self/status"]);
    let bits = u64::from_str_radix(capabilities.split_whitespace().nth(1).unwrap(), 16).unwrap();
    for (name, bit) in [("sys_module", 16), ("sys_rawio", 17), ("sys_time", 25)] {
        assert_eq!(bits >> bit & 1, 0, "{name} in {bits:x}");
    }
}

#[test]
fn init_knows_that_it_is_in_a_container() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "environment.COLOUR=blue"]);
    let environment = d.exec("c1", &["sh", "-c", "tr '\\0' '\\n' < /proc/1/environ"]);
    assert!(environment.lines().any(|l| l == "container=lxc"), "{environment}");
    assert!(environment.lines().any(|l| l == "COLOUR=blue"), "{environment}");
}

#[test]
fn devices_work_and_are_only_those_meant_to_be_there() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    for name in ["null", "zero", "full", "random", "urandom", "tty", "console"] {
        let _ = d.exec("c1", &["test", "-c", &format!("/dev/{name}")]);
    }
    for name in ["fuse", "net/tun"] {
        if std::path::Path::new("/dev").join(name).exists() {
            let _ = d.exec("c1", &["test", "-c", &format!("/dev/{name}")]);
        }
    }
    d.exec("c1", &["sh", "-c", "echo x > /dev/null; head -c 16 /dev/urandom | wc -c"]);
    assert_eq!(d.exec("c1", &["sh", "-c", "head -c 3 /dev/zero | od -An -tx1"]).trim(), "00 00 00");
    assert_ne!(d.lxc(&["exec", "c1", "--", "sh", "-c", "echo x > /dev/full"]).code(), 0);
    d.exec("c1", &["sh", "-c", "test -c /dev/ptmx && test -d /dev/shm && touch /dev/shm/x"]);
    let mounts = d.exec("c1", &["cat", "/proc/self/mounts"]);
    let devpts = mounts.lines().find(|l| l.split(' ').nth(1) == Some("/dev/pts"));
    assert!(devpts.is_some_and(|l| l.contains("ptmxmode=666")), "{mounts}");
    assert_ne!(d.lxc(&["exec", "c1", "--", "mknod", "/root/disk", "b", "8", "0"]).code(), 0);
    for name in ["kmsg", "mem", "sda", "vda"] {
        assert_ne!(d.lxc(&["exec", "c1", "--", "test", "-e", &format!("/dev/{name}")]).code(), 0, "{name}");
    }
}

#[test]
fn a_seccomp_policy_is_in_force_for_init_and_for_exec() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    for status in ["/proc/1/status", "/proc/self/status"] {
        let line = d.exec("c1", &["grep", "^Seccomp:", status]);
        assert_eq!(line.split_whitespace().nth(1), Some("2"), "{status}");
        let line = d.exec("c1", &["grep", "^NoNewPrivs:", status]);
        assert_eq!(line.split_whitespace().nth(1), Some("0"), "{status}");
    }
}

#[test]
fn it_cannot_reach_the_kernels_dangerous_files() {
    let d = daemon!();
    for (name, privileged) in [("plain", "false"), ("strong", "true")] {
        d.lxc_ok(&["launch", "busybox", name, "-c", &format!("security.privileged={privileged}")]);
        for path in ["/proc/sysrq-trigger", "/proc/sys/kernel/core_pattern", "/sys/kernel/uevent_helper"] {
            // Only the opening is tried: nothing is written.
            let tried =
                d.lxc(&["exec", name, "--", "sh", "-c", &format!("test -e {path} || exit 9; : >> {path}")]);
            assert_ne!(tried.code(), 0, "{path} in {name} could be opened for writing");
        }
        assert_ne!(d.lxc(&["exec", name, "--", "head", "-c", "1", "/proc/kcore"]).code(), 0);
        d.lxc_ok(&["delete", "--force", name]);
    }
}

#[test]
fn its_control_groups_are_its_own() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let groups = d.exec("c1", &["cat", "/proc/1/cgroup"]);
    for line in groups.lines() {
        assert!(
            line.ends_with(":/") || line.ends_with(":/init.scope"),
            "init sees a path of the host: {line}"
        );
    }
    let state = d.state("c1");
    assert!(state["processes"].as_i64() >= Some(1), "{state}");
    assert!(state["memory"]["usage"].as_i64() > Some(0), "{state}");
    assert!(state["cpu"]["usage"].as_i64() > Some(0), "{state}");
}

#[test]
fn no_descriptor_of_the_daemon_leaks_in() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    // The fourth is the directory that `ls` reads.
    assert_eq!(
        d.exec("c1", &["ls", "/proc/self/fd"]).split_whitespace().collect::<Vec<_>>(),
        ["0", "1", "2", "3"]
    );
    let init = d.exec("c1", &["ls", "-l", "/proc/1/fd"]);
    for line in init.lines().filter(|l| l.contains(" -> ")) {
        let target = line.rsplit(" -> ").next().unwrap_or_default();
        assert!(target.starts_with("/dev/") || target == "/sbin/init", "init holds {target}");
    }
}

#[test]
fn processes_left_by_exec_belong_to_the_container() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.exec("c1", &["sh", "-c", "sleep 1234 >/dev/null 2>&1 &"]);
    let seen = d.exec("c1", &["ps"]);
    assert!(seen.contains("sleep 1234"), "{seen}");
    let outside = testkit::run(d.inside("ps").args(["ax", "-o", "args"])).text();
    assert!(outside.contains("sleep 1234"), "{outside}");
    d.lxc_ok(&["stop", "--force", "c1"]);
    let outside = testkit::run(d.inside("ps").args(["ax", "-o", "args"])).text();
    assert!(!outside.contains("sleep 1234"), "{outside}");
}
