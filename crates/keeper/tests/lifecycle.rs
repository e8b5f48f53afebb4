//! Containers from start to end, through the keeper.

mod harness;

use harness::{Bed, eventually, is_alive, kill};
use model::runtime::protocol::*;
use rustix::process::Signal;

const WAITS: &str = "echo up; while :; do sleep 1; done";

#[test]
fn a_container_is_started_used_and_ended() {
    let Some(bed) = Bed::new("a_container_is_started_used_and_ended") else { return };
    let mut daemon = bed.start_keeper();
    let pid = daemon.start(bed.spec("c1", WAITS));
    let kept = daemon.list();
    assert_eq!(kept.len(), 1);
    assert_eq!((kept[0].pid, kept[0].exit, kept[0].starting), (pid, None, false));
    assert_eq!(daemon.run("c1", "echo hello; exit 3"), ("hello\n".into(), 3));
    assert_eq!(daemon.run("c1", "kill -9 $$"), (String::new(), 137));
    let handles = daemon.ask(RequestBody::Handles { name: "c1".into() }, &[]).unwrap().1;
    assert_eq!(handles.len(), 3);
    rustix::fs::openat(
        &handles[1],
        "ptmx",
        rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY,
        rustix::fs::Mode::empty(),
    )
    .expect("a terminal of the container");
    let error = daemon.ask(RequestBody::Forget { name: "c1".into() }, &[]).unwrap_err();
    assert_eq!(error.reason, "container c1 runs");
    kill(pid, Signal::KILL);
    assert!(matches!(daemon.event(), EventBody::Exited { exit: Exit::Signal(9), .. }));
    assert_eq!(daemon.list()[0].exit, Some(Exit::Signal(9)));
    assert!(daemon.console_log("c1").contains("up"));
    daemon.done(RequestBody::Forget { name: "c1".into() });
    assert!(daemon.list().is_empty());
    assert!(!bed.var().join("keeper/c1.json").exists());
}

#[test]
fn every_kind_of_end_is_told_apart() {
    let Some(bed) = Bed::new("every_kind_of_end_is_told_apart") else { return };
    let mut daemon = bed.start_keeper();
    for (name, script, want) in [
        ("reboot", "reboot -f", Exit::Reboot),
        ("poweroff", "poweroff -f", Exit::PowerOff),
        ("code", "exit 7", Exit::Code(7)),
    ] {
        daemon.start(bed.spec(name, script));
        match daemon.event() {
            EventBody::Exited { name: which, exit } => assert_eq!((which.as_str(), exit), (name, want)),
            other @ EventBody::ExecEnded { .. } => panic!("{other:?}"),
        }
        // An end that was reported does not stand in the way of the next start.
        let pid = daemon.start(bed.spec(name, WAITS));
        assert!(is_alive(pid));
    }
}

#[test]
fn the_end_takes_every_process_and_group_along() {
    let Some(bed) = Bed::new("the_end_takes_every_process_and_group_along") else { return };
    let mut daemon = bed.start_keeper();
    let spec = bed.spec("c1", WAITS);
    let group = spec.cgroup.path.clone();
    let pid = daemon.start(spec);
    let (session, _output) = daemon.exec("c1", "sleep 1000 & sleep 1000");
    kill(pid, Signal::KILL);
    let mut events = [daemon.event(), daemon.event()];
    events.sort_by_key(|event| matches!(event, EventBody::Exited { .. }));
    assert!(matches!(events[0], EventBody::ExecEnded { session: n, status: 137 } if n == session));
    assert!(matches!(events[1], EventBody::Exited { .. }));
    for hierarchy in std::fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        assert!(!hierarchy.path().join(&group).exists(), "{:?}", hierarchy.path());
    }
}

