//! The host boots, goes down and loses its power; containers start, stop, reboot and end by themselves.

use std::time::{Duration, Instant};
use testkit::{Signal, TestDaemon, daemon, eventually, run, spawn};

/// When a container's init was started, in ticks since the host booted.
fn started_at(d: &TestDaemon, name: &str) -> u64 {
    let pid = d.init_pid(name).to_string();
    let stat = run(d.inside("cat").arg(format!("/proc/{pid}/stat"))).expect_success().text();
    stat.rsplit(") ").next().unwrap().split(' ').nth(19).unwrap().parse().unwrap()
}

fn power(d: &TestDaemon, name: &str) -> String {
    d.lxc_ok(&["config", "get", name, "volatile.last_state.power"]).trim().to_owned()
}

#[test]
fn a_boot_of_the_host_starts_what_should_run_and_nothing_else() {
    let mut d = daemon!();
    for name in ["ran", "never", "also"] {
        d.lxc_ok(&["launch", "busybox", name]);
    }
    d.lxc_ok(&["config", "set", "never", "boot.autostart", "false"]);
    for name in ["always", "idle"] {
        d.lxc_ok(&["init", "busybox", name]);
    }
    d.lxc_ok(&["config", "set", "always", "boot.autostart", "true"]);
    d.lxc_ok(&["stop", "--force", "also"]);
    d.lxc_ok(&["launch", "-e", "busybox", "once"]);
    d.lxc_ok(&["init", "-e", "busybox", "later"]);
    d.cut_power();
    d.start_again();
    let status = |name: &str| d.status(name);
    assert_eq!((status("ran").as_str(), status("always").as_str()), ("Running", "Running"));
    for name in ["never", "also", "idle", "later"] {
        assert_eq!(d.status(name), "Stopped", "{name}");
    }
    assert_eq!(d.status("once"), "", "an ephemeral container lives once");
    assert_eq!(d.exec("ran", &["hostname"]), "ran\n");
}

#[test]
fn a_restart_of_the_daemon_starts_nothing() {
    let mut d = daemon!();
    for name in ["c1", "c2"] {
        d.lxc_ok(&["launch", "busybox", name]);
    }
    d.lxc_ok(&["init", "busybox", "always", "-c", "boot.autostart=true"]);
    d.lxc_ok(&["launch", "-e", "busybox", "once"]);
    let before = d.init_pid("c1");
    d.kill9();
    let inits = run(d.inside("pgrep").args(["-x", "init"])).text();
    let others: Vec<&str> = inits.split_whitespace().filter(|pid| *pid != before.to_string()).collect();
    assert_eq!(others.len(), 2, "{inits}");
    // The keeper sees one of them end; of the other nobody does.
    let kill = "kill -9 $1; sleep 0.2; pkill -KILL -x lxd-keeper; kill -9 $2";
    let _ = run(d.inside("sh").args(["-c", kill, "kill"]).args(&others)).expect_success();
    d.start_again();
    assert_eq!((d.status("c1").as_str(), d.init_pid("c1")), ("Running", before));
    assert_eq!(d.status("c2"), "Stopped");
    assert_eq!(d.status("always"), "Stopped", "the host has not booted");
    assert_eq!(d.status("once"), "", "an ephemeral container goes with its processes");
    assert_eq!(power(&d, "c2"), "STOPPED");
    // And it is not taken for running at the next boot either.
    d.cut_power();
    d.start_again();
    assert_eq!((d.status("c1").as_str(), d.status("c2").as_str()), ("Running", "Stopped"));
    assert_eq!(d.status("always"), "Running");
}

#[test]
fn containers_start_by_priority_with_their_delays() {
    let mut d = daemon!();
    for (name, keys) in [
        ("a-last", "boot.autostart.priority=-1"),
        ("b-first", "boot.autostart.priority=10 boot.autostart.delay=2"),
        ("c-mid", "boot.autostart.priority=5"),
        ("d-mid", "boot.autostart.priority=5"),
    ] {
        d.lxc_ok(&["init", "busybox", name, "-c", "boot.autostart=true"]);
        for pair in keys.split(' ') {
            let (key, value) = pair.split_once('=').unwrap();
            d.lxc_ok(&["config", "set", name, key, value]);
        }
    }
    d.cut_power();
    d.start_again();
    let at = |name: &str| started_at(&d, name);
    let (first, last) = (at("b-first"), at("a-last"));
    for mid in ["c-mid", "d-mid"] {
        // A tick is a hundredth of a second.
        assert!(at(mid) >= first + 200, "{mid} waits for b-first's delay");
        assert!(at(mid) <= last, "{mid} comes before a-last");
    }
}

