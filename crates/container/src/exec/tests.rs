//! Programs in running containers.

use super::*;
use crate::testbed::{Bed, HOST, PATH, command, refuse};
use std::io::{Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use sys::waitid::{Ended, wait};

const SLEEP: &str = "sleep 1000";

#[test]
fn the_view_of_a_program() {
    let Some(bed) = Bed::new("the_view_of_a_program") else { return };
    let container = bed.start(&bed.spec(SLEEP), None);
    // Init is a shell until it has become what it runs.
    let script = "
        for try in $(seq 200); do grep -q ^sleep /proc/1/cmdline && break; sleep 0.05; done
        echo $(id -u):$(id -g):$(id -G) $(hostname) $(pwd) $(umask); tr '\\0' ' ' < /proc/1/cmdline
        echo; cut -d: -f3 /proc/self/cgroup | sort -u; ls /proc/1/root | tr '\\n' ' '; echo
        grep -E 'Sig(Ign|Blk)|NoNew|CapEff|NSpid' /proc/self/status; cat /proc/self/uid_map; env
        touch /by-exec";
    let output = container.sh(script);
    let has = |line: &str| {
        let plain = |l: &str| l.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(output.lines().any(|l| plain(l) == line), "{line}:\n{output}");
    };
    has("0:0:0 inside / 0022");
    has("sleep 1000");
    has("/");
    has("bin dev etc proc root sys tmp");
    for line in ["SigBlk: 0000000000000000", "SigIgn: 0000000000000000", "NoNewPrivs: 0"] {
        has(line);
    }
    has(&format!("0 {HOST} 65536"));
    has(PATH);
    assert!(!output.contains("container="), "the environment is that of the request\n{output}");
    assert_eq!(std::fs::metadata(bed.root().join("by-exec")).unwrap().uid(), 0);
}

#[test]
fn no_descriptors_but_the_streams() {
    let Some(bed) = Bed::new("no_descriptors_but_the_streams") else { return };
    let container = bed.start(&bed.spec(SLEEP), None);
    let leaked = std::fs::File::open("/").unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let (output, _) = container.exec(&command(&["ls", "/proc/self/fd"]), None);
    assert_eq!(output.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[test]
fn users_directories_and_rights() {
    let Some(bed) = Bed::new("users_directories_and_rights") else { return };
    std::fs::create_dir(bed.root().join("private")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(bed.root().join("private"), mode).unwrap();
    let container = bed.start(&bed.spec(SLEEP), None);
    let mut spec =
        command(&["sh", "-c", "id -u; id -g; id -G; pwd; grep -E 'Cap(Eff|Prm|Bnd)' /proc/self/status"]);
    (spec.uid, spec.gid) = (1000, 1001);
    spec.cwd = "/tmp".into();
    spec.drop_capabilities = vec![21];
    let (output, ended) = container.exec(&spec, None);
    assert_eq!(ended, Ended::Code(0));
    let words: Vec<_> = output.split_whitespace().collect();
    assert_eq!(words[..4], ["1000", "1001", "1001", "/tmp"]);
    assert_eq!(words[5..8], ["0000000000000000", "CapEff:", "0000000000000000"], "{output}");
    assert_eq!(u64::from_str_radix(words[9], 16).unwrap() & (1 << 21), 0);
    // Another user cannot enter root's directory; that is only fatal when it was asked for.
    spec.cwd = "/private".into();
    assert!(container.exec(&spec, None).0.contains("\n/\n"));
    spec.require_cwd = true;
    let null = std::fs::File::open("/dev/null").unwrap();
    let streams = [null.as_fd(); 3];
    let error = container.attacher().exec(&spec, streams, None).unwrap_err();
    assert_eq!(error.step, "enter the working directory /private");
    assert_eq!(error.errno, Some(13));
    spec.command = Vec::new();
    assert!(container.attacher().exec(&spec, streams, None).is_err());
    // An id that the container does not have.
    spec = command(&["true"]);
    spec.uid = 100_000;
    let error = container.attacher().exec(&spec, streams, None).unwrap_err();
    assert_eq!(error.step, "set the user id");
}

#[test]
fn programs_that_are_not_there() {
    let Some(bed) = Bed::new("programs_that_are_not_there") else { return };
    std::fs::write(bed.root().join("bin/plain"), "text").unwrap();
    std::fs::write(bed.root().join("bin/odd"), "text").unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(bed.root().join("bin/odd"), mode).unwrap();
    let container = bed.start(&bed.spec(SLEEP), None);
    for (program, code, said) in [
        ("missing", 127, "missing: command not found\n"),
        ("/bin/missing", 127, "/bin/missing: command not found\n"),
        ("plain", 126, "plain: cannot be executed\n"),
        ("odd", 126, "odd: cannot be executed\n"),
        ("/tmp", 126, "/tmp: cannot be executed\n"),
        ("", 127, ": command not found\n"),
    ] {
        let (output, ended) = container.exec(&command(&[program]), None);
        assert_eq!((output.as_str(), ended), (said, Ended::Code(code)), "{program}");
    }
    let (_, ended) = container.exec(&command(&["sh", "-c", "kill -9 $$"]), None);
    assert_eq!(ended.shell_status(), 137);
}

/// Checklist of the runtime, line 6.
#[test]
fn a_terminal_of_the_container() {
    let Some(bed) = Bed::new("a_terminal_of_the_container") else { return };
    let container = bed.start(&bed.spec(SLEEP), None);
    let devpts = &container.running.devpts;
    let flags = rustix::fs::OFlags::RDWR | rustix::fs::OFlags::NOCTTY;
    let master = rustix::fs::openat(devpts, "ptmx", flags, rustix::fs::Mode::empty()).unwrap();
    rustix::pty::unlockpt(&master).unwrap();
    let flags = rustix::pty::OpenptFlags::RDWR | rustix::pty::OpenptFlags::NOCTTY;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags).unwrap();
    let mut spec = command(&["sh", "-c", "tty; echo y > /dev/tty; read line; echo got $line"]);
    spec.terminal = true;
    let streams = [slave.as_fd(); 3];
    let spawned = container.attacher().exec(&spec, streams, None).unwrap();
    drop(slave);
    let mut master = std::fs::File::from(master);
    master.write_all(b"typed\n").unwrap();
    let mut output = Vec::new();
    let _ = master.read_to_end(&mut output);
    let output = String::from_utf8(output).unwrap();
    assert_eq!(wait(spawned.pidfd.as_fd()), Ok(Ended::Code(0)));
    assert!(output.contains("/dev/pts/1\r\n"), "{output}");
    assert!(output.contains("y\r\n") && output.contains("got typed"), "{output}");
}

#[test]
fn seccomp_for_root_and_others() {
    let Some(bed) = Bed::new("seccomp_for_root_and_others") else { return };
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIP seccomp_for_root_and_others: another architecture");
        return;
    }
    let container = bed.start(&bed.spec(SLEEP), None);
    for uid in [0, 1000] {
        let mut spec = command(&["mkdir", "/tmp/x"]);
        (spec.uid, spec.seccomp) = (uid, true);
        let (output, ended) = container.exec(&spec, Some(refuse(83, 95)));
        assert!(output.contains("not supported"), "{output}");
        assert_eq!(ended, Ended::Code(1));
    }
}

#[test]
fn a_hundred_at_once() {
    let Some(bed) = Bed::new("a_hundred_at_once") else { return };
    let container = bed.start(&bed.spec(SLEEP), None);
    let attacher = container.attacher();
    let null: OwnedFd = std::fs::File::open("/dev/null").unwrap().into();
    let pending: Vec<_> = (0..100)
        .map(|n| {
            let spec = command(&["sh", "-c", &format!("exit {n}")]);
            attacher.spawn(&spec, [null.as_fd(); 3], None, None).unwrap()
        })
        .collect();
    let spawned: Vec<_> = pending.into_iter().map(|p| p.finish().unwrap()).collect();
    for (n, program) in (0..).zip(&spawned) {
        assert_eq!(wait(program.pidfd.as_fd()), Ok(Ended::Code(n)));
    }
    // The caller is at home again.
    let link = |name: &str| std::fs::read_link(format!("/proc/thread-self/ns/{name}")).unwrap();
    assert_eq!(link("pid"), link("pid_for_children"));
}

#[test]
fn a_held_program_waits_for_its_client_and_is_not_run_without_one() {
    let Some(bed) = Bed::new("a_held_program_waits_for_its_client_and_is_not_run_without_one") else {
        return;
    };
    let container = bed.start(&bed.spec(SLEEP), None);
    container.sh("chmod 1777 /tmp");
    let attacher = container.attacher();
    let null = std::fs::File::open("/dev/null").unwrap();
    for uid in [0, 1000] {
        let held = |flag: &str| {
            let mut spec = command(&["touch", &format!("/tmp/{flag}{uid}")]);
            spec.uid = uid;
            let (gate, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
            (attacher.spawn(&spec, [null.as_fd(); 3], None, Some(gate.as_fd())).unwrap(), ours)
        };
        let (wanted, gate) = held("wanted");
        rustix::io::write(&gate, &[1]).unwrap();
        assert_eq!(wait(wanted.finish().unwrap().pidfd.as_fd()), Ok(Ended::Code(0)));
        let (unwanted, gate) = held("unwanted");
        drop(gate);
        let error = unwanted.finish().unwrap_err().to_string();
        assert!(error.contains("wait for the client"), "{error}");
    }
    assert_eq!(container.sh("cd /tmp; ls -d *wanted*"), "wanted0\nwanted1000\n");
}

/// CVE-2016-8649; checklist of the runtime, line 5.
#[test]
fn a_held_program_shows_nothing_of_the_host() {
    let Some(bed) = Bed::new("a_held_program_shows_nothing_of_the_host") else { return };
    let container = bed.start(&bed.spec(SLEEP), None);
    let null = std::fs::File::open("/dev/null").unwrap();
    let mut spec = command(&["true"]);
    spec.held = true;
    let (gate, ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let attacher = container.attacher();
    let held = attacher.spawn(&spec, [null.as_fd(); 3], None, Some(gate.as_fd())).unwrap();
    // It has entered when it runs as the container's root.
    let looked = container.sh("for try in $(seq 100); do
             for p in /proc/[0-9]*; do
                 n=${p#/proc/}; [ $n = 1 ] || [ $n = $$ ] && continue
                 grep -q '^Uid:.0.0' $p/status 2>/dev/null || continue
                 echo found
                 ls $p/fd && echo descriptors; cat $p/maps && echo memory; readlink $p/exe && echo program
                 ls $p/root/ && echo root; ls $p/cwd/ && echo directory; cat $p/environ && echo environment
                 exit
             done
             sleep 0.1
         done 2>/dev/null");
    assert_eq!(looked, "found\n");
    rustix::io::write(&ours, &[1]).unwrap();
    assert_eq!(wait(held.finish().unwrap().pidfd.as_fd()), Ok(Ended::Code(0)));
}

#[test]
fn in_a_privileged_container_and_one_that_is_gone() {
    let Some(bed) = Bed::new("in_a_privileged_container_and_one_that_is_gone") else { return };
    let mut spec = bed.spec(SLEEP);
    spec.idmap = None;
    let mut container = bed.start(&spec, None);
    assert_eq!(container.sh("id -u; hostname"), "0\ninside\n");
    let attacher = container.attacher();
    let (gate, _ours) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
    let null = std::fs::File::open("/dev/null").unwrap();
    let held = attacher.spawn(&command(&["true"]), [null.as_fd(); 3], None, Some(gate.as_fd()));
    assert!(held.unwrap_err().to_string().contains("privileged"));
    sys::pidfd::send_signal(container.running.pidfd.as_fd(), 9).unwrap();
    container.wait();
    assert!(attacher.exec(&command(&["true"]), [null.as_fd(); 3], None).is_err());
    let running = &container.running;
    assert!(Attacher::start(running.pid, running.pidfd.as_fd(), &running.cgroup).is_err());
}

#[test]
fn where_the_containers_group_takes_no_processes() {
    let Some(bed) = Bed::new("where_the_containers_group_takes_no_processes") else { return };
    // As systemd does it: init moves into a group of its own and enables controllers beside it.
    let script = "
        cd /sys/fs/cgroup && mount -t cgroup2 none . && cd . && cd /sys/fs/cgroup && mkdir own &&
        echo 0 > own/cgroup.procs &&
        for c in $(cat cgroup.controllers); do echo +$c > cgroup.subtree_control; done
        cat cgroup.subtree_control; echo ready; exec sleep 1000";
    let container = bed.start(&bed.spec(script), None);
    let dir = container.running.cgroup.unified().unwrap();
    let control = |dir: &OwnedFd| {
        let path = format!("/proc/self/fd/{}/cgroup.subtree_control", std::os::fd::AsRawFd::as_raw_fd(dir));
        std::fs::read_to_string(path).unwrap_or_default().trim().to_owned()
    };
    let enabled = dir.as_ref().is_some_and(|dir| {
        (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(20));
            !control(dir).is_empty()
        })
    });
    if !enabled {
        eprintln!("SKIP where_the_containers_group_takes_no_processes: no controllers to delegate");
        return;
    }
    let output = container.sh("grep ^0 /proc/self/cgroup; id -u");
    assert_eq!(output, "0::/.lxc\n0\n");
}
