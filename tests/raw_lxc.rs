//! `raw.lxc`: what its lines do, seen from inside.

use testkit::{TestDaemon, daemon};

/// A container with these lines.
fn launch(d: &TestDaemon, name: &str, lines: &str, more: &[&str]) {
    let raw = format!("raw.lxc={lines}");
    let mut arguments = vec!["launch", "busybox", name, "-c", &raw];
    arguments.extend(more);
    d.lxc_ok(&arguments);
}

#[test]
fn mounts_are_there_with_their_flags_and_only_in_this_container() {
    let d = daemon!();
    let shared = d.scratch().join("sha red");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("f"), "from the host").unwrap();
    let source = shared.display().to_string().replace(' ', "\\040");
    launch(
        &d,
        "c1",
        &format!(
            "lxc.mount.entry = {source} srv/data none bind,ro,nosuid,nodev,create=dir 0 0\n\
             lxc.mount.entry = tmpfs opt tmpfs size=64k,mode=750,noexec,create=dir 0 0\n\
             lxc.mount.entry = /no/such/place mnt none bind,optional 0 0"
        ),
        &[],
    );
    assert_eq!(d.exec("c1", &["cat", "/srv/data/f"]), "from the host");
    assert_ne!(d.lxc(&["exec", "c1", "--", "touch", "/srv/data/g"]).code(), 0);
    let mounts = d.exec("c1", &["cat", "/proc/self/mountinfo"]);
    let line = |place: &str| {
        let found = mounts.lines().find(|line| line.split(' ').nth(4) == Some(place));
        found.unwrap_or_else(|| panic!("{place} is not in {mounts}")).to_owned()
    };
    let flags = line("/srv/data");
    assert!(flags.contains("ro,") && flags.contains("nosuid") && flags.contains("nodev"), "{flags}");
    let memory = line("/opt");
    assert!(memory.contains("noexec") && memory.contains("size=64k") && memory.contains("tmpfs"), "{memory}");
    assert_eq!(d.exec("c1", &["stat", "-c", "%a", "/opt"]).trim(), "750");
    d.lxc_ok(&["launch", "busybox", "c2"]);
    assert_ne!(d.lxc(&["exec", "c2", "--", "test", "-e", "/srv/data"]).code(), 0);
    d.lxc_ok(&["stop", "--force", "c1"]);
    let left = testkit::run(d.inside("cat").arg("/proc/self/mountinfo")).text();
    assert!(!left.contains("srv/data"), "{left}");
}

#[test]
fn capabilities_are_gone_for_init_and_for_programs() {
    let d = daemon!();
    let bounding = |name: &str, status: &str| {
        let line = d.exec(name, &["grep", "^CapBnd", status]);
        u64::from_str_radix(line.split_whitespace().nth(1).unwrap(), 16).unwrap()
    };
    launch(&d, "c1", "lxc.cap.drop = net_raw sys_admin", &[]);
    for status in ["/proc/1/status", "/proc/self/status"] {
        let bits = bounding("c1", status);
        assert_eq!((bits >> 13 & 1, bits >> 21 & 1, bits & 1), (0, 0, 1), "{bits:x}");
    }
    assert_ne!(d.lxc(&["exec", "c1", "--", "mount", "-t", "tmpfs", "x", "/mnt"]).code(), 0);
    launch(&d, "c2", "lxc.cap.keep = chown setuid setgid kill", &[]);
    assert_eq!(bounding("c2", "/proc/1/status"), 1 | 1 << 5 | 1 << 6 | 1 << 7);
    launch(&d, "c3", "lxc.cap.drop =", &["-c", "security.privileged=true"]);
    assert_eq!(bounding("c3", "/proc/self/status") >> 25 & 1, 1, "nothing is dropped");
}

#[test]
fn sysctls_environment_init_and_files_of_init_are_set() {
    let d = daemon!();
    launch(
        &d,
        "c1",
        "lxc.sysctl.net.ipv4.ip_forward = 1\nlxc.sysctl.kernel.msgmax = 9000\n\
         lxc.environment = COLOUR=blue\nlxc.environment = container=other\n\
         lxc.init.cmd = /bin/sh -c 'while :; do sleep 1; done' \"two words\"\nlxc.proc.oom_score_adj = 123",
        &["-c", "environment.COLOUR=red"],
    );
    assert_eq!(d.exec("c1", &["cat", "/proc/sys/net/ipv4/ip_forward"]).trim(), "1");
    assert_eq!(d.exec("c1", &["cat", "/proc/sys/kernel/msgmax"]).trim(), "9000");
    assert_eq!(d.exec("c1", &["cat", "/proc/1/oom_score_adj"]).trim(), "123");
    let environment = d.exec("c1", &["sh", "-c", "tr '\\0' '\\n' < /proc/1/environ"]);
    let lines: Vec<&str> = environment.lines().collect();
    assert!(lines.contains(&"COLOUR=blue") && lines.contains(&"container=other"), "{environment}");
    assert!(!lines.contains(&"COLOUR=red") && !lines.contains(&"container=lxc"), "{environment}");
    let command = d.exec("c1", &["sh", "-c", "tr '\\0' '|' < /proc/1/cmdline"]);
    assert!(command.starts_with("/bin/sh|-c|while") && command.ends_with("|two words|"), "{command}");
}

#[test]
fn the_halt_signal_is_the_one_that_was_named() {
    let d = daemon!();
    let script = "trap 'echo asked > /asked; exit 0' TERM; while :; do sleep 0.1; done";
    launch(&d, "c1", &format!("lxc.init.cmd = /bin/sh -c \"{script}\"\nlxc.signal.halt = SIGTERM"), &[]);
    d.lxc_ok(&["stop", "c1", "--timeout", "60"]);
    let rootfs = d.lxd_dir().join("storage-pools/default/containers/c1/rootfs");
    assert_eq!(std::fs::read_to_string(rootfs.join("asked")).unwrap().trim(), "asked");
}

