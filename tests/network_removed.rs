//! Clients that are trusted no more: what they have open ends at once, what others have goes on.

use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{Lab, TestDaemon, eventually, or_skip, run, spawn};

const LIMIT: Duration = Duration::from_secs(120);

fn fingerprints(d: &TestDaemon) -> Vec<String> {
    let list = d.api().get("/1.0/certificates?recursion=1").metadata();
    list.as_array().unwrap().iter().map(|one| one["fingerprint"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_a_removed_client_has_open_ends() {
    let lab = or_skip!(Lab::start(2));
    lab.make_friends();
    let removed = fingerprints(&lab[1]).pop().expect("the client of the first host");
    // Another client of the same host.
    let conf = lab[0].scratch().join("other-client");
    let other = |arguments: &[&str]| -> Command {
        let mut command = lab.lxc_command();
        command.env("LXD_CONF", &conf).args(arguments).stdin(Stdio::null());
        command
    };
    lab[1].lxc_ok(&["config", "set", "core.trust_password", "for-the-other"]);
    let address = lab.address(1);
    let add = ["remote", "add", "host1", &address, "--accept-certificate", "--password", "for-the-other"];
    let _ = run(&mut other(&add)).expect_success();

    lab.lxc_ok(&["launch", "busybox", "host1:c1"]);
    let mine = |arguments: &[&str]| spawn(lab.lxc_command().args(arguments).stdin(Stdio::null()));
    let exec = mine(&["exec", "host1:c1", "--", "sh", "-c", "touch /root/began; sleep 100000"]);
    let monitor = mine(&["monitor", "host1:"]);
    let others = spawn(&mut other(&["monitor", "host1:", "--type", "lifecycle"]));
    eventually("all streams are open", || {
        let opened = lab[1].log().matches("path=\"/1.0/events").count() >= 2;
        (opened && lab[1].lxc(&["exec", "c1", "--", "test", "-e", "/root/began"]).status.success())
            .then_some(())
    });
    lab[1].lxc_ok(&["config", "trust", "remove", &removed]);
    let ended = exec.wait(LIMIT);
    assert!(!ended.status.success(), "{ended:?}");
    let _ = monitor.wait(LIMIT);
    let said = lab.lxc_fails(&["list", "host1:"]);
    assert!(said.contains("authorized") || said.contains("trust"), "{said}");

    lab[1].lxc_ok(&["config", "set", "c1", "user.turn", "afterwards"]);
    let _ = run(&mut other(&["list", "host1:"])).expect_success();
    std::thread::sleep(Duration::from_secs(1));
    others.signal(testkit::Signal::INT);
    let heard = others.wait(LIMIT);
    assert!(heard.text().contains("container-updated"), "{heard:?}");
}

#[test]
fn who_removes_itself_hears_that_it_worked() {
    let lab = or_skip!(Lab::start(2));
    lab.make_friends();
    let own = fingerprints(&lab[1]).pop().expect("the client of the first host");
    lab.lxc_ok(&["config", "trust", "remove", "host1:", &own]);
    assert_eq!(fingerprints(&lab[1]).len(), 0);
    let _ = lab.lxc_fails(&["config", "trust", "list", "host1:"]);
}
