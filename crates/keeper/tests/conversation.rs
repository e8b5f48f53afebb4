//! Consoles, files, and daemons that misbehave.

mod harness;

use harness::{Bed, eventually, is_alive};
use model::runtime::protocol::*;
use model::runtime::spec::Rootfs;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

const WAITS: &str = "echo up; while :; do sleep 1; done";

fn put(path: &str, uid: Option<u32>) -> FileRequest {
    FileRequest::Put { path: path.into(), append: false, uid, gid: uid, mode: None }
}

#[test]
fn a_console_is_attached_used_and_left() {
    let Some(bed) = Bed::new("a_console_is_attached_used_and_left") else { return };
    let mut daemon = bed.start_keeper();
    daemon.start(bed.spec("c1", "echo before; while read line; do echo got $line; stty size; done"));
    eventually("it prints", || daemon.console_log("c1").contains("before"));
    let attach = |daemon: &mut harness::Daemon| {
        let fd = daemon.ask(RequestBody::Console { name: "c1".into() }, &[]).unwrap().1.remove(0);
        let stream = UnixStream::from(fd);
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(harness::LIMIT)).unwrap();
        stream
    };
    let mut client = attach(&mut daemon);
    let refused = daemon.ask(RequestBody::Console { name: "c1".into() }, &[]).unwrap_err();
    assert_eq!(refused.reason, "another client is attached to it");
    daemon.done(RequestBody::ConsoleResize { name: "c1".into(), width: 101, height: 37 });
    client.write_all(b"hello\n").unwrap();
    let mut seen = String::new();
    while !seen.contains("37 101") {
        let mut buffer = [0; 256];
        let length = client.read(&mut buffer).unwrap();
        assert!(length > 0, "{seen:?}");
        seen.push_str(std::str::from_utf8(&buffer[..length]).unwrap());
    }
    assert!(seen.contains("got hello") && !seen.contains("before"), "{seen:?}");
    drop(client);
    eventually("the client is gone", || daemon.ask(RequestBody::Console { name: "c1".into() }, &[]).is_ok());
    let log = std::fs::read_to_string(bed.var().join("c1.log")).unwrap();
    assert!(log.contains("got hello"));
    daemon.done_clear("c1");
    assert_eq!(daemon.console_log("c1"), "");
    let mut client = None;
    eventually("the last one has left", || {
        client = daemon.ask(RequestBody::Console { name: "c1".into() }, &[]).ok();
        client.is_some()
    });
    let pid = daemon.list()[0].pid;
    harness::kill(pid, rustix::process::Signal::KILL);
    assert!(matches!(daemon.event(), EventBody::Exited { .. }));
    let mut stream = UnixStream::from(client.unwrap().1.remove(0));
    stream.set_nonblocking(false).unwrap();
    stream.set_read_timeout(Some(harness::LIMIT)).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0, "the end of the container ends the session");
}

impl harness::Daemon {
    fn done_clear(&mut self, name: &str) {
        self.ask(RequestBody::ConsoleLog { name: name.into(), clear: true }, &[]).unwrap();
    }
}

#[test]
fn a_container_that_prints_without_end_stops_nobody() {
    let Some(bed) = Bed::new("a_container_that_prints_without_end_stops_nobody") else { return };
    let mut daemon = bed.start_keeper();
    daemon
        .start(bed.spec("c1", "while :; do echo xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done"));
    daemon.start(bed.spec("c2", WAITS));
    let _client = daemon.ask(RequestBody::Console { name: "c1".into() }, &[]).unwrap();
    for _ in 0..10 {
        assert_eq!(daemon.run("c2", "echo quick").0, "quick\n");
    }
    assert_eq!(daemon.console_log("c1").len(), 64 * 1024);
    assert!(std::fs::metadata(bed.var().join("c1.log")).unwrap().len() <= 256 * 1024);
}

#[test]
fn files_inside_a_running_container() {
    let Some(bed) = Bed::new("files_inside_a_running_container") else { return };
    let mut daemon = bed.start_keeper();
    daemon.start(bed.spec("c1", WAITS));
    let files = daemon.files(RequestBody::Files { name: "c1".into() });
    let (reply, fd) = files.ask(&put("/root/file", None));
    let reply = reply.unwrap();
    assert_eq!((reply.uid, reply.gid, reply.mode), (0, 0, 0o640));
    std::fs::File::from(fd.unwrap()).write_all(b"from outside").unwrap();
    assert_eq!(daemon.run("c1", "cat /root/file").0, "from outside");
    assert!(files.ask(&put("/root/user", Some(1000))).0.is_ok());
    assert_eq!(daemon.run("c1", "busybox stat -c %u /root/user").0, "1000\n");
    let refused = files.ask(&put("/root/nobody", Some(70_000))).0.unwrap_err();
    assert!(refused.reason.contains("70000"), "{refused:?}");
    let missing = files.ask(&FileRequest::Get { path: "/root/nobody".into() }).0.unwrap_err();
    assert_eq!(missing.errno, Some(2), "nothing half-made stays");
    // What is mounted inside is seen, what is outside is not.
    assert!(files.ask(&FileRequest::Get { path: "/proc/1/stat".into() }).0.is_ok());
    assert!(files.ask(&FileRequest::Get { path: bed.var().to_str().unwrap().into() }).0.is_err());
    // The host's file has an id of the host's when a link leads nowhere inside.
    daemon.run("c1", &format!("busybox ln -s {}/secret /root/link", bed.var().display()));
    std::fs::write(bed.var().join("secret"), "secret").unwrap();
    assert!(files.ask(&put("/root/link", None)).0.is_err());
    assert_eq!(std::fs::read(bed.var().join("secret")).unwrap(), b"secret");
    let pid = daemon.list()[0].pid;
    harness::kill(pid, rustix::process::Signal::KILL);
    assert!(matches!(daemon.event(), EventBody::Exited { .. }));
}

