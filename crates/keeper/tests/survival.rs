//! What outlives what: daemon, keeper, upgrade.

mod harness;

use harness::{Bed, PROGRAM, eventually, is_alive, kill};
use model::runtime::protocol::*;
use rustix::process::Signal;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

const WAITS: &str = "echo up; while :; do sleep 1; done";

#[test]
fn containers_outlive_the_daemon() {
    let Some(bed) = Bed::new("containers_outlive_the_daemon") else { return };
    let mut daemon = bed.start_keeper();
    let pid = daemon.start(bed.spec("c1", WAITS));
    let ending = daemon.start(bed.spec("c2", WAITS));
    let (session, _output) = daemon.exec("c1", "sleep 0.2; exit 5");
    drop(daemon);
    kill(ending, Signal::KILL);
    std::thread::sleep(std::time::Duration::from_millis(400));
    let mut daemon = bed.connect();
    // What ended while nobody was there is told now.
    assert!(matches!(daemon.event(), EventBody::ExecEnded { session: n, status: 5 } if n == session));
    let kept = daemon.list();
    assert_eq!((kept[0].name.as_str(), kept[0].pid, kept[0].exit), ("c1", pid, None));
    assert_eq!((kept[1].name.as_str(), kept[1].exit), ("c2", Some(Exit::Signal(9))));
    assert_eq!(daemon.run("c1", "echo again").0, "again\n");
}

#[test]
fn a_keeper_takes_in_what_a_killed_one_left() {
    let Some(bed) = Bed::new("a_keeper_takes_in_what_a_killed_one_left") else { return };
    let mut daemon = bed.start_keeper();
    let running = daemon.start(bed.spec("running", WAITS));
    let ending = daemon.start(bed.spec("ending", WAITS));
    daemon.start(bed.spec("ended", "exit 4"));
    assert!(matches!(daemon.event(), EventBody::Exited { exit: Exit::Code(4), .. }));
    eventually("the console was read", || daemon.console_log("running").contains("up"));
    kill(daemon.keeper, Signal::KILL);
    eventually("the keeper is gone", || !is_alive(daemon.keeper));
    assert!(is_alive(running), "init dies with the keeper");
    kill(ending, Signal::KILL);
    eventually("it has ended", || !is_alive(ending));

    let before = daemon.keeper;
    let mut daemon = bed.start_keeper();
    assert_ne!(daemon.keeper, before);
    let kept = daemon.list();
    let of = |name: &str| kept.iter().find(|kept| kept.name == name).unwrap();
    assert_eq!(of("ended").exit, Some(Exit::Code(4)));
    assert_eq!(of("ending").exit, Some(Exit::Unknown));
    assert_eq!((of("running").exit, of("running").pid), (None, running));
    assert_eq!(daemon.run("running", "echo inside").0, "inside\n");
    assert_eq!(daemon.ask(RequestBody::Handles { name: "running".into() }, &[]).unwrap().1.len(), 3);
    assert!(daemon.console_log("running").contains("up"));
    let refused = daemon.ask(RequestBody::Console { name: "running".into() }, &[]).unwrap_err();
    assert!(refused.reason.contains("restart the container"), "{refused:?}");
    kill(running, Signal::KILL);
    // Not a child of this keeper; whoever reaps it, the kernel tells how it ended.
    assert!(matches!(daemon.event(), EventBody::Exited { exit: Exit::Signal(9) | Exit::Unknown, .. }));
}

#[test]
fn another_process_with_the_same_id_is_not_taken_in() {
    let Some(bed) = Bed::new("another_process_with_the_same_id_is_not_taken_in") else { return };
    let mut daemon = bed.start_keeper();
    let pid = daemon.start(bed.spec("c1", WAITS));
    let start_time = daemon.list()[0].start_time;
    let spec = bed.spec("c2", WAITS);
    let adopt = |start_time| RequestBody::Adopt {
        name: "c2".into(),
        pid,
        start_time,
        cgroup: spec.cgroup.path.clone(),
        idmap: spec.idmap.clone(),
        console: spec.console.clone(),
    };
    let refused = daemon.ask(adopt(start_time + 1), &[]).unwrap_err();
    assert!(refused.reason.contains("another process"), "{refused:?}");
    assert_eq!(daemon.list().len(), 1);
}

