use super::*;
use model::runtime::build::build_of;
use model::runtime::protocol::*;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::mpsc;

/// A keeper that the test plays itself, in a thread: what comes goes to a function, and what that
/// returns is sent.
struct Fake {
    dir: tempfile::TempDir,
    /// What is executed if nobody listens. Its bytes say which build is wanted.
    program: PathBuf,
}

/// What the fake does with a request.
enum Act {
    Reply(Result<ReplyBody, Failure>, Vec<OwnedFd>),
    Tell(EventBody),
    Nothing,
    HangUp,
}

impl Fake {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join("program");
        std::fs::write(&program, "#!/bin/sh\necho no luck >&2\nexit 1\n").unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        Self { dir, program }
    }

    fn var(&self) -> &Path {
        self.dir.path()
    }

    fn listen(&self) -> OwnedFd {
        sys::seqpacket::listen(&self.var().join("keeper.socket"), MAX_PACKET).unwrap()
    }

    fn hello(&self, pid: i32) -> ReplyBody {
        let build = build_of(&std::fs::read(&self.program).unwrap());
        ReplyBody::Hello { version: VERSION, build, pid }
    }

    async fn connect(&self) -> Result<(Keeper, mpsc::UnboundedReceiver<Notice>), Error> {
        Keeper::connect_or_spawn(self.var(), &self.program).await
    }
}

fn send(socket: &OwnedFd, message: &Message, fds: &[OwnedFd]) {
    let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
    // A client that has gone is the test's to notice.
    let _ = sys::scm::send(socket.as_fd(), &serde_json::to_vec(message).unwrap(), &fds);
}

/// Serves one connection.
fn serve(listener: &OwnedFd, mut act: impl FnMut(&RequestBody, &[OwnedFd]) -> Vec<Act>) {
    let socket = sys::seqpacket::accept(listener, MAX_PACKET).unwrap();
    let mut buffer = vec![0; MAX_PACKET];
    loop {
        let Ok(received) = sys::scm::recv(socket.as_fd(), &mut buffer) else { return };
        if received.len == 0 {
            return;
        }
        let Request { id, body } = serde_json::from_slice(&buffer[..received.len]).unwrap();
        for act in act(&body, &received.fds) {
            match act {
                Act::Reply(result, fds) => send(&socket, &Message::Reply { id, result }, &fds),
                Act::Tell(event) => send(&socket, &Message::Event(event), &[]),
                Act::Nothing => {}
                Act::HangUp => return,
            }
        }
    }
}

fn done() -> Vec<Act> {
    vec![Act::Reply(Ok(ReplyBody::Done), vec![])]
}

fn memory_file(text: &str) -> OwnedFd {
    sys::memfd::sealed("test", text.as_bytes()).unwrap()
}

async fn notice(notices: &mut mpsc::UnboundedReceiver<Notice>) -> Notice {
    tokio::time::timeout(Duration::from_secs(20), notices.recv()).await.expect("no notice").expect("closed")
}