#[test]
fn files_of_a_stopped_container() {
    let Some(bed) = Bed::new("files_of_a_stopped_container") else { return };
    let mut daemon = bed.start_keeper();
    let rootfs = Rootfs { path: bed.root(), idmapped: true, read_only: false };
    let files = daemon.files(RequestBody::FilesOf { rootfs, idmap: Some(Bed::idmap()) });
    let (reply, fd) = files.ask(&put("/root/file", Some(1000)));
    assert_eq!(reply.unwrap().uid, 1000);
    std::fs::File::from(fd.unwrap()).write_all(b"content").unwrap();
    let meta = std::fs::metadata(bed.root().join("root/file")).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&meta), 1000, "ids on disk are the container's own");
    let (reply, _) = files.ask(&FileRequest::Get { path: "/".into() });
    let FileKind::Directory(Some(names)) = reply.unwrap().kind else { panic!("no directory") };
    assert!(names.contains(&"bin".to_owned()));
    let (reply, _) = files.ask(&FileRequest::Remove { path: "/root/file".into() });
    assert_eq!(reply.unwrap().kind, FileKind::File);
    assert!(!bed.root().join("root/file").exists());
}

#[test]
fn a_tree_of_small_files_is_quick() {
    let Some(bed) = Bed::new("a_tree_of_small_files_is_quick") else { return };
    let mut daemon = bed.start_keeper();
    daemon.start(bed.spec("c1", WAITS));
    let files = daemon.files(RequestBody::Files { name: "c1".into() });
    let begin = std::time::Instant::now();
    for number in 0..2000 {
        let (reply, fd) = files.ask(&put(&format!("/root/f{number}"), Some(0)));
        reply.unwrap();
        std::fs::File::from(fd.unwrap()).write_all(b"small").unwrap();
    }
    eprintln!("2000 files: {:?}", begin.elapsed());
    assert_eq!(std::fs::read_dir(bed.root().join("root")).unwrap().count(), 2000);
}

/// Checklist of the runtime, line 9.
#[test]
fn rubbish_ends_the_connection_not_the_keeper() {
    let Some(bed) = Bed::new("rubbish_ends_the_connection_not_the_keeper") else { return };
    let mut good = bed.start_keeper();
    let connect = || sys::seqpacket::connect(&bed.var().join("keeper.socket"), 2 * MAX_PACKET).unwrap();
    for rubbish in
        [&b"\xff\xfe"[..], b"{}", b"null", b"{\"id\":-1}", &vec![b'['; MAX_PACKET], &vec![0; MAX_PACKET + 9]]
    {
        let socket = connect();
        sys::scm::send(socket.as_fd(), rubbish, &[]).unwrap();
        assert!(!matches!(sys::scm::recv(socket.as_fd(), &mut [0; 64]), Ok(got) if got.len > 0));
    }
    // A request from the future is refused by name, and the conversation goes on.
    let mut daemon = bed.connect();
    sys::scm::send(daemon.socket.as_fd(), b"{\"id\":77,\"body\":{\"Dance\":{}}}", &[]).unwrap();
    assert_eq!(daemon.answer(77).unwrap_err().step, "understand the request");
    assert!(daemon.list().is_empty());
    // So is one before the greeting.
    let socket = connect();
    sys::scm::send(socket.as_fd(), b"{\"id\":1,\"body\":\"List\"}", &[]).unwrap();
    let mut buffer = [0; 1024];
    let length = sys::scm::recv(socket.as_fd(), &mut buffer).unwrap().len;
    assert!(std::str::from_utf8(&buffer[..length]).unwrap().contains("Hello"));
    // Descriptors that nobody asked for are closed.
    let null = std::fs::File::open("/dev/null").unwrap();
    drop(socket);
    let directory = format!("/proc/{}/fd", good.keeper);
    let sockets = || {
        let links = std::fs::read_dir(&directory).unwrap().flatten();
        let links = links.filter_map(|entry| std::fs::read_link(entry.path()).ok());
        let (sockets, others): (Vec<_>, Vec<_>) =
            links.partition(|link| link.to_string_lossy().starts_with("socket:"));
        (sockets.len(), others.len())
    };
    eventually("the others are gone", || sockets().0 == 3);
    let before = sockets();
    for id in 100..120 {
        let packet = format!("{{\"id\":{id},\"body\":\"List\"}}");
        sys::scm::send(daemon.socket.as_fd(), packet.as_bytes(), &[null.as_fd(); 8]).unwrap();
        daemon.answer(id).unwrap();
    }
    eventually("what was not asked for is closed", || sockets() == before);
    assert!(good.list().is_empty());
}

#[test]
fn a_daemon_that_does_not_read_is_left_behind() {
    let Some(bed) = Bed::new("a_daemon_that_does_not_read_is_left_behind") else { return };
    let mut good = bed.start_keeper();
    let mut deaf = bed.connect();
    rustix::net::sockopt::set_socket_timeout(
        &deaf.socket,
        rustix::net::sockopt::Timeout::Send,
        Some(Duration::from_secs(10)),
    )
    .unwrap();
    let packet = b"{\"id\":1,\"body\":\"List\"}";
    let mut sent = 0;
    while sent < 100_000 && sys::scm::send(deaf.socket.as_fd(), packet, &[]).is_ok() {
        sent += 1;
    }
    assert!(sent < 100_000, "the keeper keeps answers for ever");
    assert!(good.list().is_empty());
    assert!(is_alive(good.keeper));
    deaf.events.clear();
}
