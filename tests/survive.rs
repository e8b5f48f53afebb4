//! The daemon may be killed, restarted and replaced while containers run.

use std::process::Stdio;
use std::time::Duration;
use testkit::{daemon, eventually, run, spawn};

#[test]
fn containers_outlive_a_killed_daemon() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    d.lxc_ok(&["pause", "c2"]);
    d.lxc_ok(&["init", "busybox", "c3"]);
    d.exec("c1", &["sh", "-c", "(while :; do date +%s%N > /tmp/beat; sleep 0.05; done) >/dev/null 2>&1 &"]);
    let pids = (d.init_pid("c1"), d.init_pid("c2"));
    let beat = d.lxd_dir().join("containers/c1/rootfs/tmp/beat");
    for round in 0..3 {
        if round == 1 {
            d.terminate();
        } else {
            d.kill9();
        }
        let then = std::fs::read_to_string(&beat).unwrap_or_default();
        eventually("it goes on without the daemon", || {
            (std::fs::read_to_string(&beat).unwrap_or_default() != then).then_some(())
        });
        d.start_again();
        assert_eq!((d.status("c1").as_str(), d.status("c2").as_str()), ("Running", "Frozen"));
        assert_eq!((d.init_pid("c1"), d.init_pid("c2")), pids);
        assert_eq!(d.status("c3"), "Stopped");
        assert_eq!(d.exec("c1", &["hostname"]), "c1\n");
        assert!(d.state("c1")["memory"]["usage"].as_i64() > Some(0));
    }
    d.lxc_ok(&["start", "c2"]);
    d.lxc_ok(&["stop", "c1"]);
    d.lxc_ok(&["stop", "--force", "c2"]);
    assert_eq!((d.status("c1").as_str(), d.status("c2").as_str()), ("Stopped", "Stopped"));
    d.lxc_ok(&["start", "c1", "c3"]);
    d.lxc_ok(&["delete", "--force", "c1", "c2", "c3"]);
}

#[test]
fn what_ended_meanwhile_is_noticed() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "-e", "busybox", "e1"]);
    for name in ["c1", "e1"] {
        d.exec(name, &["sh", "-c", "(sleep 2; poweroff -f) >/dev/null 2>&1 &"]);
    }
    d.kill9();
    eventually("they have ended", || {
        let left = run(d.inside("ps").args(["ax", "-o", "args"])).text();
        (!left.contains("/sbin/init")).then_some(())
    });
    d.start_again();
    d.wait_status("c1", "Stopped");
    d.wait_status("e1", "");
    d.lxc_ok(&["start", "c1"]);
    d.exec("c1", &["true"]);
}

#[test]
fn a_session_in_progress_ends_for_the_client_and_the_container_goes_on() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let mut command = d.lxc_command();
    let session = spawn(
        command.args(["exec", "c1", "--", "sh", "-c", "touch /tmp/here; sleep 1000"]).stdin(Stdio::null()),
    );
    eventually("it runs", || {
        d.lxc(&["exec", "c1", "--", "test", "-e", "/tmp/here"]).status.success().then_some(())
    });
    d.kill9();
    let ended = session.wait(Duration::from_secs(30));
    assert!(!ended.status.success(), "{ended:?}");
    d.start_again();
    d.exec("c1", &["true"]);
}

#[test]
fn the_keeper_may_be_lost_without_a_container_being_called_stopped() {
    let mut d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let before = d.init_pid("c1");
    let killed = run(d.inside("pkill").args(["-KILL", "-x", "lxd-keeper"]));
    if !killed.status.success() {
        testkit::skip!("pkill found no lxd-keeper: {}", killed.errors());
    }
    d.terminate();
    d.start_again();
    let status = d.status("c1");
    assert!(["Running", "Error"].contains(&status.as_str()), "{status}");
    if status == "Running" {
        assert_eq!(d.init_pid("c1"), before);
    }
    d.lxc_ok(&["stop", "--force", "c1"]);
    d.wait_status("c1", "Stopped");
    let left = run(d.inside("ps").args(["ax", "-o", "args"])).text();
    assert!(!left.contains("/sbin/init"), "{left}");
    d.lxc_ok(&["start", "c1"]);
    d.exec("c1", &["true"]);
}

#[test]
fn a_keeper_that_is_killed_under_the_daemon_is_replaced() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c2"]);
    let before = (d.init_pid("c1"), d.init_pid("c2"));
    let killed = run(d.inside("pkill").args(["-KILL", "-x", "lxd-keeper"]));
    if !killed.status.success() {
        testkit::skip!("pkill found no lxd-keeper: {}", killed.errors());
    }
    eventually("programs can be run again", || {
        d.lxc(&["exec", "c1", "--", "true"]).status.success().then_some(())
    });
    assert_eq!((d.init_pid("c1"), d.init_pid("c2")), before);
    assert_eq!((d.status("c1").as_str(), d.status("c2").as_str()), ("Running", "Running"));
    assert!(d.log().contains("connection to the keeper lost"), "{}", d.log());
    // The new one sees ends, though nobody's child has ended.
    d.exec("c2", &["sh", "-c", "(sleep 1; poweroff -f) >/dev/null 2>&1 &"]);
    d.wait_status("c2", "Stopped");
    d.lxc_ok(&["pause", "c1"]);
    d.lxc_ok(&["start", "c1"]);
    d.lxc_ok(&["stop", "c1"]);
    d.lxc_ok(&["launch", "busybox", "c3"]);
    d.lxc_ok(&["start", "c1", "c2"]);
    d.exec("c2", &["true"]);
}