#[test]
fn one_keeper_for_a_directory() {
    let Some(bed) = Bed::new("one_keeper_for_a_directory") else { return };
    let first = bed.start_keeper().keeper;
    bed.spawn();
    assert_eq!(bed.connect().keeper, first);
    let mode = |path: &str| std::fs::metadata(bed.var().join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("keeper.socket"), mode("keeper"), mode("keeper/lock")), (0o600, 0o700, 0o600));
    let cmdline = std::fs::read_to_string(format!("/proc/{first}/cmdline")).unwrap();
    assert_eq!(cmdline, format!("lxd-keeper\0{}\0", bed.var().display()));
    let exe = std::fs::read_link(format!("/proc/{first}/exe")).unwrap();
    assert!(exe.to_str().unwrap().contains("memfd:lxd-keeper"), "{exe:?}");
    let nowhere = Command::new(PROGRAM).arg(bed.var().join("nowhere")).output().unwrap();
    assert!(!nowhere.status.success());
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("nowhere"));
}

#[test]
fn an_upgrade_keeps_everything() {
    let Some(bed) = Bed::new("an_upgrade_keeps_everything") else { return };
    let mut daemon = bed.start_keeper();
    let pid = daemon.start(bed.spec("c1", "echo up; while read line; do echo got $line; done; exit 1"));
    daemon.start(bed.spec("c2", "exit 4"));
    assert!(matches!(daemon.event(), EventBody::Exited { .. }));
    let (session, output) = daemon.exec("c1", "sleep 0.5; echo late; exit 6");
    let mut console = daemon.ask(RequestBody::Console { name: "c1".into() }, &[]).unwrap().1;
    let console = std::os::unix::net::UnixStream::from(console.remove(0));

    // Another build of the same program: what follows the sections of an executable is not looked at.
    let new = bed.var().join("new-keeper");
    let mut bytes = std::fs::read(PROGRAM).unwrap();
    bytes.extend(b"another build");
    std::fs::write(&new, &bytes).unwrap();
    for bad in ["nowhere", "not-a-program"] {
        std::fs::write(bed.var().join("not-a-program"), "text").unwrap();
        let program = bed.var().join(bad);
        daemon.ask(RequestBody::Upgrade { program }, &[]).unwrap_err();
    }
    let (keeper, build) = (daemon.keeper, daemon.build.clone());
    daemon.done(RequestBody::Upgrade { program: new });
    assert!(daemon.receive().is_none(), "the connection is closed");

    let mut daemon = bed.connect();
    assert_eq!(daemon.keeper, keeper);
    assert_ne!(daemon.build, build);
    let kept = daemon.list();
    assert_eq!((kept[0].pid, kept[0].exit), (pid, None));
    assert_eq!(kept[1].exit, Some(Exit::Code(4)));
    assert!(matches!(daemon.event(), EventBody::ExecEnded { session: n, status: 6 } if n == session));
    assert_eq!(harness::text_of(output), "late\n");
    // The console goes on with the same client.
    std::io::Write::write_all(&mut &console, b"word\n").unwrap();
    eventually("the container answers", || daemon.console_log("c1").contains("got word"));
    assert!(daemon.console_log("c1").contains("up"));
    let busy = daemon.ask(RequestBody::Console { name: "c1".into() }, &[]).unwrap_err();
    assert_eq!(busy.errno, Some(rustix::io::Errno::BUSY.raw_os_error()));
    assert_eq!(daemon.run("c1", "echo inside").0, "inside\n");
    bed.spawn();
    kill(pid, Signal::KILL);
    // Still a child: how it ended is known.
    assert!(matches!(daemon.event(), EventBody::Exited { exit: Exit::Signal(9), .. }));
}
