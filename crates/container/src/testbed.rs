//! Small containers for tests: busybox in a temporary directory.

use crate::cgroup::{Cgroup, Layout};
use crate::exec::Attacher;
use crate::start::{self, Running};
use model::IdMap;
use model::runtime::spec::{CgroupSpec, ConsoleSpec, ContainerSpec, ExecSpec, Rootfs};
use std::io::Read;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use sys::waitid::Ended;

/// First id on the host of every container here.
pub(crate) const HOST: u32 = 1_000_000;
pub(crate) const LIMIT: Duration = Duration::from_secs(20);
pub(crate) const PATH: &str = "PATH=/bin:/usr/bin";

static NUMBER: AtomicU32 = AtomicU32::new(0);

/// A root file system and what is needed to start it.
pub(crate) struct Bed {
    dir: tempfile::TempDir,
    pub(crate) layout: Layout,
    cgroup: String,
}

/// A container that is killed and removed in the end.
pub(crate) struct Container {
    pub(crate) running: Running,
    output: Option<std::thread::JoinHandle<String>>,
    ended: Option<Ended>,
}

fn busybox() -> Option<PathBuf> {
    ["/bin/busybox", "/usr/bin/busybox"].into_iter().map(PathBuf::from).find(|path| path.exists())
}

impl Bed {
    /// `None`, after saying why, when the machine lacks something.
    pub(crate) fn new(test: &str) -> Option<Self> {
        let skip = |reason: &str| {
            eprintln!("SKIP {test}: {reason}");
            None
        };
        if !rustix::process::geteuid().is_root() {
            return skip("needs root");
        }
        let Some(busybox) = busybox() else { return skip("there is no busybox") };
        let Ok(layout) = Layout::detect() else { return skip("no control groups") };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let cgroup = format!("lxd-test-{}-{number}/{test}", std::process::id());
        let bed = Self { dir: tempfile::tempdir().unwrap(), layout, cgroup };
        bed.fill(&busybox);
        let maps = crate::idmap::probe(&bed.root());
        if maps != Ok(true) {
            return skip("the file system of the temporary directory cannot map ids");
        }
        Some(bed)
    }

    fn fill(&self, busybox: &Path) {
        let root = self.root();
        for dir in ["bin", "dev", "proc", "sys", "tmp", "etc", "root"] {
            std::fs::create_dir_all(root.join(dir)).unwrap();
        }
        std::fs::copy(busybox, root.join("bin/busybox")).unwrap();
        let listed = std::process::Command::new(busybox).arg("--list").output().unwrap().stdout;
        for applet in String::from_utf8(listed).unwrap().lines().filter(|name| *name != "busybox") {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).unwrap();
        }
    }

    /// On the host.
    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("rootfs")
    }

    /// A container that runs a shell script as its init.
    pub(crate) fn spec(&self, script: &str) -> ContainerSpec {
        ContainerSpec {
            name: "test".to_owned(),
            hostname: "inside".to_owned(),
            idmap: Some(IdMap::contiguous(HOST, 65_536)),
            rootfs: Rootfs { path: self.root(), idmapped: true, read_only: false },
            init: ["/bin/sh", "-c", script].map(str::to_owned).to_vec(),
            environment: vec![PATH.to_owned(), "container=lxc".to_owned()],
            mounts: Vec::new(),
            devices: Vec::new(),
            masked: Vec::new(),
            read_only: Vec::new(),
            writable: None,
            drop_capabilities: Vec::new(),
            rlimits: Vec::new(),
            sysctls: Vec::new(),
            cgroup: CgroupSpec { path: self.cgroup.clone(), v1: Vec::new(), v2: Vec::new(), devices: None },
            console: ConsoleSpec { log: self.dir.path().join("console.log"), keep: 1024 },
            nics: Vec::new(),
            apparmor: None,
            seccomp: false,
            sys: None,
            proc: Vec::new(),
            personality: None,
        }
    }

    /// Start it.
    pub(crate) fn start(&self, spec: &ContainerSpec, seccomp: Option<OwnedFd>) -> Container {
        let running = start::clone(spec, seccomp, Vec::new(), &self.layout).unwrap().proceed().unwrap();
        Container::new(running)
    }

    /// What a script prints on the console, and how it ends.
    pub(crate) fn run(&self, spec: &ContainerSpec) -> (String, Ended) {
        let mut container = self.start(spec, None);
        let ended = container.wait();
        (container.output(), ended)
    }

    /// Whether the control groups of the containers are gone.
    pub(crate) fn clean(&self) -> bool {
        !Cgroup::open(&self.layout, &self.cgroup).unwrap().exists()
    }
}

impl Container {
    pub(crate) fn new(running: Running) -> Self {
        let mut console = std::fs::File::from(running.console.try_clone().unwrap());
        let output = std::thread::spawn(move || {
            let mut all = Vec::new();
            // A terminal whose other side is closed gives an error at its end.
            let _ = console.read_to_end(&mut all);
            String::from_utf8_lossy(&all).replace('\r', "")
        });
        Self { running, output: Some(output), ended: None }
    }

    pub(crate) fn wait(&mut self) -> Ended {
        let ended = match self.ended {
            Some(ended) => ended,
            None => sys::waitid::wait(self.running.pidfd.as_fd()).unwrap(),
        };
        *self.ended.insert(ended)
    }

    /// Everything on the console, when it has ended.
    pub(crate) fn output(&mut self) -> String {
        self.output.take().map(|thread| thread.join().unwrap()).unwrap_or_default()
    }

    pub(crate) fn attacher(&self) -> Attacher {
        let Running { pid, pidfd, cgroup, .. } = &self.running;
        Attacher::start(*pid, pidfd.as_fd(), cgroup).unwrap()
    }

    /// Run a program; what it printed (errors too) and how it ended.
    pub(crate) fn exec(&self, spec: &ExecSpec, seccomp: Option<OwnedFd>) -> (String, Ended) {
        let (mut reader, writer) = std::io::pipe().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        let streams = [null.as_fd(), writer.as_fd(), writer.as_fd()];
        let spawned = self.attacher().exec(spec, streams, seccomp).unwrap();
        drop(writer);
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        (text, sys::waitid::wait(spawned.pidfd.as_fd()).unwrap())
    }

    /// The same for a shell script.
    pub(crate) fn sh(&self, script: &str) -> String {
        self.exec(&command(&["/bin/sh", "-c", script]), None).0
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = sys::pidfd::send_signal(self.running.pidfd.as_fd(), 9);
            self.wait();
        }
        self.running.cgroup.remove(LIMIT).unwrap();
    }
}

/// A program to run as root without anything special.
pub(crate) fn command(words: &[&str]) -> ExecSpec {
    ExecSpec {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        environment: vec![PATH.to_owned()],
        cwd: "/".to_owned(),
        require_cwd: false,
        uid: 0,
        gid: 0,
        terminal: false,
        drop_capabilities: Vec::new(),
        rlimits: Vec::new(),
        seccomp: false,
        held: false,
    }
}

/// A seccomp program that answers one system call with an error number and allows the others.
pub(crate) fn refuse(call: u32, errno: u32) -> OwnedFd {
    let mut program = Vec::new();
    for (code, jt, jf, k) in [
        (0x20_u16, 0, 0, 0),
        (0x15, 0, 1, call),
        (0x06, 0, 0, 0x0005_0000 | errno),
        (0x06, 0, 0, 0x7fff_0000),
    ] {
        program.extend(u16::to_ne_bytes(code));
        program.extend([jt, jf]);
        program.extend(u32::to_ne_bytes(k));
    }
    sys::memfd::sealed("seccomp", &program).unwrap()
}
