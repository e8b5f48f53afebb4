//! One root file system, started by us and by Debian's `lxc-start`: the same questions get the same
//! answers, but for what is written down in [`DECISIONS`].
//!
//! LXC's configuration is what LXD writes for it, so this is also what users of LXD are used to.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use testkit::{Finished, TestDaemon, daemon, eventually, find_program, run};

const PROBE: &str = include_str!("oracle/probe.sh");
const CALLS: &str = include_str!("oracle/calls.c");

/// What differs on purpose: the question (with `*` its beginning), in which kind of container, and why.
const DECISIONS: &[(&str, Kind, &str)] = &[
    ("1 SigIgn", Kind::Any, "LXC leaves two signals of its C library ignored; ours starts with none"),
    ("self SigIgn", Kind::Any, "the same for programs"),
    ("self cwd", Kind::Any, "lxc exec begins in root's home"),
    (
        "self groups",
        Kind::Any,
        "LXC puts programs into .lxc always, ours only where a group with children takes no processes",
    ),
    ("session", Kind::Any, "init has its console as terminal, so that a shell as init has job control"),
    ("node /dev/console", Kind::Any, "the mode of a terminal: its owner, and group tty for write(1)"),
    ("node /dev/ptmx", Kind::Any, "a link to the container's own devpts needs no mount"),
    ("link /dev/ptmx", Kind::Any, "the same"),
    ("mount /dev/ptmx", Kind::Any, "the same"),
    ("mount /dev/shm", Kind::Any, "there from the start, for systems whose init makes none"),
    ("node /dev/shm", Kind::Any, "the same"),
    (
        "mount /dev/mqueue",
        Kind::Any,
        "the container's own, also where the host has none mounted; no programs and nodes on it",
    ),
    ("node /dev/mqueue", Kind::Any, "the same"),
    ("mount /dev", Kind::Any, "no set-user-id programs in /dev"),
    ("node /dev/lxd", Kind::Any, "the guest's door, security.devlxd"),
    ("mount /dev/lxd", Kind::Any, "the same"),
    (
        "mount /proc/sys/kernel/random/boot_id",
        Kind::Any,
        "the file behind it has no name any more, so nobody finds it in /dev",
    ),
    ("node /dev/.lxc-boot-id", Kind::Any, "the same"),
    ("kernel /proc/keys", Kind::Any, "hidden: keys of users of the host that have the same number"),
    ("mount /proc/keys", Kind::Any, "the same"),
    ("keys of init's session", Kind::Any, "the same"),
    ("kernel /proc/timer_list", Kind::Any, "hidden: it tells of the host's processes"),
    ("mount /proc/timer_list", Kind::Any, "the same"),
    ("kernel /proc/sched_debug", Kind::Any, "the same"),
    ("mount /proc/sched_debug", Kind::Any, "the same"),
    ("kernel /sys/firmware", Kind::Any, "hidden: tables of the host's firmware"),
    ("mount /sys/firmware", Kind::Any, "the same"),
    (
        "mount /sys/*",
        Kind::Privileged,
        "of /sys its interfaces are writable, and what the host has mounted there is not shown",
    ),
    ("kernel /sys/kernel/security", Kind::Privileged, "the same"),
    ("writable /sys/kernel/security/*", Kind::Privileged, "the same"),
    ("mount /proc/kcore", Kind::Any, "hidden: the host's memory"),
    ("kernel /proc/kcore", Kind::Any, "the same"),
    ("mount /proc/sysrq-trigger", Kind::Privileged, "read-only like with LXC, with no programs on it"),
    ("mount /proc/bus", Kind::Privileged, "read-only: the host's buses and interrupts"),
    ("mount /proc/irq", Kind::Privileged, "the same"),
    ("mount /proc/sys", Kind::Privileged, "read-only like with LXC, with no programs on it"),
    ("mount /proc/sys/net", Kind::Privileged, "the same"),
    (
        "mount /proc/sys/fs/binfmt_misc",
        Kind::Privileged,
        "the host's interpreters are not for containers that are root on the host",
    ),
    ("mount /sys", Kind::Any, "no programs, nodes and set-user-id bits on sysfs"),
];

/// Which containers a decision is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Any,
    Unprivileged,
    Privileged,
}

/// A container of LXC, in the same sandbox as the daemon. It ends with this value.
struct Lxc<'d> {
    d: &'d TestDaemon,
    name: String,
    path: PathBuf,
}

