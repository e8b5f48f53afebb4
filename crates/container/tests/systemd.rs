//! A whole distribution: systemd as init reaches `running`.
//!
//! Needs `LIGHTERVISOR_TEST_ROOTFS`: a directory with a root file system with systemd, its files
//! owned by the container's own ids.

use container::cgroup::Layout;
use container::exec::Attacher;
use container::start;
use model::IdMap;
use model::runtime::spec::{
    CgroupSpec, ConsoleSpec, ContainerSpec, Create, DeviceNode, ExecSpec, Mount, MountSource, Rootfs,
};
use std::io::Read;
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::time::Duration;
use sys::waitid::{Ended, wait};

fn spec(root: PathBuf, cgroup: String) -> ContainerSpec {
    let device = |name: &str| DeviceNode {
        source: PathBuf::from("/").join(name),
        target: name.to_owned(),
        optional: true,
    };
    let bind = |path: &str| Mount {
        source: MountSource::Bind { path: PathBuf::from(path), recursive: true, idmapped: false },
        target: path.trim_start_matches('/').to_owned(),
        create: Some(Create::Dir),
        optional: true,
        read_only: false,
    };
    ContainerSpec {
        name: "debian".into(),
        hostname: "debian".into(),
        idmap: Some(IdMap::contiguous(1_000_000, 65_536)),
        rootfs: Rootfs { path: root, idmapped: true, read_only: false },
        init: vec!["/sbin/init".into()],
        environment: vec!["container=lxc".into()],
        mounts: ["/proc/sys/fs/binfmt_misc", "/sys/fs/fuse/connections", "/sys/kernel/debug"]
            .map(bind)
            .to_vec(),
        devices: ["dev/fuse", "dev/net/tun"].map(device).to_vec(),
        masked: Vec::new(),
        read_only: Vec::new(),
        writable: None,
        drop_capabilities: Vec::new(),
        rlimits: Vec::new(),
        sysctls: Vec::new(),
        cgroup: CgroupSpec { path: cgroup, v1: Vec::new(), v2: Vec::new(), devices: None },
        console: ConsoleSpec { log: PathBuf::from("/nowhere"), keep: 0 },
        nics: Vec::new(),
        apparmor: None,
        seccomp: false,
        sys: None,
        proc: Vec::new(),
        personality: None,
    }
}

/// What a command prints, and how it ends.
fn run(attacher: &Attacher, words: &[&str]) -> (String, Ended) {
    let spec = ExecSpec {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
        environment: vec!["PATH=/usr/bin:/bin".into(), "HOME=/root".into()],
        cwd: "/root".into(),
        require_cwd: false,
        uid: 0,
        gid: 0,
        terminal: false,
        drop_capabilities: Vec::new(),
        rlimits: Vec::new(),
        seccomp: false,
        held: false,
    };
    let null = std::fs::File::open("/dev/null").unwrap();
    let (mut reader, writer) = std::io::pipe().unwrap();
    let streams = [null.as_fd(), writer.as_fd(), writer.as_fd()];
    let spawned = attacher.exec(&spec, streams, None).unwrap();
    drop(writer);
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    (text, wait(spawned.pidfd.as_fd()).unwrap())
}

#[test]
fn systemd_reaches_running_and_shuts_down() {
    let Some(root) = std::env::var_os("LIGHTERVISOR_TEST_ROOTFS") else {
        eprintln!("SKIP systemd_reaches_running_and_shuts_down: LIGHTERVISOR_TEST_ROOTFS is not set");
        return;
    };
    let layout = Layout::detect().unwrap();
    let cgroup = format!("lxd-test-systemd-{}/debian", std::process::id());
    let spec = spec(PathBuf::from(root), cgroup);
    let running = start::clone(&spec, None, Vec::new(), &layout).unwrap().proceed().unwrap();
    let mut console = std::fs::File::from(running.console.try_clone().unwrap());
    let output = std::thread::spawn(move || {
        let mut all = Vec::new();
        let _ = console.read_to_end(&mut all);
        String::from_utf8_lossy(&all).into_owned()
    });
    let attacher = Attacher::start(running.pid, running.pidfd.as_fd(), &running.cgroup).unwrap();
    // Until systemd listens, systemctl cannot ask it; the number of times bounds the wait.
    let mut state = String::new();
    for _ in 0..100 {
        state = run(&attacher, &["systemctl", "is-system-running", "--wait"]).0;
        if ["running", "degraded"].contains(&state.trim()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    let failed = run(&attacher, &["systemctl", "--failed", "--no-legend", "--plain"]).0;
    let groups = run(&attacher, &["cat", "/proc/self/cgroup"]).0;
    eprintln!("{state}{failed}{groups}");
    // SIGRTMIN+3, which asks systemd to power off.
    sys::pidfd::send_signal(running.pidfd.as_fd(), 37).unwrap();
    let poll = rustix::event::PollFd::new(&running.pidfd, rustix::event::PollFlags::IN);
    let limit = rustix::event::Timespec { tv_sec: 60, tv_nsec: 0 };
    let polled = rustix::event::poll(&mut [poll], Some(&limit));
    if polled != Ok(1) {
        sys::pidfd::send_signal(running.pidfd.as_fd(), 9).unwrap();
    }
    let ended = wait(running.pidfd.as_fd());
    running.cgroup.remove(Duration::from_secs(20)).unwrap();
    drop(running);
    let output = output.join().unwrap();
    assert_eq!((state.trim(), failed.trim()), ("running", ""), "{output}");
    // How power off is told.
    assert_eq!(ended, Ok(Ended::Signal(2)), "{output}");
}