#[test]
fn a_daemon_that_goes_between_the_steps_takes_the_container_along() {
    let Some(bed) = Bed::new("a_daemon_that_goes_between_the_steps_takes_the_container_along") else {
        return;
    };
    let mut other = bed.start_keeper();
    let mut daemon = bed.connect();
    let pid = daemon.clone_only(bed.spec("c1", WAITS));
    assert!(is_alive(pid));
    assert!(other.list()[0].starting);
    drop(daemon);
    eventually("the embryo is killed", || other.list().is_empty());
    assert!(!is_alive(pid));
    let pid = other.clone_only(bed.spec("c2", WAITS));
    other.done(RequestBody::Abort { name: "c2".into() });
    assert!(!is_alive(pid));
    assert!(other.list().is_empty());
    other.ask(RequestBody::Proceed { name: "c2".into() }, &[]).unwrap_err();
    other.start(bed.spec("c2", WAITS));
}

#[test]
fn a_start_that_fails_names_the_step_and_leaves_nothing() {
    let Some(bed) = Bed::new("a_start_that_fails_names_the_step_and_leaves_nothing") else { return };
    let mut daemon = bed.start_keeper();
    let mut spec = bed.spec("c1", WAITS);
    spec.init = vec!["/no/such/init".into()];
    daemon.clone_only(spec);
    let failure = daemon.ask(RequestBody::Proceed { name: "c1".into() }, &[]).unwrap_err();
    assert_eq!(failure.errno, Some(2), "{failure:?}");
    let mut spec = bed.spec("c1", WAITS);
    spec.rootfs.path = bed.var().join("nowhere");
    daemon.ask(RequestBody::Start { spec }, &[]).unwrap_err();
    for name in ["", "../c1", "a/b", ".c1"] {
        let mut spec = bed.spec("c1", WAITS);
        spec.name = name.into();
        daemon.ask(RequestBody::Start { spec }, &[]).unwrap_err();
    }
    assert!(daemon.list().is_empty());
    daemon.start(bed.spec("c1", WAITS));
    let again = daemon.ask(RequestBody::Start { spec: bed.spec("c1", WAITS) }, &[]).unwrap_err();
    assert_eq!(again.reason, "container c1 runs already");
}

#[test]
fn a_hundred_programs_at_once() {
    let Some(bed) = Bed::new("a_hundred_programs_at_once") else { return };
    let mut daemon = bed.start_keeper();
    daemon.start(bed.spec("c1", WAITS));
    let sent: Vec<_> = (0..100).map(|n| daemon.send_exec("c1", &format!("echo {n}; exit {n}"))).collect();
    let mut sessions = std::collections::BTreeMap::new();
    let mut ended = std::collections::BTreeMap::new();
    while ended.len() < 100 || sessions.len() < 100 {
        match daemon.receive().unwrap().0 {
            Message::Reply { id, result: Ok(ReplyBody::Spawned { session, .. }) } => {
                sessions.insert(id, session);
            }
            Message::Event(EventBody::ExecEnded { session, status }) => {
                ended.insert(session, status);
            }
            other => panic!("{other:?}"),
        }
    }
    for (number, (id, output)) in (0..).zip(sent) {
        assert_eq!(harness::text_of(output), format!("{number}\n"));
        assert_eq!(ended[&sessions[&id]], number);
    }
    assert_eq!(daemon.run("c1", "echo still here").0, "still here\n");
}

#[test]
fn twenty_starts_at_once() {
    let Some(bed) = Bed::new("twenty_starts_at_once") else { return };
    let mut daemon = bed.start_keeper();
    let begin = std::time::Instant::now();
    let sent: Vec<u64> = (0..20)
        .map(|n| daemon.send(RequestBody::Start { spec: bed.spec(&format!("c{n}"), WAITS) }, &[]))
        .collect();
    let mut proceeding = Vec::new();
    for (number, id) in sent.into_iter().enumerate() {
        let _descriptors = daemon.answer(id).unwrap();
        proceeding.push(daemon.send(RequestBody::Proceed { name: format!("c{number}") }, &[]));
    }
    let mut started = 0;
    while started < proceeding.len() {
        match daemon.receive().unwrap().0 {
            Message::Reply { result: Ok(ReplyBody::Started { .. }), .. } => started += 1,
            other => panic!("{other:?}"),
        }
    }
    eprintln!("20 starts: {:?}", begin.elapsed());
    assert_eq!(daemon.list().len(), 20);
}
