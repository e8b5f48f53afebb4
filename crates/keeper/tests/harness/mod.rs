//! A keeper in a temporary directory, and a daemon that the test plays itself.
#![allow(dead_code, missing_docs, unreachable_pub)] // each test file uses its own part

use model::IdMap;
use model::runtime::protocol::*;
use model::runtime::spec::*;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::VecDeque;
use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_lxd-keeper");
pub const LIMIT: Duration = Duration::from_secs(20);
const HOST: u32 = 1_000_000;
const PATH: &str = "PATH=/bin";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A daemon's directory with a root file system in it.
pub struct Bed {
    pub dir: tempfile::TempDir,
    group: String,
    keepers: std::cell::RefCell<Vec<i32>>,
}

/// A connection to the keeper.
pub struct Daemon {
    pub socket: OwnedFd,
    next: u64,
    pub events: VecDeque<EventBody>,
    pub keeper: i32,
    pub build: String,
}

pub type Answer = Result<(ReplyBody, Vec<OwnedFd>), Failure>;

fn ready(fd: impl AsFd, limit: Duration) -> bool {
    let limit = Timespec { tv_sec: limit.as_secs().cast_signed(), tv_nsec: limit.subsec_nanos().into() };
    poll(&mut [PollFd::new(&fd, PollFlags::IN)], Some(&limit)).unwrap() == 1
}

/// Waits until something is true.
pub fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is() {
        assert!(Instant::now() < deadline, "{what}: not within {LIMIT:?}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub fn kill(pid: i32, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), signal).unwrap();
}

pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z') && !rest.starts_with('X'))
}

pub fn text_of(fd: OwnedFd) -> String {
    let mut text = String::new();
    fs::File::from(fd).read_to_string(&mut text).unwrap();
    text
}

impl Bed {
    /// `None`, after saying why, when the machine lacks something.
    pub fn new(test: &str) -> Option<Self> {
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
        let reason = match busybox {
            _ if !rustix::process::geteuid().is_root() => "needs root",
            None => "there is no busybox",
            Some(busybox) => {
                let number = NUMBER.fetch_add(1, Ordering::Relaxed);
                let group = format!("lxd-keepertest-{}-{number}", std::process::id());
                let dir = tempfile::tempdir().unwrap();
                fill(dir.path(), busybox);
                let bed = Self { dir, group, keepers: Vec::new().into() };
                if container::idmap::probe(&bed.root()) == Ok(true) {
                    return Some(bed);
                }
                "the file system of the temporary directory cannot map ids"
            }
        };
        eprintln!("SKIP {test}: {reason}");
        None
    }

    pub fn var(&self) -> &Path {
        self.dir.path()
    }

    pub fn root(&self) -> PathBuf {
        self.var().join("rootfs")
    }

    pub fn idmap() -> IdMap {
        IdMap::contiguous(HOST, 65_536)
    }

