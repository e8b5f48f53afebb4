//! AppArmor: each container is confined by a profile of its own, which goes when it goes.
//!
//! A kernel without AppArmor skips all of it.

use std::time::Duration;
use testkit::{TestDaemon, Unavailable, debian_image, eventually_within, or_skip};

const KERNEL: &str = "/sys/kernel/security/apparmor";

/// A daemon on a kernel that has AppArmor.
fn confining(builder: testkit::Builder) -> Result<TestDaemon, Unavailable> {
    if testkit::find_program("apparmor_parser").is_none() {
        return Err(Unavailable("apparmor_parser is not installed".to_owned()));
    }
    let d = builder.start()?;
    if testkit::run(d.inside("test").args(["-d", KERNEL])).code() != 0 {
        return Err(Unavailable("the kernel has no AppArmor".to_owned()));
    }
    Ok(d)
}

/// Names of the profiles that the kernel has loaded.
fn loaded(d: &TestDaemon) -> String {
    testkit::run(d.inside("cat").arg(format!("{KERNEL}/profiles"))).expect_success().text()
}

fn namespaces(d: &TestDaemon) -> String {
    testkit::run(d.inside("ls").arg(format!("{KERNEL}/policy/namespaces"))).expect_success().text()
}

/// The label of a process as the host sees it.
fn label(d: &TestDaemon, pid: i64) -> String {
    let file = format!("/proc/{pid}/attr/current");
    testkit::run(d.inside("cat").arg(file)).expect_success().text().trim().to_owned()
}

fn refused(d: &TestDaemon, name: &str, script: &str) {
    let tried = d.lxc(&["exec", name, "--", "sh", "-c", script]);
    assert_ne!(tried.code(), 0, "{script} was not refused: {tried:?}");
}

#[test]
fn a_container_is_confined_while_it_runs_and_nothing_stays_behind() {
    let mut d = or_skip!(confining(TestDaemon::builder()));
    let profile = format!("lxd-c1_<{}>", d.lxd_dir().display());
    let namespace = profile.replace("</", "<").replace('/', "-");
    d.lxc_ok(&["launch", "busybox", "c1"]);
    assert!(loaded(&d).contains(&profile), "{}", loaded(&d));
    let init = label(&d, d.init_pid("c1"));
    assert!(init.starts_with(&profile), "{init}");
    assert!(init.contains("//&:lxd-c1_<"), "it has a namespace of its own: {init}");
    // Seen from inside there is only what was loaded inside.
    assert!(d.exec("c1", &["cat", "/proc/self/attr/current"]).trim().starts_with("unconfined"));
    d.exec("c1", &["sh", "-c", "sleep 4321 >/dev/null 2>&1 &"]);
    let sleeper = testkit::run(d.inside("pidof").arg("sleep")).text();
    let labels: Vec<String> = sleeper.split_whitespace().map(|pid| label(&d, pid.parse().unwrap())).collect();
    assert!(labels.contains(&init), "a program that is run has init's label: {labels:?}");
    let file = d.lxd_dir().join("security/apparmor/profiles/lxd-c1");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);

    d.kill9();
    d.start_again();
    assert!(loaded(&d).contains(&profile), "a daemon that is started again leaves it alone");
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert!(!loaded(&d).contains(&profile), "{}", loaded(&d));
    assert!(!namespaces(&d).contains(&namespace), "{}", namespaces(&d));

    d.lxc_ok(&["start", "c1"]);
    let pid = d.init_pid("c1");
    d.kill9();
    let _ = testkit::run(d.inside("kill").args(["-9", &pid.to_string()])).expect_success();
    d.start_again();
    d.wait_status("c1", "Stopped");
    testkit::eventually("the profile of a container that ended meanwhile is gone", || {
        (!loaded(&d).contains(&profile) && !namespaces(&d).contains(&namespace)).then_some(())
    });
    d.lxc_ok(&["delete", "c1"]);
    assert!(!file.exists());
}

