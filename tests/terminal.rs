//! `lxc exec` and `lxc console` on a terminal. `script` provides one.

use std::process::{Command, Stdio};
use std::time::Duration;
use testkit::{Finished, TestDaemon, eventually, find_program, or_skip, run_with_input, spawn};

const SOON: Duration = Duration::from_secs(60);

fn launched() -> Result<TestDaemon, testkit::Unavailable> {
    if find_program("script").is_none() {
        return Err(testkit::Unavailable("the program script is not installed".to_owned()));
    }
    let d = TestDaemon::builder().start()?;
    d.lxc_ok(&["launch", "busybox", "c1"]);
    Ok(d)
}

/// A shell command line on a new terminal, in which `lxc` is ours.
fn terminal(d: &TestDaemon, line: &str) -> Command {
    let lxc = testkit::program("lxc");
    let bin = lxc.parent().expect("a directory").to_string_lossy().into_owned();
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", line, "/dev/null"]);
    d.configure(&mut script);
    let path = std::env::var("PATH").unwrap_or_default();
    script.env("PATH", format!("{bin}:{path}")).env("SHELL", "/bin/sh").env("TERM", "xterm");
    script
}

fn on_terminal(d: &TestDaemon, line: &str) -> Finished {
    spawn(terminal(d, line).stdin(Stdio::piped())).wait(SOON)
}

#[test]
fn a_terminal_is_given_when_there_is_one() {
    let d = or_skip!(launched());
    let ended =
        on_terminal(&d, "lxc exec c1 -- sh -c 'tty; test -t 0 && test -t 1 && test -t 2 && echo $TERM'");
    let text = ended.expect_success().text();
    assert!(text.contains("/dev/pts/") && text.contains("xterm"), "{text}");
    let ended = on_terminal(&d, "lxc exec -T c1 -- tty");
    assert_eq!(ended.code(), 1, "{ended:?}");
}

#[test]
fn the_exit_status_and_both_streams_come_through() {
    let d = or_skip!(launched());
    let ended = on_terminal(&d, "lxc exec c1 -- sh -c 'echo out; echo err >&2; exit 9'").expect_code(9);
    assert_eq!(ended.text().replace('\r', ""), "out\nerr\n");
    let _ = on_terminal(&d, "lxc exec c1 -- sh -c 'kill -9 $$'").expect_code(137);
}

#[test]
fn the_window_size_is_carried_over_and_follows() {
    let d = or_skip!(launched());
    let size = on_terminal(&d, "stty rows 33 cols 77; lxc exec c1 -- stty size").expect_success();
    assert_eq!(size.text().trim(), "33 77");
    let line = "stty rows 20 cols 60; (sleep 1; stty rows 40 cols 100 < /dev/tty) & \
                lxc exec c1 -- sh -c 'i=0; while [ $i -lt 300 ]; do \
                [ \"$(stty size)\" = \"40 100\" ] && exec echo resized; sleep 0.1; i=$((i+1)); done; stty size'";
    let followed = on_terminal(&d, line);
    assert!(followed.text().contains("resized"), "{followed:?}");
}

#[test]
fn a_shell_can_be_typed_into() {
    let d = or_skip!(launched());
    let typed = b"echo sum=$((40+2))\ntrap 'echo interrupted' INT\nexit 5\n";
    let ended = run_with_input(&mut terminal(&d, "lxc exec c1 -- sh"), typed).expect_code(5);
    assert!(ended.text().contains("sum=42"), "{ended:?}");
}

#[test]
fn control_c_interrupts_the_program_and_not_the_client() {
    let d = or_skip!(launched());
    let line = "lxc exec c1 -- sh -c 'trap \"echo caught; exit 6\" INT; touch /tmp/armed; while :; do sleep 0.05; done'";
    let mut script = terminal(&d, line);
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let running = spawn(script.stdin(reader));
    eventually("the trap is set", || {
        d.lxc(&["exec", "c1", "--", "test", "-e", "/tmp/armed"]).status.success().then_some(())
    });
    std::io::Write::write_all(&mut &writer, b"\x03").expect("a key");
    let ended = running.wait(SOON).expect_code(6);
    assert!(ended.text().contains("caught"), "{ended:?}");
    drop(writer);
}

#[test]
fn a_background_task_never_keeps_the_terminal() {
    let d = or_skip!(launched());
    for line in
        ["sleep 1000 & echo done", "yes & sleep 0.2; echo done", "trap \"\" HUP; sleep 1000 & echo done"]
    {
        let ended = on_terminal(&d, &format!("lxc exec c1 -- sh -c '{line}'"));
        assert!(ended.text().contains("done"), "{line}");
        assert_eq!(ended.code(), 0, "{line}");
    }
}

#[test]
fn quick_output_on_a_terminal_is_complete() {
    let d = or_skip!(launched());
    let first = on_terminal(&d, "lxc exec c1 -- ls -al /usr/lib").expect_success().stdout;
    assert!(first.len() > 10_000);
    for _ in 0..30 {
        let next = on_terminal(&d, "lxc exec c1 -- ls -al /usr/lib").expect_success().stdout;
        assert_eq!(next.len(), first.len());
    }
}

#[test]
fn the_console_shows_what_init_prints_and_is_left_by_keys() {
    let d = or_skip!(launched());
    eventually("init has said something", || {
        d.lxc_ok(&["console", "--show-log", "c1"]).contains("init: ready").then_some(())
    });
    d.exec("c1", &["sh", "-c", "echo to the console > /dev/console"]);
    eventually("the log has it", || {
        d.lxc_ok(&["console", "--show-log", "c1"]).contains("to the console").then_some(())
    });
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let running = spawn(terminal(&d, "lxc console c1").stdin(reader));
    // Written until it shows up, because the client needs a moment to attach; then the keys.
    std::thread::sleep(Duration::from_secs(1));
    d.exec("c1", &["sh", "-c", "echo seen live > /dev/console"]);
    std::thread::sleep(Duration::from_millis(500));
    std::io::Write::write_all(&mut &writer, b"\x01q").expect("keys");
    let ended = running.wait(SOON);
    assert!(ended.text().contains("To detach from the console"), "{ended:?}");
    assert!(ended.text().contains("seen live"), "{ended:?}");
    assert_eq!(d.status("c1"), "Running");
}