#[tokio::test]
async fn answers_find_their_questions_and_events_come_in_between() {
    let fake = Fake::new();
    let (listener, hello) = (fake.listen(), fake.hello(7));
    let thread = std::thread::spawn(move || {
        serve(&listener, |body, _| match body {
            RequestBody::Hello { .. } => vec![Act::Reply(Ok(hello.clone()), vec![])],
            RequestBody::List => vec![
                Act::Tell(EventBody::ExecEnded { session: 1, status: 2 }),
                Act::Reply(Ok(ReplyBody::Containers(vec![])), vec![]),
            ],
            RequestBody::ConsoleLog { name, .. } => {
                vec![Act::Reply(Ok(ReplyBody::ConsoleLog), vec![memory_file(name)])]
            }
            RequestBody::Forget { .. } => {
                let failure = Failure { step: "forget".into(), reason: "it runs".into(), errno: None };
                vec![Act::Reply(Err(failure), vec![])]
            }
            _ => done(),
        });
    });
    let (keeper, mut notices) = fake.connect().await.unwrap();
    let (a, b, list) =
        tokio::join!(keeper.console_log("a", false), keeper.console_log("b", false), keeper.list());
    assert_eq!((a.unwrap(), b.unwrap(), list.unwrap().len()), (b"a".to_vec(), b"b".to_vec(), 0));
    assert!(matches!(
        notice(&mut notices).await,
        Notice::Event(EventBody::ExecEnded { session: 1, status: 2 })
    ));
    assert_eq!(keeper.forget("c1").await.unwrap_err().to_string(), "forget: it runs");
    // An answer that is not one to the question, and one without the descriptors it needs.
    assert!(matches!(keeper.handles("c1").await, Err(Error::Answer { .. })));
    drop(keeper);
    // The connection ends with the last handle.
    tokio::task::spawn_blocking(|| thread.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn descriptors_arrive() {
    let fake = Fake::new();
    let (listener, hello) = (fake.listen(), fake.hello(7));
    std::thread::spawn(move || {
        serve(&listener, |body, fds| match body {
            RequestBody::Exec { .. } => {
                assert_eq!(fds.len(), 4);
                rustix::io::write(&fds[1], b"output").unwrap();
                vec![Act::Reply(Ok(ReplyBody::Spawned { session: 5, pid: 9 }), vec![memory_file("pidfd")])]
            }
            _ => vec![Act::Reply(Ok(hello.clone()), vec![])],
        });
    });
    let (keeper, _notices) = fake.connect().await.unwrap();
    let (read, write) = rustix::pipe::pipe().unwrap();
    let spec = serde_json::from_value(serde_json::json!({
        "command": ["true"], "environment": [], "cwd": "/", "uid": 0, "gid": 0, "terminal": false, "seccomp": true
    }));
    let streams = Streams { input: memory_file(""), output: write, error: memory_file("") };
    let spawned = keeper.exec("c1", spec.unwrap(), streams, Some(memory_file("filter")), None).await.unwrap();
    assert_eq!((spawned.session, spawned.pid), (5, 9));
    let mut buffer = [0; 16];
    assert_eq!(rustix::io::read(&read, &mut buffer).unwrap(), 6);
}

#[tokio::test]
async fn a_lost_connection_is_told_and_made_again() {
    let fake = Fake::new();
    let (listener, first, second) = (fake.listen(), fake.hello(7), fake.hello(8));
    std::thread::spawn(move || {
        serve(&listener, |body, _| match body {
            RequestBody::Hello { .. } => vec![Act::Reply(Ok(first.clone()), vec![])],
            _ => vec![Act::HangUp],
        });
        serve(&listener, |body, _| match body {
            RequestBody::Hello { .. } => vec![
                Act::Reply(Ok(second.clone()), vec![]),
                Act::Tell(EventBody::ExecEnded { session: 3, status: 0 }),
            ],
            _ => vec![Act::Reply(Ok(ReplyBody::Containers(vec![])), vec![])],
        });
    });
    let (keeper, mut notices) = fake.connect().await.unwrap();
    assert!(matches!(keeper.list().await, Err(Error::Lost { request: "list" })));
    // The next request waits for the next connection.
    assert!(keeper.list().await.unwrap().is_empty());
    assert!(matches!(notice(&mut notices).await, Notice::Lost));
    assert!(matches!(notice(&mut notices).await, Notice::Back { replaced: true }));
    assert!(matches!(notice(&mut notices).await, Notice::Event(EventBody::ExecEnded { session: 3, .. })));
}

#[tokio::test]
async fn another_build_is_upgraded_once() {
    let fake = Fake::new();
    let (listener, new) = (fake.listen(), fake.hello(7));
    let program = fake.program.clone();
    std::thread::spawn(move || {
        let old = ReplyBody::Hello { version: VERSION, build: "old".into(), pid: 7 };
        serve(&listener, |body, _| match body {
            RequestBody::Hello { .. } => vec![Act::Reply(Ok(old.clone()), vec![])],
            RequestBody::Upgrade { program: which } => {
                assert_eq!(*which, program);
                let ended = EventBody::ExecEnded { session: 1, status: 0 };
                vec![Act::Tell(ended), Act::Reply(Ok(ReplyBody::Done), vec![]), Act::HangUp]
            }
            _ => vec![Act::HangUp],
        });
        serve(&listener, |body, _| match body {
            RequestBody::Hello { .. } => vec![Act::Reply(Ok(new.clone()), vec![])],
            _ => vec![Act::Reply(Ok(ReplyBody::Containers(vec![])), vec![])],
        });
    });
    let (keeper, mut notices) = fake.connect().await.unwrap();
    assert!(keeper.list().await.unwrap().is_empty());
    // What the old one told last is not lost.
    assert!(matches!(notice(&mut notices).await, Notice::Event(EventBody::ExecEnded { session: 1, .. })));
}

#[tokio::test]
async fn a_keeper_that_cannot_be_run_says_why() {
    let fake = Fake::new();
    let Err(error) = fake.connect().await else { panic!("it connected") };
    assert!(matches!(&error, Error::NotStarted { output, .. } if output == "no luck"), "{error}");
    std::fs::remove_file(&fake.program).unwrap();
    let Err(error) = fake.connect().await else { panic!("it connected") };
    assert!(matches!(error, Error::Run { .. }), "{error}");
}

#[tokio::test]
async fn what_waits_is_given_up_cleanly() {
    let fake = Fake::new();
    let (listener, hello) = (fake.listen(), fake.hello(7));
    std::thread::spawn(move || {
        serve(&listener, |body, _| match body {
            RequestBody::Hello { .. } => vec![Act::Reply(Ok(hello.clone()), vec![])],
            RequestBody::List => vec![Act::Nothing],
            _ => done(),
        });
    });
    let (keeper, _notices) = fake.connect().await.unwrap();
    let short = Duration::from_millis(20);
    let asked = keeper.ask("list", RequestBody::List, vec![], short).await;
    assert!(matches!(asked, Err(Error::Deadline { request: "list", .. })));
    keeper.forget("c1").await.unwrap();
    let huge = "x".repeat(MAX_PACKET);
    assert!(matches!(keeper.forget(&huge).await, Err(Error::TooLarge { .. })));
}

#[tokio::test]
async fn files_are_asked_for_one_by_one() {
    let (ours, theirs) = sys::seqpacket::pair(MAX_PACKET).unwrap();
    std::thread::spawn(move || {
        let mut buffer = vec![0; MAX_PACKET];
        let directory = FileReply {
            kind: FileKind::Directory(None),
            uid: 0,
            gid: 0,
            mode: 0o755,
            size: 0,
            is_new: false,
        };
        let failure = Failure { step: "remove /x".into(), reason: "it is not there".into(), errno: Some(2) };
        for (result, fd) in [(Ok(directory), Some("[\"a\",\"b\"]")), (Err(failure), None)] {
            sys::scm::recv(theirs.as_fd(), &mut buffer).unwrap();
            let fd = fd.map(memory_file);
            let fds: Vec<_> = fd.iter().map(AsFd::as_fd).collect();
            let result: FileResult = result;
            sys::scm::send(theirs.as_fd(), &serde_json::to_vec(&result).unwrap(), &fds).unwrap();
        }
    });
    let mut files = FileServer::new(ours).unwrap();
    let (reply, fd) = files.get("/").await.unwrap();
    assert_eq!(reply.kind, FileKind::Directory(Some(vec!["a".into(), "b".into()])));
    assert!(fd.is_none());
    assert_eq!(files.remove("/x").await.unwrap_err().errno(), Some(2));
    assert!(matches!(files.remove("/x").await, Err(FileError::Ended)));
    assert!(matches!(files.remove("/x").await, Err(FileError::Ended)));
}
