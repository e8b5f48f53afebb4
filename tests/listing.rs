//! `lxc list` of many containers: only what changed is looked at, and no program is run.

use std::collections::BTreeMap;
use std::process::Stdio;
use testkit::{TestDaemon, daemon, eventually, find_program, run, spawn};

const MANY: usize = 24;

/// What the daemon asks the kernel for while `work` is done: calls by name.
fn calls(d: &TestDaemon, work: impl FnOnce()) -> BTreeMap<String, u64> {
    let counts = d.scratch().join("calls");
    let _ = std::fs::remove_file(&counts);
    let pid = d.pid().as_raw_nonzero().to_string();
    let mut command = std::process::Command::new("strace");
    command.args(["-f", "-c", "-o"]).arg(&counts).args(["-p", &pid]).stdin(Stdio::null());
    let tracer = spawn(&mut command);
    let traced = |task: std::fs::DirEntry| {
        let status = std::fs::read_to_string(task.path().join("status")).unwrap_or_default();
        status.lines().any(|l| l.starts_with("TracerPid:") && !l.ends_with("\t0"))
    };
    eventually("strace is attached to every thread", || {
        let mut tasks = std::fs::read_dir(format!("/proc/{pid}/task")).ok()?;
        tasks.all(|task| task.is_ok_and(traced)).then_some(())
    });
    work();
    rustix::process::kill_process(tracer.pid(), testkit::Signal::INT).unwrap();
    let _ = tracer.wait(std::time::Duration::from_secs(60));
    let table = std::fs::read_to_string(&counts).unwrap();
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        Some((words.last()?.to_string(), words.get(3)?.parse().ok()?))
    };
    table.lines().filter_map(row).collect()
}

#[test]
fn a_list_asks_only_for_what_changed() {
    if find_program("strace").is_none() {
        testkit::skip!("strace is not installed");
    }
    let d = daemon!();
    let names: Vec<String> = (0..MANY).map(|n| format!("c{n:02}")).collect();
    for name in &names {
        d.lxc_ok(&["launch", "busybox", name]);
    }
    let list = || d.lxc_ok(&["list", "-c", "ns4", "--format", "csv"]);
    eventually("all have an address", || {
        let text = list();
        (text.lines().count() == MANY && text.lines().all(|l| l.contains("(eth0)"))).then_some(())
    });
    // Addresses of IPv6 settle after a while.
    let settled = || d.lxc_ok(&["list", "-c", "n46", "--format", "csv"]);
    let _ = settled();
    let quiet = || {
        let found = calls(&d, || assert_eq!(list().lines().count(), MANY));
        let of = |name: &str| found.get(name).copied().unwrap_or(0);
        for never in ["execve", "setns", "fork", "vfork", "clone", "unshare"] {
            assert_eq!(of(never), 0, "{never}: {found:?}");
        }
        of("sendto")
    };
    // A question is one `sendto`: there are fewer of them than containers.
    let few =
        eventually("nothing changes any more", || Some(quiet()).filter(|asked| *asked < MANY as u64 / 2));
    assert!(few >= 1, "the interfaces of the host are asked for");

    // A change is seen at once, and it alone is looked at.
    d.exec("c07", &["ip", "addr", "add", "172.31.0.7/24", "dev", "eth0"]);
    let mut seen = String::new();
    let found = calls(&d, || seen = list());
    assert!(
        seen.lines()
            .any(|l| l.starts_with("\"c07") || l.starts_with("c07") || l.contains("172.31.0.7 (eth0)")),
        "{seen}"
    );
    assert!(seen.contains("172.31.0.7 (eth0)"), "{seen}");
    assert!(found.get("sendto").copied().unwrap_or(0) < MANY as u64 / 2 + 8, "{found:?}");
    d.exec("c07", &["ip", "addr", "del", "172.31.0.7/24", "dev", "eth0"]);
    assert!(!list().contains("172.31.0.7"));

    // What is listed is what each of them says.
    let full = d.api().get("/1.0/containers?recursion=2").metadata();
    for container in full.as_array().unwrap() {
        let name = container["name"].as_str().unwrap();
        let alone = d.state(name);
        for (interface, listed) in container["state"]["network"].as_object().unwrap() {
            let other = &alone["network"][interface];
            for same in ["addresses", "hwaddr", "host_name", "mtu", "state", "type"] {
                assert_eq!(listed[same], other[same], "{same} of {interface} in {name}");
            }
        }
        assert_eq!(container["state"]["pid"], alone["pid"]);
        assert!(container["state"]["memory"]["usage"].as_i64() > Some(0));
    }
    // Counters of what has an end on the host are those of now.
    let bytes = || {
        let full = d.api().get("/1.0/containers?recursion=2").metadata();
        let c00 = full.as_array().unwrap().iter().find(|c| c["name"] == "c00").unwrap().clone();
        c00["state"]["network"]["eth0"]["counters"]["bytes_sent"].as_i64().unwrap()
    };
    let before = bytes();
    d.exec("c00", &["ping", "-c", "3", "-s", "1000", "10.177.0.1"]);
    assert!(bytes() >= before + 3000, "{before}");

    // Stopped, started again and gone.
    d.lxc_ok(&["stop", "--force", "c01"]);
    d.lxc_ok(&["delete", "--force", "c02"]);
    d.lxc_ok(&["restart", "--force", "c03"]);
    let text = list();
    assert!(text.contains("c01,STOPPED,\n") && !text.contains("c02"), "{text}");
    eventually("c03 has an address again", || {
        list().lines().any(|l| l.starts_with("c03,RUNNING,") && l.contains("(eth0)")).then_some(())
    });
    let _ = run(d.lxc_command().args(["delete", "--force"]).args(names.iter().filter(|n| *n != "c02")))
        .expect_success();
}
