//! `lxc exec` without a terminal: streams, statuses, signals, what stays behind.

use rustix::process::Signal;
use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{TestDaemon, daemon, eventually, or_skip, run, spawn};

/// A bound against hanging for things that end at once.
const SOON: Duration = Duration::from_secs(30);

fn launched() -> Result<TestDaemon, testkit::Unavailable> {
    let d = TestDaemon::builder().start()?;
    d.lxc_ok(&["launch", "busybox", "c1"]);
    Ok(d)
}

fn exec(d: &TestDaemon, command: &[&str]) -> Command {
    let mut lxc = d.lxc_command();
    lxc.args(["exec", "c1", "--"]).args(command);
    lxc
}

/// Bytes that no text handling survives.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let step = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    std::iter::repeat_with(step).take(length).collect()
}

#[test]
fn output_is_never_truncated() {
    let d = or_skip!(launched());
    let rounds = if std::env::var_os("LIGHTERVISOR_FULL").is_some() { 1000 } else { 200 };
    let first = run(&mut exec(&d, &["ls", "-al", "/usr/lib"])).expect_success();
    assert!(first.stdout.len() > 10_000, "{first:?}");
    for round in 1..rounds {
        let next = run(&mut exec(&d, &["ls", "-al", "/usr/lib"])).expect_success();
        assert!(
            next.stdout == first.stdout,
            "round {round}: {} bytes, not {}",
            next.stdout.len(),
            first.stdout.len()
        );
    }
}

#[test]
fn streams_are_apart_and_binary() {
    let d = or_skip!(launched());
    let both =
        run(&mut exec(&d, &["sh", "-c", "echo out; echo err >&2; printf '\\0\\377\\n'"])).expect_success();
    assert_eq!((both.stdout.as_slice(), both.stderr.as_slice()), (&b"out\n\0\xff\n"[..], &b"err\n"[..]));
    let input = noise(8 << 20);
    let echoed = d.lxc_with_input(&["exec", "c1", "--", "cat"], &input).expect_success();
    assert!(echoed.stdout == input, "{} bytes of {} came back", echoed.stdout.len(), input.len());
    // Input that nobody reads, and an end of input that is noticed.
    let _ = d.lxc_with_input(&["exec", "c1", "--", "true"], &input).expect_success();
    assert_eq!(d.lxc_with_input(&["exec", "c1", "--", "wc", "-c"], b"12345").text().trim(), "5");
}

#[test]
fn the_exit_status_is_the_programs() {
    let d = or_skip!(launched());
    for (script, code) in [("exit 0", 0), ("exit 7", 7), ("exit 255", 255), ("kill -KILL $$", 137)] {
        let _ = run(&mut exec(&d, &["sh", "-c", script])).expect_code(code);
    }
    let _ = run(&mut exec(&d, &["sh", "-c", "kill -TERM $$"])).expect_code(143);
    let missing = run(&mut exec(&d, &["/no/such/program"]));
    assert!([127, 1].contains(&missing.code()), "{missing:?}");
    let refused = run(&mut exec(&d, &["/etc/passwd"]));
    assert!([126, 1].contains(&refused.code()), "{refused:?}");
}

#[test]
fn killing_the_program_from_inside_gives_137() {
    let d = or_skip!(launched());
    let sleeper = spawn(exec(&d, &["sh", "-c", "echo $$ > /tmp/pid; exec sleep 100"]).stdin(Stdio::null()));
    eventually("it runs", || {
        d.lxc(&["exec", "c1", "--", "test", "-s", "/tmp/pid"]).status.success().then_some(())
    });
    d.exec("c1", &["sh", "-c", "kill -KILL $(cat /tmp/pid)"]);
    let _ = sleeper.wait(SOON).expect_code(137);
}

#[test]
fn a_background_task_never_keeps_the_client() {
    let d = or_skip!(launched());
    for script in
        ["sleep 1000 & echo done", "yes & sleep 0.1; echo done >&2", "(sleep 1000; echo late) & echo done"]
    {
        let ended = spawn(exec(&d, &["sh", "-c", script]).stdin(Stdio::null())).wait(SOON).expect_success();
        assert!(ended.text().contains("done") || ended.errors().contains("done"), "{script}");
    }
    let _ = run(&mut exec(&d, &["killall", "yes", "sleep"]));
}

#[test]
fn signals_sent_to_the_client_arrive_inside() {
    let d = or_skip!(launched());
    let signals = [
        ("TERM", Signal::TERM),
        ("HUP", Signal::HUP),
        ("INT", Signal::INT),
        ("USR1", Signal::USR1),
        ("USR2", Signal::USR2),
    ];
    for (name, signal) in signals {
        let ready = format!("/tmp/ready-{name}");
        let script =
            format!("trap 'echo got {name}; exit 3' {name}; touch {ready}; while :; do sleep 0.05; done");
        let running = spawn(exec(&d, &["sh", "-c", &script]).stdin(Stdio::null()));
        eventually("the trap is set", || {
            d.lxc(&["exec", "c1", "--", "test", "-e", &ready]).status.success().then_some(())
        });
        running.signal(signal);
        let ended = running.wait(SOON).expect_code(3);
        assert_eq!(ended.text(), format!("got {name}\n"));
    }
}

#[test]
fn a_hundred_at_once() {
    let d = or_skip!(launched());
    let started: Vec<_> = (0..100)
        .map(|n| spawn(exec(&d, &["sh", "-c", &format!("echo {n}; exit {}", n % 7)]).stdin(Stdio::null())))
        .collect();
    for (n, running) in started.into_iter().enumerate() {
        let ended = running.wait(Duration::from_secs(100)).expect_code(i32::try_from(n % 7).unwrap());
        assert_eq!(ended.text(), format!("{n}\n"));
    }
}