impl<'d> Lxc<'d> {
    fn start(d: &'d TestDaemon, name: &str, kind: Kind, like: &Path) -> Self {
        let path = d.scratch().join("oracle");
        let (rootfs, log) = (path.join(name).join("rootfs"), path.join("log"));
        std::fs::create_dir_all(path.join(name)).unwrap();
        let _ = run(d.inside("cp").arg("-a").arg(like).arg(&rootfs)).expect_success();
        let mapped = std::os::unix::fs::MetadataExt::uid(&rootfs.metadata().unwrap()) == 0;
        let seccomp = path.join("seccomp");
        // What LXD writes, and the one call that it did not know of yet.
        let policy = "2\nblacklist\nreject_force_umount\n[all]\nkexec_load errno 38\nkexec_file_load errno 38\n\
            open_by_handle_at errno 38\ninit_module errno 38\nfinit_module errno 38\ndelete_module errno 38\n";
        std::fs::write(&seccomp, policy).unwrap();
        let mut lines = format!(
            "lxc.rootfs.path = dir:{}\nlxc.uts.name = {name}\nlxc.autodev = 1\nlxc.pty.max = 1024\nlxc.tty.max = 0\n\
             lxc.console.buffer.size = auto\nlxc.console.size = auto\nlxc.console.logfile = {}\n\
             lxc.seccomp.profile = {}\nlxc.apparmor.profile = unconfined\nlxc.arch = linux64\n\
             lxc.cgroup.dir = {}\nlxc.environment = COLOUR=blue\nlxc.prlimit.nofile = 3000:4000\n\
             lxc.net.0.type = veth\nlxc.net.0.link = lxdbr0\nlxc.net.0.flags = up\nlxc.net.0.name = eth0\n",
            rootfs.display(),
            path.join("console.log").display(),
            seccomp.display(),
            groups(name),
        );
        match kind {
            Kind::Privileged => lines.push_str(
                "lxc.cap.drop = sys_time sys_module sys_rawio mac_admin mac_override\n\
                 lxc.mount.auto = proc:mixed sys:mixed\n",
            ),
            Kind::Unprivileged | Kind::Any => {
                lines.push_str("lxc.mount.auto = proc:rw sys:rw\n");
                lines.push_str("lxc.idmap = u 0 1000000 1000000000\nlxc.idmap = g 0 1000000 1000000000\n");
                if mapped {
                    lines.push_str("lxc.rootfs.options = idmap=container\n");
                }
            }
        }
        for dev in ["dev/fuse", "dev/net/tun"] {
            let _ = writeln!(lines, "lxc.mount.entry = /{dev} {dev} none bind,create=file,optional 0 0");
        }
        for dir in [
            "proc/sys/fs/binfmt_misc",
            "sys/firmware/efi/efivars",
            "sys/fs/fuse/connections",
            "sys/fs/pstore",
            "sys/kernel/debug",
            "sys/kernel/security",
        ] {
            let _ = writeln!(lines, "lxc.mount.entry = /{dir} {dir} none rbind,create=dir,optional 0 0");
        }
        lines.push_str(match kind {
            Kind::Privileged => {
                "lxc.mount.entry = mqueue dev/mqueue mqueue rw,relatime,create=dir,optional 0 0\n"
            }
            _ => "lxc.mount.entry = /dev/mqueue dev/mqueue none rbind,create=dir,optional 0 0\n",
        });
        if kind == Kind::Privileged {
            for version in ["cgroup", "cgroup2"] {
                let _ = writeln!(lines, "lxc.{version}.devices.deny = a");
                for rule in [
                    "b *:* m",
                    "c *:* m",
                    "c 136:* rwm",
                    "c 1:3 rwm",
                    "c 1:5 rwm",
                    "c 1:7 rwm",
                    "c 1:8 rwm",
                    "c 1:9 rwm",
                    "c 5:0 rwm",
                    "c 5:1 rwm",
                    "c 5:2 rwm",
                    "c 10:229 rwm",
                    "c 10:200 rwm",
                ] {
                    let _ = writeln!(lines, "lxc.{version}.devices.allow = {rule}");
                }
            }
        }
        let config = path.join(name).join("config");
        std::fs::write(&config, lines).unwrap();
        let lxc = Self { d, name: name.to_owned(), path };
        let started = lxc.run(
            "lxc-start",
            &["-f", &config.to_string_lossy(), "-l", "DEBUG", "-o", &log.to_string_lossy()],
        );
        assert_eq!(started.code(), 0, "{started:?}\n{}", std::fs::read_to_string(&log).unwrap_or_default());
        lxc
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Finished {
        run(self.d.inside(program).arg("-n").arg(&self.name).arg("-P").arg(&self.path).args(arguments))
    }
}

impl Drop for Lxc<'_> {
    fn drop(&mut self) {
        let _ = self.run("lxc-stop", &["-k"]);
        let _ = self.run("lxc-wait", &["-s", "STOPPED", "-t", "10"]);
        // What is left of its groups, the inner ones first.
        let script = "find /sys/fs/cgroup -depth -type d -path \"*/$0*\" -exec rmdir {} +";
        let _ = run(self.d.inside("sh").args(["-c", script, &groups(&self.name)]));
    }
}