#[test]
fn one_failure_stops_no_other_start() {
    let mut d = daemon!();
    for name in ["a", "b", "c"] {
        d.lxc_ok(&["init", "busybox", name, "-c", "boot.autostart=true"]);
    }
    let init = d.lxd_dir().join("storage-pools/default/containers/b/rootfs/sbin/init");
    std::fs::remove_file(init).unwrap();
    d.cut_power();
    d.start_again();
    let found = (d.status("a"), d.status("b"), d.status("c"));
    assert_eq!(found, ("Running".into(), "Stopped".into(), "Running".into()));
    assert!(d.log().contains("autostart failed"), "{}", d.log());
}

/// Has init write the time of its end where the host finds it.
fn tells_its_end(d: &TestDaemon, name: &str) -> std::path::PathBuf {
    let rootfs = d.lxd_dir().join(format!("storage-pools/default/containers/{name}/rootfs"));
    let init = rootfs.join("sbin/init");
    let script = std::fs::read_to_string(&init).unwrap();
    let said = "trap 'cut -d\" \" -f1 /proc/uptime > /told; sleep 1; cut -d\" \" -f1 /proc/uptime > /ended; poweroff -f' PWR";
    let script: String = script
        .lines()
        .map(|l| if l.contains("PWR") { said.to_owned() } else { l.to_owned() } + "\n")
        .collect();
    std::fs::write(&init, script).unwrap();
    rootfs
}

#[test]
fn a_shutdown_stops_in_order_and_at_once_and_is_undone_by_the_next_start() {
    let mut d = daemon!();
    let times = |d: &TestDaemon, name: &str| -> (f64, f64) {
        let rootfs = d.lxd_dir().join(format!("storage-pools/default/containers/{name}/rootfs"));
        let read = |file: &str| std::fs::read_to_string(rootfs.join(file)).unwrap().trim().parse().unwrap();
        (read("told"), read("ended"))
    };
    for (name, priority) in [("high", "5"), ("low1", "0"), ("low2", "0")] {
        d.lxc_ok(&["init", "busybox", name, "-c", &format!("boot.stop.priority={priority}")]);
        let _ = tells_its_end(&d, name);
        d.lxc_ok(&["start", name]);
        eventually("init listens", || {
            d.lxc_ok(&["console", name, "--show-log"]).contains("ready").then_some(())
        });
    }
    d.lxc_ok(&["launch", "busybox", "frozen"]);
    d.lxc_ok(&["pause", "frozen"]);
    d.lxc_ok(&["launch", "-e", "busybox", "once"]);
    let ended = run(d.lxd_command().args(["shutdown", "--timeout", "120"])).expect_success();
    assert_eq!(ended.text(), "");
    d.wait_gone();
    let left = run(d.inside("ps").args(["ax", "-o", "args"])).text();
    assert!(!left.contains("/sbin/init"), "{left}");
    let (high, low1, low2) = (times(&d, "high"), times(&d, "low1"), times(&d, "low2"));
    assert!(
        low1.0 >= high.1 && low2.0 >= high.1,
        "the highest priority goes first: {high:?} {low1:?} {low2:?}"
    );
    assert!(low1.0 < low2.1 && low2.0 < low1.1, "equals go at once: {low1:?} {low2:?}");
    d.start_again();
    for name in ["high", "low1", "low2", "frozen"] {
        assert_eq!(d.status(name), "Running", "{name}");
    }
    assert_eq!(d.status("once"), "");
}