#[test]
fn the_environment_is_clean_and_can_be_set() {
    let d = or_skip!(launched());
    let plain = d.exec("c1", &["env"]);
    for line in ["HOME=/root", "USER=root", "LANG=C.UTF-8"] {
        assert!(plain.lines().any(|l| l == line), "no {line} in {plain}");
    }
    assert!(plain.lines().any(|l| l.starts_with("PATH=") && l.contains("/usr/local/sbin:")), "{plain}");
    assert!(!plain.contains("LXD_DIR") && !plain.contains("CARGO"), "{plain}");
    d.lxc_ok(&["config", "set", "c1", "environment.FROM", "config"]);
    let set = d.lxc_ok(&["exec", "c1", "--env", "mykey=my value", "--env", "EMPTY", "--", "env"]);
    for line in ["mykey=my value", "EMPTY=", "FROM=config"] {
        assert!(set.lines().any(|l| l == line), "no {line} in {set}");
    }
    let over = d.lxc_ok(&["exec", "c1", "--env", "FROM=me", "--", "sh", "-c", "echo $FROM"]);
    assert_eq!(over, "me\n");
}

#[test]
fn user_group_and_directory_can_be_chosen() {
    let d = or_skip!(launched());
    assert_eq!(d.exec("c1", &["pwd"]), "/root\n");
    let chosen = [
        "exec",
        "c1",
        "--user",
        "1000",
        "--group",
        "1000",
        "--cwd",
        "/tmp",
        "--",
        "sh",
        "-c",
        "id -u; id -g; pwd",
    ];
    assert_eq!(d.lxc_ok(&chosen), "1000\n1000\n/tmp\n");
    let groups = d.lxc_ok(&["exec", "c1", "--user", "1000", "--group", "1000", "--", "id", "-G"]);
    assert_eq!(groups.trim(), "1000", "no group of root's is left");
    let lost = d.lxc_fails(&["exec", "c1", "--cwd", "/no/such/place", "--", "pwd"]);
    assert!(lost.contains("/no/such/place"), "{lost}");
}

#[test]
fn modes_are_chosen_and_contradictions_refused() {
    let d = or_skip!(launched());
    for mode in [&["-T"][..], &["--mode=non-interactive"], &["-n"], &["--mode", "auto"]] {
        let mut arguments = vec!["exec", "c1"];
        arguments.extend(mode);
        arguments.extend(["--", "sh", "-c", "test -t 1 || echo no terminal"]);
        assert_eq!(d.lxc_ok(&arguments), "no terminal\n", "{mode:?}");
    }
    assert_eq!(d.lxc_with_input(&["exec", "-n", "c1", "--", "cat"], b"unread").expect_success().text(), "");
    d.lxc_fails(&["exec", "c1", "-t", "-T", "--", "true"]);
    d.lxc_fails(&["exec", "c1", "-T", "--mode=interactive", "--", "true"]);
    d.lxc_fails(&["exec", "c1"]);
}

#[test]
fn only_a_running_container_executes() {
    let d = or_skip!(launched());
    d.lxc_ok(&["stop", "--force", "c1"]);
    let refused = d.lxc_fails(&["exec", "c1", "--", "true"]);
    assert!(refused.contains("not running"), "{refused}");
    let unknown = d.lxc_fails(&["exec", "nobody", "--", "true"]);
    assert!(unknown.contains("not found") || unknown.contains("nobody"), "{unknown}");
}

#[test]
fn a_session_ends_with_its_container() {
    let d = or_skip!(launched());
    let session = spawn(exec(&d, &["sh", "-c", "echo > /tmp/here; sleep 1000"]).stdin(Stdio::null()));
    eventually("it runs", || {
        d.lxc(&["exec", "c1", "--", "test", "-e", "/tmp/here"]).status.success().then_some(())
    });
    d.lxc_ok(&["stop", "--force", "c1"]);
    let _ = session.wait(SOON).expect_code(137);
}

#[test]
fn without_a_websocket_output_can_be_recorded() {
    let d = or_skip!(launched());
    let api = d.api();
    let body = serde_json::json!({
        "command": ["sh", "-c", "echo out; echo err >&2; exit 4"],
        "wait-for-websocket": false, "record-output": true, "interactive": false
    });
    let ended = api.operation("POST", "/1.0/containers/c1/exec", &body);
    assert_eq!(ended["metadata"]["return"], 4, "{ended}");
    for (stream, text) in [("1", "out\n"), ("2", "err\n")] {
        let url = ended["metadata"]["output"][stream].as_str().unwrap_or_else(|| panic!("{ended}"));
        assert_eq!(api.get(url).body, text.as_bytes());
        assert_eq!(api.delete(url).status, 200);
        assert_eq!(api.get(url).status, 404);
    }
    let silent = serde_json::json!({"command": ["true"]});
    assert_eq!(api.operation("POST", "/1.0/containers/c1/exec", &silent)["metadata"]["return"], 0);
}

#[test]
fn many_sessions_leave_nothing_behind() {
    let d = daemon!();
    d.lxc_ok(&["launch", "busybox", "c1"]);
    let count =
        || std::fs::read_dir(format!("/proc/{}/fd", d.pid().as_raw_nonzero())).map_or(0, Iterator::count);
    d.exec("c1", &["true"]);
    let before = count();
    for _ in 0..50 {
        d.exec("c1", &["true"]);
    }
    eventually("descriptors are given back", || (count() <= before + 8).then_some(()));
}