#[test]
fn trees_are_locked_opened_and_control_groups_are_there() {
    let d = daemon!();
    launch(&d, "c1", "lxc.mount.auto = proc:mixed sys:ro cgroup", &[]);
    let writes = |name: &str, path: &str| {
        d.lxc(&["exec", name, "--", "sh", "-c", &format!(": >> {path}")]).code() == 0
    };
    let sys = d.exec("c1", &["sh", "-c", "grep ' /sys sysfs ' /proc/mounts"]);
    assert!(sys.contains(" ro,"), "{sys}");
    assert!(!writes("c1", "/proc/sys/kernel/domainname") && writes("c1", "/proc/sys/net/ipv4/ip_forward"));
    let groups = d.exec("c1", &["grep", "cgroup", "/proc/mounts"]);
    assert!(groups.contains("/sys/fs/cgroup"), "{groups}");
    launch(&d, "c2", "lxc.mount.auto = proc:rw sys:rw", &["-c", "security.privileged=true"]);
    let sys = d.exec("c2", &["sh", "-c", "grep ' /sys sysfs ' /proc/mounts"]);
    assert!(sys.contains(" rw,"), "{sys}");
    assert!(writes("c2", "/proc/sys/kernel/domainname"));
}

#[test]
fn control_groups_take_what_the_lines_say() {
    let d = daemon!();
    // The name of no other test's container: all of them see the same groups.
    launch(&d, "raw77", "lxc.cgroup.pids.max = 77\nlxc.cgroup2.pids.max = 77", &[]);
    let told = testkit::run(
        d.inside("sh")
            .args(["-c", "cat $(find /sys/fs/cgroup -path '*/raw77/pids.max' 2>/dev/null) | head -1"]),
    );
    assert_eq!(told.text().trim(), "77");
}

#[test]
fn addresses_and_routes_are_set() {
    let d = daemon!();
    launch(
        &d,
        "c1",
        "lxc.net.0.ipv4.address = 10.177.0.77/24\nlxc.net.0.ipv4.gateway = 10.177.0.1\n\
         lxc.net.0.ipv6.address = fd00:77::2/64\n\
         lxc.init.cmd = /bin/sh -c 'while :; do sleep 1; done'",
        &[],
    );
    let addresses = d.exec("c1", &["ip", "addr", "show", "eth0"]);
    assert!(addresses.contains("10.177.0.77/24") && addresses.contains("fd00:77::2/64"), "{addresses}");
    let routes = d.exec("c1", &["ip", "route"]);
    assert!(routes.contains("default via 10.177.0.1"), "{routes}");
    d.exec("c1", &["ping", "-c", "1", "-W", "5", "10.177.0.1"]);
    let raw = "raw.lxc=lxc.net.3.ipv4.address = 10.0.0.1/8";
    let said = d.lxc_fails(&["launch", "busybox", "c2", "-c", raw]);
    assert!(said.contains("interface 3"), "{said}");
}

#[test]
fn ids_of_the_host_are_mapped() {
    let d = daemon!();
    launch(&d, "c1", "lxc.idmap = u 1000 1234 1\nlxc.id_map = g 1000 1235 1", &[]);
    let map = |file: &str| d.exec("c1", &["cat", file]);
    let fields = |text: &str| -> Vec<Vec<String>> {
        text.lines().map(|l| l.split_whitespace().map(str::to_owned).collect()).collect()
    };
    assert!(fields(&map("/proc/1/uid_map")).contains(&["1000", "1234", "1"].map(str::to_owned).to_vec()));
    assert!(fields(&map("/proc/1/gid_map")).contains(&["1000", "1235", "1"].map(str::to_owned).to_vec()));
}

#[test]
fn other_lines_are_refused_when_they_are_set() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    for (lines, words) in [
        ("lxc.environment=A=b\nlxc.hook.pre-start=/bin/true", ["line 2", "lxc.hook.pre-start"]),
        ("lxc.prlimit.nofile=1", ["line 1", "limits.kernel"]),
        ("lxc.log.file=/x", ["line 1", "not allowed"]),
        ("lxc.net.0.link=eth0", ["line 1", "nic device"]),
        ("lxc.mount.entry=/dev/sda1 x ext4 rw 0 0", ["line 1", "disk device"]),
        ("lxc.cap.drop", ["line 1", "key = value"]),
    ] {
        let said = d.lxc_fails(&["config", "set", "c1", "raw.lxc", lines]);
        assert!(words.iter().all(|word| said.contains(word)) && said.contains("raw.lxc"), "{lines}: {said}");
    }
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "raw.lxc"]).trim(), "");
}

#[test]
fn devices_can_be_allowed_and_denied() {
    let d = daemon!();
    let privileged = ["-c", "security.privileged=true"];
    launch(&d, "c1", "lxc.cgroup.devices.deny = c 1:8 rwm", &privileged);
    assert_ne!(d.lxc(&["exec", "c1", "--", "head", "-c", "1", "/dev/random"]).code(), 0);
    d.exec("c1", &["head", "-c", "1", "/dev/urandom"]);
    launch(&d, "c2", "lxc.cgroup.devices.allow = c 1:11 rwm", &privileged);
    let open = "mknod /tmp/k c 1 11 && exec 3< /tmp/k";
    d.exec("c2", &["sh", "-c", open]);
    launch(&d, "c3", "", &privileged);
    assert_ne!(d.lxc(&["exec", "c3", "--", "sh", "-c", open]).code(), 0);
}