#[test]
fn a_power_failure_signal_stops_and_kills_what_does_not_listen() {
    let mut d = daemon!();
    d.lxc_ok(&["init", "busybox", "deaf", "-c", "boot.host_shutdown_timeout=1"]);
    deafen(&d, "deaf");
    d.lxc_ok(&["start", "deaf"]);
    d.lxc_ok(&["launch", "busybox", "good"]);
    d.signal(Signal::POWER);
    d.wait_gone();
    let left = run(d.inside("ps").args(["ax", "-o", "args"])).text();
    assert!(!left.contains("/sbin/init"), "{left}");
    let log = d.log();
    assert!(log.contains("killing it") && log.contains("deaf"), "{log}");
    d.start_again();
    assert_eq!((d.status("deaf").as_str(), d.status("good").as_str()), ("Running", "Running"));
}

/// Gives a stopped container an init that no request reaches.
fn deafen(d: &TestDaemon, name: &str) {
    let init = d.lxd_dir().join(format!("storage-pools/default/containers/{name}/rootfs/sbin/init"));
    std::fs::write(init, "#!/bin/sh\ntrap '' PWR USR1 USR2 INT TERM\nexport PATH=/bin\necho 'init: ready'\nwhile :; do sleep 1000; done\n").unwrap();
}

#[test]
fn an_init_that_hangs_is_named_and_can_be_killed() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "deaf"]);
    deafen(&d, "deaf");
    d.lxc_ok(&["start", "deaf"]);
    for verb in ["stop", "restart"] {
        let said = d.lxc_fails(&[verb, "deaf", "--timeout", "2"]);
        assert!(said.contains("did not stop within 2 seconds") && said.contains("--force"), "{said}");
        assert_eq!(d.status("deaf"), "Running");
        d.exec("deaf", &["true"]);
    }
    let before = d.init_pid("deaf");
    d.lxc_ok(&["restart", "deaf", "--force"]);
    assert_eq!(d.status("deaf"), "Running");
    assert_ne!(d.init_pid("deaf"), before);
    // While one waits for ever, another may lose patience.
    let mut command = d.lxc_command();
    let patient = spawn(command.args(["stop", "deaf"]));
    d.wait_status("deaf", "Stopping");
    d.lxc_ok(&["stop", "--force", "deaf"]);
    let ended = patient.wait(Duration::from_secs(30));
    assert!(ended.status.success(), "{ended:?}");
    assert_eq!(d.status("deaf"), "Stopped");
}

#[test]
fn restart_keeps_ephemeral_containers_and_waits_for_the_end() {
    let d = daemon!();
    d.lxc_ok(&["launch", "-e", "busybox", "e1"]);
    let before = d.init_pid("e1");
    d.lxc_ok(&["restart", "e1", "--timeout", "30"]);
    assert_eq!(d.status("e1"), "Running");
    assert_ne!(d.init_pid("e1"), before);
    d.lxc_ok(&["restart", "e1", "--force"]);
    assert_eq!(d.exec("e1", &["hostname"]), "e1\n");
    d.lxc_ok(&["stop", "e1"]);
    assert_eq!(d.status("e1"), "");
    assert!(!d.lxd_dir().join("storage-pools/default/containers/e1").exists());
}

#[test]
fn an_init_that_ends_at_once_or_is_missing_is_explained() {
    let d = daemon!();
    d.lxc_ok(&["init", "busybox", "c1"]);
    let init = d.lxd_dir().join("storage-pools/default/containers/c1/rootfs/sbin/init");
    std::fs::write(&init, "#!/bin/sh\necho out of luck\nexit 7\n").unwrap();
    // It did start, or it was seen to end.
    let _ = d.lxc(&["start", "c1"]);
    d.wait_status("c1", "Stopped");
    let told = eventually("the log tells", || {
        let log = d.lxc_ok(&["info", "c1", "--show-log"]);
        log.contains("ended").then_some(log)
    });
    assert!(told.contains("its init exited with code 7"), "{told}");
    assert!(d.lxc_ok(&["console", "c1", "--show-log"]).contains("out of luck"));
    std::fs::remove_file(&init).unwrap();
    let said = d.lxc_fails(&["start", "c1"]);
    assert!(said.contains("/sbin/init") && said.contains("No such file"), "{said}");
    assert!(said.contains("lxc info --show-log"), "{said}");
    assert_eq!(d.status("c1"), "Stopped");
    std::fs::write(&init, "not a program").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&init, mode).unwrap();
    let said = d.lxc_fails(&["start", "c1"]);
    assert!(said.contains("/sbin/init") && said.contains("format"), "{said}");
    d.lxc_ok(&["delete", "c1"]);
}