/// The directory of its control groups.
fn groups(name: &str) -> String {
    format!("lvt-oracle-{}-{name}", std::process::id())
}

/// The probe's answers.
fn answers(text: &str) -> BTreeMap<String, String> {
    let pair = |line: &str| {
        line.split_once('\t').map(|(question, answer)| (question.to_owned(), answer.trim().to_owned()))
    };
    text.lines().filter_map(pair).collect()
}

fn decision(question: &str, kind: Kind) -> Option<&'static str> {
    let is =
        |asked: &str| asked.strip_suffix('*').map_or(question == asked, |start| question.starts_with(start));
    let found = DECISIONS.iter().find(|(asked, of, _)| is(asked) && (*of == kind || *of == Kind::Any));
    found.map(|(_, _, reason)| *reason)
}

fn compare(name: &str, kind: Kind, settings: &[&str]) {
    // AppArmor has tests of its own; LXC's profiles are other ones.
    let d = daemon!(TestDaemon::builder().env("LXD_SECURITY_APPARMOR", "false"));
    if find_program("lxc-start").is_none() {
        testkit::skip!("Debian's lxc-start (package lxc) is not installed");
    }
    let limits = ["-c", "environment.COLOUR=blue", "-c", "limits.kernel.nofile=3000:4000"];
    d.lxc_ok(&[&["init", "busybox", name][..], &limits, settings].concat());
    let push = |path: &str, content: &[u8]| {
        let pushed =
            d.lxc_with_input(&["file", "push", "--mode", "755", "-", &format!("{name}{path}")], content);
        assert_eq!(pushed.code(), 0, "{pushed:?}");
    };
    push("/probe", PROBE.as_bytes());
    let (code, calls) = (d.scratch().join("calls.c"), d.scratch().join("calls"));
    std::fs::write(&code, CALLS).unwrap();
    let compiled =
        std::process::Command::new("cc").args(["-static", "-O1", "-o"]).arg(&calls).arg(&code).output();
    if compiled.is_ok_and(|c| c.status.success()) {
        push("/calls", &std::fs::read(&calls).unwrap());
    } else {
        eprintln!("without a C compiler that links statically, calls are not compared");
    }
    let rootfs = d.lxd_dir().join("storage-pools/default/containers").join(name).join("rootfs");
    // Started first, because a start writes into the files of the image.
    d.lxc_ok(&["start", name]);
    let theirs = Lxc::start(&d, name, kind, &rootfs);
    let host: Vec<String> = ["cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts"]
        .iter()
        .map(|ns| {
            let link = run(d.inside("readlink").arg(format!("/proc/self/ns/{ns}"))).text();
            format!("HOST_{ns}={}", link.trim())
        })
        .collect();
    let host: Vec<&str> = host.iter().map(String::as_str).collect();
    let ask = [&["env"][..], &host, &["sh", "/probe"]].concat();
    eventually("both inits are ready", || {
        let ready = "trap '' TERM; grep -q SigIgn /proc/1/status";
        let ours = d.lxc(&["exec", name, "--", "sh", "-c", ready]).code() == 0;
        (ours && theirs.run("lxc-attach", &["--clear-env", "--", "sh", "-c", ready]).code() == 0)
            .then_some(())
    });
    let ours = answers(&d.exec(name, &ask));
    let asked = theirs.run("lxc-attach", &[&["--clear-env", "--"][..], &ask].concat());
    let theirs = answers(&asked.text());
    assert!(ours.len() > 200 && theirs.len() > 200, "{} and {} answers; {asked:?}", ours.len(), theirs.len());
    let questions: std::collections::BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let absent = "(nothing)".to_owned();
    let mut unexplained = String::new();
    for question in questions {
        let (our, their) = (ours.get(question).unwrap_or(&absent), theirs.get(question).unwrap_or(&absent));
        if our == their {
            continue;
        }
        match decision(question, kind) {
            Some(reason) => eprintln!("{question}: {our} | LXC: {their} | {reason}"),
            None => {
                let _ = writeln!(unexplained, "{question}: {our} | LXC: {their}");
            }
        }
    }
    assert!(unexplained.is_empty(), "different from LXC, and not written down why:\n{unexplained}");
}

#[test]
fn an_unprivileged_container_is_what_lxc_makes() {
    compare("plain", Kind::Unprivileged, &[]);
}

#[test]
fn a_privileged_container_is_what_lxc_makes() {
    compare("strong", Kind::Privileged, &["-c", "security.privileged=true"]);
}