#[test]
fn writes_that_reach_the_hosts_kernel_are_denied() {
    let d = or_skip!(confining(TestDaemon::builder()));
    for (name, privileged) in [("plain", "false"), ("strong", "true")] {
        d.lxc_ok(&["launch", "busybox", name, "-c", &format!("security.privileged={privileged}")]);
        for path in [
            "/proc/sysrq-trigger",
            "/proc/sys/kernel/core_pattern",
            "/proc/sys/vm/panic_on_oom",
            "/sys/kernel/uevent_helper",
            "/sys/module/kernel/parameters/crash_kexec_post_notifiers",
        ] {
            refused(&d, name, &format!("test -e {path} || exit 9; : >> {path}"));
        }
        // What is its own stays writable.
        d.exec(name, &["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
        d.exec(name, &["sh", "-c", "mkdir -p /mnt/t && mount -t tmpfs tmpfs /mnt/t && umount /mnt/t"]);
        d.lxc_ok(&["delete", "--force", name]);
    }
}

#[test]
fn a_privileged_container_takes_proc_nowhere_unless_it_may_nest() {
    let d = or_skip!(confining(TestDaemon::builder()));
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "security.privileged=true"]);
    d.exec("c1", &["mkdir", "-p", "/mnt/p", "/mnt/a", "/mnt/b"]);
    d.exec("c1", &["mount", "--bind", "/mnt/a", "/mnt/b"]);
    refused(&d, "c1", "mount --bind /proc /mnt/p");
    refused(&d, "c1", "mount -t proc proc /mnt/p");
    refused(&d, "c1", "mount --rbind / /mnt/p");
    // The part of the profile that is about nesting follows at once.
    d.lxc_ok(&["config", "set", "c1", "security.nesting", "true"]);
    d.exec("c1", &["mount", "-t", "proc", "proc", "/mnt/p"]);
    d.exec("c1", &["umount", "/mnt/p"]);
    d.lxc_ok(&["config", "set", "c1", "security.nesting", "false"]);
    refused(&d, "c1", "mount -t proc proc /mnt/p");
}

#[test]
fn rules_of_ones_own_follow_at_once_and_wrong_ones_are_taken_back() {
    let d = or_skip!(confining(TestDaemon::builder()));
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.exec("c1", &["sh", "-c", "mkdir -p /srv && echo x > /srv/f"]);
    d.lxc_ok(&["config", "set", "c1", "raw.apparmor", "deny /srv/** w,"]);
    refused(&d, "c1", "echo y > /srv/f");
    assert_eq!(d.exec("c1", &["cat", "/srv/f"]).trim(), "x");
    let said = d.lxc_fails(&["config", "set", "c1", "raw.apparmor", "no such rule,"]);
    assert!(said.contains("AppArmor"), "{said}");
    assert_eq!(d.lxc_ok(&["config", "get", "c1", "raw.apparmor"]).trim(), "deny /srv/** w,");
    refused(&d, "c1", "echo y > /srv/f");
    d.lxc_ok(&["config", "unset", "c1", "raw.apparmor"]);
    d.exec("c1", &["sh", "-c", "echo y > /srv/f"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.lxc_ok(&["config", "set", "c1", "raw.apparmor", "no such rule,"]);
    let said = d.lxc_fails(&["start", "c1"]);
    assert!(said.contains("raw.apparmor"), "{said}");
    // Daemons of other tests may have been killed with theirs.
    let profile = format!("lxd-c1_<{}>", d.lxd_dir().display());
    assert!(!loaded(&d).contains(&profile), "{}", loaded(&d));
}

#[test]
fn systemd_comes_up_confined() {
    let image = or_skip!(debian_image());
    let d = or_skip!(confining(TestDaemon::builder().without_image()));
    let (metadata, rootfs) = (image.metadata.to_string_lossy(), image.rootfs.to_string_lossy());
    d.lxc_ok(&["image", "import", &metadata, &rootfs, "--alias", "debian/12"]);
    d.lxc_ok(&["launch", "debian/12", "c1"]);
    let state = eventually_within(Duration::from_secs(600), "systemd has come up", || {
        let state = d.lxc(&["exec", "c1", "--", "systemctl", "is-system-running"]).text().trim().to_owned();
        ["running", "degraded"].contains(&state.as_str()).then_some(state)
    });
    let failed = d.exec("c1", &["systemctl", "--failed", "--plain", "--no-legend"]);
    assert_eq!(state, "running", "{failed}");
    assert!(label(&d, d.init_pid("c1")).starts_with("lxd-c1_<"));
    // Services with users and networks of their own: systemd prepares them with locks on sockets.
    for own in ["DynamicUser=yes", "PrivateNetwork=yes", "PrivateDevices=yes", "ProtectSystem=strict"] {
        d.exec("c1", &["systemd-run", "--wait", "--quiet", "-p", own, "true"]);
    }
    let journal = d.exec("c1", &["journalctl", "-q", "-b", "-o", "cat"]);
    assert!(!journal.contains("namespace setup failed"), "{journal}");
}