    /// Runs the program, which goes into the background.
    pub fn spawn(&self) {
        let output = Command::new(PROGRAM).arg(self.var()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    pub fn connect(&self) -> Daemon {
        let socket = sys::seqpacket::connect(&self.var().join("keeper.socket"), MAX_PACKET).expect("connect");
        let (next, events) = (1, VecDeque::new());
        let mut daemon = Daemon { socket, next, events, keeper: 0, build: String::new() };
        match daemon.ask(RequestBody::Hello { version: VERSION }, &[]) {
            Ok((ReplyBody::Hello { pid, build, .. }, _)) => (daemon.keeper, daemon.build) = (pid, build),
            other => panic!("{other:?}"),
        }
        self.keepers.borrow_mut().push(daemon.keeper);
        daemon
    }

    pub fn start_keeper(&self) -> Daemon {
        self.spawn();
        self.connect()
    }

    /// A container that runs a shell script as its init.
    pub fn spec(&self, name: &str, script: &str) -> ContainerSpec {
        let log = self.var().join(format!("{name}.log"));
        ContainerSpec {
            name: name.into(),
            hostname: name.into(),
            idmap: Some(Self::idmap()),
            rootfs: Rootfs { path: self.root(), idmapped: true, read_only: false },
            init: ["/bin/sh", "-c", script].map(String::from).to_vec(),
            environment: vec![PATH.into(), "container=lxc".into()],
            mounts: vec![],
            devices: vec![],
            masked: vec![],
            read_only: vec![],
            writable: None,
            drop_capabilities: vec![],
            rlimits: vec![],
            sysctls: vec![],
            cgroup: CgroupSpec {
                path: format!("{}/{name}", self.group),
                v1: vec![],
                v2: vec![],
                devices: None,
            },
            console: ConsoleSpec { log, keep: 64 * 1024 },
            nics: vec![],
            apparmor: None,
            seccomp: false,
            sys: None,
            proc: Vec::new(),
            personality: None,
        }
    }

    pub fn journal(&self) -> String {
        fs::read_to_string(self.var().join("keeper/keeper.log")).unwrap_or_default()
    }
}

fn fill(var: &Path, busybox: &str) {
    let root = var.join("rootfs");
    for dir in ["bin", "dev", "proc", "sys", "tmp", "etc", "root"] {
        fs::create_dir_all(root.join(dir)).unwrap();
    }
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    for applet in ["sh", "cat", "echo", "sleep", "reboot", "poweroff", "true", "kill", "id", "ps", "stty"] {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
}

impl Drop for Bed {
    fn drop(&mut self) {
        // Whoever still listens knows every init; what dies last is the keeper.
        if let Ok(socket) = sys::seqpacket::connect(&self.var().join("keeper.socket"), MAX_PACKET) {
            let (next, events) = (1, VecDeque::new());
            let mut daemon = Daemon { socket, next, events, keeper: 0, build: String::new() };
            let _ = daemon.ask(RequestBody::Hello { version: VERSION }, &[]);
            for kept in daemon.list() {
                if kept.exit.is_none() && is_alive(kept.pid) {
                    kill(kept.pid, rustix::process::Signal::KILL);
                }
            }
            eventually("every container ends", || daemon.list().iter().all(|kept| kept.exit.is_some()));
        }
        for keeper in self.keepers.borrow().iter().copied() {
            let cmdline = fs::read(format!("/proc/{keeper}/cmdline")).unwrap_or_default();
            if cmdline.starts_with(b"lxd-keeper\0") {
                kill(keeper, rustix::process::Signal::KILL);
            }
        }
        if std::thread::panicking() {
            eprintln!("journal of the keeper:\n{}", self.journal());
        }
        let Ok(hierarchies) = fs::read_dir("/sys/fs/cgroup") else { return };
        let hierarchies = hierarchies.flatten().map(|entry| entry.path());
        for hierarchy in hierarchies.chain([PathBuf::from("/sys/fs/cgroup")]) {
            let _ = fs::remove_dir(hierarchy.join(&self.group));
        }
    }
}

impl Daemon {
    /// Sends a request without waiting for its reply; the result is its number.
    pub fn send(&mut self, body: RequestBody, fds: &[&OwnedFd]) -> u64 {
        let id = self.next;
        self.next += 1;
        let packet = serde_json::to_vec(&Request { id, body }).unwrap();
        let fds: Vec<_> = fds.iter().map(|fd| fd.as_fd()).collect();
        sys::scm::send(self.socket.as_fd(), &packet, &fds).unwrap();
        id
    }

    pub fn receive(&mut self) -> Option<(Message, Vec<OwnedFd>)> {
        assert!(ready(&self.socket, LIMIT), "the keeper says nothing");
        let mut buffer = vec![0; MAX_PACKET];
        let received = sys::scm::recv(self.socket.as_fd(), &mut buffer).ok()?;
        if received.len == 0 {
            return None;
        }
        Some((serde_json::from_slice(&buffer[..received.len]).unwrap(), received.fds))
    }

    pub fn answer(&mut self, id: u64) -> Answer {
        loop {
            match self.receive().expect("the keeper hung up") {
                (Message::Event(event), _) => self.events.push_back(event),
                (Message::Reply { id: number, result }, fds) => {
                    assert_eq!(number, id);
                    return result.map(|body| (body, fds));
                }
            }
        }
    }

    pub fn ask(&mut self, body: RequestBody, fds: &[&OwnedFd]) -> Answer {
        let id = self.send(body, fds);
        self.answer(id)
    }

    pub fn event(&mut self) -> EventBody {
        if let Some(event) = self.events.pop_front() {
            return event;
        }
        match self.receive().expect("the keeper hung up").0 {
            Message::Event(event) => event,
            other @ Message::Reply { .. } => panic!("{other:?}"),
        }
    }

    pub fn list(&mut self) -> Vec<Kept> {
        match self.ask(RequestBody::List, &[]) {
            Ok((ReplyBody::Containers(kept), _)) => kept,
            other => panic!("{other:?}"),
        }
    }

    pub fn clone_only(&mut self, spec: ContainerSpec) -> i32 {
        match self.ask(RequestBody::Start { spec }, &[]) {
            Ok((ReplyBody::Cloned { pid }, fds)) if fds.len() == 2 => pid,
            other => panic!("{other:?}"),
        }
    }

    pub fn start(&mut self, spec: ContainerSpec) -> i32 {
        let name = spec.name.clone();
        let cloned = self.clone_only(spec);
        match self.ask(RequestBody::Proceed { name }, &[]) {
            Ok((ReplyBody::Started { pid, start_time }, fds)) if fds.len() == 1 => {
                assert_eq!(pid, cloned);
                assert!(start_time > 0);
                pid
            }
            other => panic!("{other:?}"),
        }
    }

    /// Starts a shell script as a program; the result is its session and its output.
    pub fn exec(&mut self, name: &str, script: &str) -> (u64, OwnedFd) {
        let (id, output) = self.send_exec(name, script);
        match self.answer(id) {
            Ok((ReplyBody::Spawned { session, pid }, fds)) => {
                assert!(pid > 0 && fds.len() == 1);
                (session, output)
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn send_exec(&mut self, name: &str, script: &str) -> (u64, OwnedFd) {
        let null: OwnedFd = fs::File::open("/dev/null").unwrap().into();
        let flags = rustix::pipe::PipeFlags::CLOEXEC;
        let (output, write) = rustix::pipe::pipe_with(flags).unwrap();
        let spec = ExecSpec {
            command: ["/bin/sh", "-c", script].map(String::from).to_vec(),
            environment: vec![PATH.into()],
            cwd: "/".into(),
            require_cwd: false,
            uid: 0,
            gid: 0,
            terminal: false,
            drop_capabilities: vec![],
            rlimits: vec![],
            seccomp: false,
            held: false,
        };
        let id = self.send(RequestBody::Exec { name: name.into(), spec }, &[&null, &write, &write]);
        (id, output)
    }

    /// Runs a shell script; the result is its output and status.
    pub fn run(&mut self, name: &str, script: &str) -> (String, i32) {
        let (session, output) = self.exec(name, script);
        let text = text_of(output);
        match self.event() {
            EventBody::ExecEnded { session: number, status } if number == session => (text, status),
            other => panic!("{other:?}"),
        }
    }

    pub fn done(&mut self, body: RequestBody) {
        match self.ask(body, &[]) {
            Ok((ReplyBody::Done, _)) => {}
            other => panic!("{other:?}"),
        }
    }

    pub fn console_log(&mut self, name: &str) -> String {
        match self.ask(RequestBody::ConsoleLog { name: name.into(), clear: false }, &[]) {
            Ok((ReplyBody::ConsoleLog, mut fds)) => text_of(fds.remove(0)),
            other => panic!("{other:?}"),
        }
    }

    pub fn files(&mut self, body: RequestBody) -> Files {
        match self.ask(body, &[]) {
            Ok((ReplyBody::Files, mut fds)) => Files(fds.remove(0)),
            other => panic!("{other:?}"),
        }
    }
}

/// A file server.
pub struct Files(pub OwnedFd);

impl Files {
    pub fn ask(&self, request: &FileRequest) -> (FileResult, Option<OwnedFd>) {
        sys::scm::send(self.0.as_fd(), &serde_json::to_vec(request).unwrap(), &[]).unwrap();
        assert!(ready(&self.0, LIMIT), "the file server says nothing");
        let mut buffer = vec![0; MAX_PACKET];
        let received = sys::scm::recv(self.0.as_fd(), &mut buffer).unwrap();
        let result = serde_json::from_slice(&buffer[..received.len]).unwrap();
        (result, received.fds.into_iter().next())
    }
}