#[test]
fn a_busy_container_is_paused_as_a_whole_and_resumed_by_start() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let forks =
        "for i in 1 2 3 4; do (while :; do (echo x >> /tmp/count.$$; :) ; done) & done >/dev/null 2>&1";
    d.exec("c1", &["sh", "-c", forks]);
    let count = || -> u64 {
        let dir = d.lxd_dir().join("storage-pools/default/containers/c1/rootfs/tmp");
        std::fs::read_dir(dir).unwrap().filter_map(|f| f.ok()?.metadata().ok()).map(|m| m.len()).sum()
    };
    for _ in 0..3 {
        let before = count();
        eventually("it works", || (count() > before + 20).then_some(()));
        d.lxc_ok(&["pause", "c1"]);
        assert_eq!(d.status("c1"), "Frozen");
        let then = count();
        std::thread::sleep(Duration::from_millis(400));
        assert_eq!(count(), then, "something runs in a frozen container");
        assert!(d.lxc_fails(&["exec", "c1", "--", "true"]).contains("frozen"));
        d.lxc_ok(&["start", "c1"]);
        assert_eq!(d.status("c1"), "Running");
    }
    d.lxc_ok(&["pause", "c1"]);
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert_eq!(d.status("c1"), "Stopped");
}

#[test]
fn the_daemon_goes_down_while_containers_still_start() {
    let mut d = daemon!();
    for name in ["a", "b"] {
        d.lxc_ok(&["init", "busybox", name, "-c", "boot.autostart=true", "-c", "boot.autostart.delay=1000"]);
    }
    d.cut_power();
    let began = Instant::now();
    d.start_again_unready();
    d.wait_status("a", "Running");
    let _ = run(d.lxd_command().args(["shutdown", "--timeout", "100"])).expect_success();
    d.wait_gone();
    assert!(began.elapsed() < Duration::from_secs(900), "nobody waits for the delay");
    let left = run(d.inside("ps").args(["ax", "-o", "args"])).text();
    assert!(!left.contains("/sbin/init"), "{left}");
    d.start_again_unready();
    d.wait_status("a", "Running");
}

#[test]
fn an_init_that_fails_is_started_again_for_a_while() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1", "-c", "boot.autorestart=true"]);
    let before = d.init_pid("c1");
    let _ = run(d.inside("kill").args(["-9", &before.to_string()])).expect_success();
    eventually("it runs again", || {
        let now = d.init_pid("c1");
        (now != 0 && now != before).then_some(())
    });
    assert_eq!(d.exec("c1", &["hostname"]), "c1\n");
    assert!(d.lxc_ok(&["info", "c1", "--show-log"]).contains("c1"));
    // What is decided stays.
    d.lxc_ok(&["stop", "--force", "c1"]);
    assert_eq!(d.status("c1"), "Stopped");
    d.lxc_ok(&["start", "c1"]);
    d.exec("c1", &["sh", "-c", "(sleep 1; poweroff -f) >/dev/null 2>&1 &"]);
    d.wait_status("c1", "Stopped");
    // One that fails at once does so ten times more.
    d.lxc_ok(&["init", "busybox", "bad", "-c", "boot.autorestart=true"]);
    let rootfs = d.lxd_dir().join("storage-pools/default/containers/bad/rootfs");
    std::fs::write(rootfs.join("sbin/init"), "#!/bin/sh\necho x >> /starts\nexit 3\n").unwrap();
    let _ = d.lxc(&["start", "bad"]);
    eventually("it is given up", || d.log().contains("ended too often").then_some(()));
    d.wait_status("bad", "Stopped");
    assert_eq!(std::fs::read_to_string(rootfs.join("starts")).unwrap().lines().count(), 11);
    assert_eq!(d.status("c1"), "Stopped");
}
