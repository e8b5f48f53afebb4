//! Published ways out of containers, tried. `docs/security.md` has the table of them, the rules and
//! the checklist of the runtime.
//!
//! Each is tried by root in an unprivileged container, in a privileged one, and in one that may
//! nest. Afterwards the host is as it was.

use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use testkit::{TestDaemon, daemon};

/// Name and settings of the containers.
const KINDS: [(&str, &[&str]); 3] = [
    ("plain", &[]),
    ("strong", &["-c", "security.privileged=true"]),
    ("nesting", &["-c", "security.nesting=true"]),
];

fn launch_all(d: &TestDaemon) {
    for (name, settings) in KINDS {
        d.lxc_ok(&[&["launch", "busybox", name], settings].concat());
    }
}

/// A script that must fail in each container; it ends with 0 when the attempt has worked.
fn everywhere(d: &TestDaemon, what: &str, script: &str) {
    for (name, _) in KINDS {
        fails(d, name, what, script);
    }
}

fn fails(d: &TestDaemon, name: &str, what: &str, script: &str) {
    let tried = d.lxc(&["exec", name, "--", "sh", "-c", script]);
    assert_ne!(tried.code(), 0, "{what} worked in {name}: {tried:?}");
}

fn host(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// Compiles a program in C that needs no library, or says why it cannot.
fn helper(d: &TestDaemon, name: &str, source: &str) -> Option<Vec<u8>> {
    let (code, program) = (d.scratch().join(format!("{name}.c")), d.scratch().join(name));
    std::fs::write(&code, source).unwrap();
    let compiled = std::process::Command::new("cc")
        .args(["-static", "-O1", "-o"])
        .arg(&program)
        .arg(&code)
        .output()
        .ok()?;
    compiled.status.success().then(|| std::fs::read(program).unwrap())
}

fn put(d: &TestDaemon, name: &str, path: &str, content: &[u8]) {
    let target = format!("{name}{path}");
    let pushed = d.lxc_with_input(&["file", "push", "--mode", "755", "-", &target], content);
    assert_eq!(pushed.code(), 0, "{pushed:?}");
}

/// CVE-2022-0492; checklist of the runtime, line 7.
#[test]
fn release_agents_of_control_groups_cannot_be_set() {
    let d = daemon!();
    launch_all(&d);
    everywhere(
        &d,
        "a release agent",
        "mkdir -p /mnt/g; for c in memory rdma pids cpu devices freezer; do
            mount -t cgroup -o $c cgroup /mnt/g 2>/dev/null || continue
            echo /bin/true > /mnt/g/release_agent && exit 0
            umount /mnt/g
         done
         mount -t cgroup -o none,name=mine cgroup /mnt/g && echo /bin/true > /mnt/g/release_agent && exit 0
         for f in $(find /sys/fs/cgroup /proc/1/root/sys/fs/cgroup -name release_agent 2>/dev/null); do
            echo /bin/true > $f && exit 0
         done
         exit 1",
    );
}

/// A container that may make groups sees its own alone and cannot leave them.
#[test]
fn groups_above_its_own_cannot_be_reached() {
    let d = daemon!();
    launch_all(&d);
    for (name, _) in KINDS {
        let groups = d.exec(name, &["cat", "/proc/self/cgroup"]);
        assert!(!groups.contains("/lxd-") && !groups.contains(".."), "{name}: {groups}");
    }
}

/// `core_pattern`, `uevent_helper`, `modprobe`, `binfmt_misc`, `sysrq-trigger`, `kcore` and others
/// by which the kernel would run programs or tell secrets.
#[test]
fn files_by_which_the_kernel_serves_root_are_out_of_reach() {
    let d = daemon!();
    launch_all(&d);
    let before = [host("/proc/sys/kernel/core_pattern"), host("/proc/sys/kernel/modprobe")];
    for path in [
        "/proc/sys/kernel/core_pattern",
        "/proc/sys/kernel/modprobe",
        "/proc/sys/kernel/hotplug",
        "/proc/sys/kernel/sysrq",
        "/proc/sys/kernel/randomize_va_space",
        "/proc/sys/vm/drop_caches",
        "/proc/sys/fs/suid_dumpable",
        "/proc/sysrq-trigger",
        "/sys/kernel/uevent_helper",
        "/sys/power/state",
        "/sys/kernel/mm/transparent_hugepage/enabled",
        "/sys/firmware/efi/efivars/x",
    ] {
        // Only the opening is tried: nothing is written.
        let open = format!("test -e {path} || exit 9; : >> {path}");
        fails(&d, "plain", path, &open);
        fails(&d, "strong", path, &open);
        fails(&d, "nesting", path, &open);
    }
    everywhere(
        &d,
        "kernel memory",
        "for f in /proc/kcore /dev/mem /dev/kmem /dev/port; do head -c 1 $f | grep -q . && exit 0; done; exit 1",
    );
    for name in ["plain", "strong"] {
        fails(
            &d,
            name,
            "an interpreter of its own for the host",
            "echo ':evil:M::EVIL::/bin/sh:F' > /proc/sys/fs/binfmt_misc/register",
        );
    }
    assert!(!Path::new("/proc/sys/fs/binfmt_misc/evil").exists());
    assert_eq!(before, [host("/proc/sys/kernel/core_pattern"), host("/proc/sys/kernel/modprobe")]);
}

/// CVE-2019-5736; checklist of the runtime, line 2; rule R10.
#[test]
fn r10_the_programs_of_the_host_cannot_be_reached_by_their_processes() {
    let d = daemon!();
    launch_all(&d);
    let keeper = std::fs::read(testkit::program("lxd-keeper")).unwrap();
    for (name, _) in KINDS {
        // Whoever is executed in place of a shell finds nothing of ours behind its own link.
        put(&d, name, "/evil", b"#!/proc/self/exe\n");
        let _ = d.lxc(&["exec", name, "--", "/evil"]);
        fails(
            &d,
            name,
            "writing to the program of a process",
            "for i in 1 2 3; do for e in /proc/[0-9]*/exe; do
                case $(readlink $e) in *lxd*|*memfd*) echo x >> $e && exit 0;; esac
             done; done; exit 1",
        );
    }
    assert_eq!(std::fs::read(testkit::program("lxd-keeper")).unwrap(), keeper);
}

/// CVE-2024-21626 and CVE-2016-9962; checklist of the runtime, line 3.
#[test]
fn no_descriptor_and_no_directory_of_the_host_is_left_open() {
    let d = daemon!();
    launch_all(&d);
    for (name, _) in KINDS {
        for cwd in ["/proc/self/fd/3", "/proc/self/fd/7", "/proc/1/cwd/../../.."] {
            let api = d.api();
            let body = serde_json::json!({"command": ["/bin/ls", "-di", "/", "."], "cwd": cwd,
                "environment": {}, "interactive": false, "wait-for-websocket": false, "record-output": true});
            let ended = api.operation("POST", &format!("/1.0/containers/{name}/exec"), &body);
            if ended["status"] == "Success" && ended["metadata"]["return"] == 0 {
                let log = ended["metadata"]["output"]["1"].as_str().unwrap_or_default().to_owned();
                let said = String::from_utf8_lossy(&api.get(&log).body).into_owned();
                let numbers: Vec<&str> = said.lines().filter_map(|l| l.split_whitespace().next()).collect();
                assert!(numbers.len() == 2, "{name} in {cwd}: {said}");
            }
        }
        let open = d.exec(name, &["sh", "-c", "for p in /proc/[0-9]*; do ls -l $p/fd 2>/dev/null; done"]);
        for line in open.lines().filter(|line| line.contains(" -> ")) {
            let target = line.rsplit(" -> ").next().unwrap_or_default();
            assert!(!target.contains("lxd") && !target.contains("/sys/fs/cgroup"), "{name} holds {target}");
        }
    }
}

/// "Shocker": `open_by_handle_at` reads the host's files by number.
#[test]
fn files_cannot_be_opened_by_number() {
    let d = daemon!();
    let source = r#"#define _GNU_SOURCE
        #include <fcntl.h>
        #include <stdio.h>
        #include <string.h>
        int main(void) {
            struct { struct file_handle h; unsigned char b[8]; } f;
            memset(&f, 0, sizeof f);
            f.h.handle_bytes = 8; f.h.handle_type = 1; f.b[0] = 2;
            int at = open("/", O_RDONLY);
            int fd = open_by_handle_at(at, &f.h, O_RDONLY);
            if (fd >= 0) return 0;
            perror("open_by_handle_at");
            return 1;
        }"#;
    let Some(program) = helper(&d, "shocker", source) else { testkit::skip!("no static C compiler") };
    launch_all(&d);
    for (name, _) in KINDS {
        put(&d, name, "/shocker", &program);
        let tried = d.lxc(&["exec", name, "--", "/shocker"]);
        assert_eq!(tried.code(), 1, "{tried:?}");
        assert!(tried.errors().contains("not implemented"), "{tried:?}");
    }
}

/// CVE-2015-1335 and the three of runc in 2025; checklist of the runtime, line 4; rule R1.
#[test]
fn r1_links_in_place_of_proc_sys_and_dev_lead_nowhere() {
    let d = daemon!();
    let outside = d.scratch().join("outside");
    std::fs::create_dir(&outside).unwrap();
    let rootfs = |name: &str| d.lxd_dir().join(format!("storage-pools/default/containers/{name}/rootfs"));
    let swap = |name: &str, what: &str, to: &str| {
        let path = rootfs(name).join(what);
        let script = "rm -rf \"$0\"; ln -s \"$1\" \"$0\"";
        let done = testkit::run(d.inside("sh").args(["-c", script]).arg(&path).arg(to));
        assert_eq!(done.code(), 0, "{done:?}");
    };
    let mounts = || testkit::run(d.inside("cat").arg("/proc/self/mountinfo")).text();
    for (name, settings) in KINDS {
        let target = outside.to_string_lossy().into_owned();
        for what in ["proc", "sys", "dev"] {
            let container = format!("{name}-{what}");
            d.lxc_ok(&[&["init", "busybox", container.as_str()], settings].concat());
            let before = mounts();
            for to in [target.as_str(), "/proc/1/root", "../../../../../..", "/tmp"] {
                swap(&container, what, to);
                let said = d.lxc_fails(&["start", &container]);
                assert!(said.contains(what), "{container} to {to}: {said}");
            }
            assert_eq!(mounts(), before, "{container}");
            d.lxc_ok(&["delete", &container]);
        }
        // A disk's place that leads out stays inside.
        let container = format!("{name}-disk");
        d.lxc_ok(&[&["init", "busybox", container.as_str()], settings].concat());
        swap(&container, "mnt", &target);
        let source = format!("source={}", d.scratch().join("outside").display());
        d.lxc_ok(&["config", "device", "add", &container, "data", "disk", &source, "path=/mnt/inner"]);
        let _ = d.lxc(&["start", &container]);
        assert_eq!(std::fs::read_dir(&outside).unwrap().count(), 0, "{container} wrote outside");
        d.lxc_ok(&["delete", "--force", &container]);
    }
}

/// What belongs to another container: its processes, its sockets without a name, its terminals.
#[test]
fn other_containers_are_not_there() {
    let d = daemon!();
    launch_all(&d);
    d.lxc_ok(&["launch", "busybox", "victim"]);
    d.exec("victim", &["sh", "-c", "sleep 98765 >/dev/null 2>&1 &"]);
    let victim = d.init_pid("victim");
    let terminals = d.exec("victim", &["sh", "-c", "ls /dev/pts"]);
    for (name, _) in KINDS {
        assert!(!d.exec(name, &["ps"]).contains("98765"), "{name}");
        fails(&d, name, "a signal", &format!("kill -0 {victim} && test -d /proc/{victim}/ns"));
        fails(&d, name, "another's root", &format!("ls /proc/{victim}/root/etc"));
        assert_eq!(d.exec(name, &["sh", "-c", "ls /dev/pts"]), terminals, "a devpts of its own");
        let sockets = d.exec(name, &["sh", "-c", "cat /proc/net/unix"]);
        assert!(!sockets.contains('@'), "sockets of others: {sockets}");
    }
    // Queues, semaphores and shared memory have namespaces.
    d.exec("victim", &["sh", "-c", "touch /dev/shm/secret; touch /dev/mqueue/secret"]);
    everywhere(&d, "shared memory", "test -e /dev/shm/secret || test -e /dev/mqueue/secret");
}

/// Host disks by number, `debugfs`, a second `/proc`.
#[test]
fn disks_of_the_host_cannot_be_opened() {
    let d = daemon!();
    launch_all(&d);
    let disks: Vec<(u64, u64)> = std::fs::read_dir("/sys/class/block")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let text = std::fs::read_to_string(entry.path().join("dev")).ok()?;
            let (major, minor) = text.trim().split_once(':')?;
            Some((major.parse().ok()?, minor.parse().ok()?))
        })
        .take(8)
        .collect();
    for (major, minor) in disks.into_iter().chain([(8, 0), (253, 0)]) {
        everywhere(
            &d,
            "a disk",
            &format!("rm -f /tmp/disk; mknod /tmp/disk b {major} {minor} && head -c 1 /tmp/disk | grep -q ."),
        );
    }
    for (major, minor) in [(1, 1), (1, 2), (1, 4), (1, 11), (10, 144)] {
        everywhere(
            &d,
            "memory by a node",
            &format!("rm -f /tmp/node; mknod /tmp/node c {major} {minor} && head -c 1 < /tmp/node"),
        );
    }
}

/// Modules, another kernel, the clock, raw input and output.
#[test]
fn the_host_itself_cannot_be_changed() {
    let d = daemon!();
    let source = r#"#define _GNU_SOURCE
        #include <errno.h>
        #include <stdio.h>
        #include <sys/io.h>
        #include <sys/mount.h>
        #include <sys/ptrace.h>
        #include <sys/syscall.h>
        #include <sys/time.h>
        #include <time.h>
        #include <unistd.h>
        static int bad;
        static void must_fail(const char *what, long result) {
            if (result >= 0) { printf("%s worked\n", what); bad = 1; }
        }
        int main(void) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            must_fail("init_module", syscall(SYS_init_module, "x", 1, ""));
            must_fail("finit_module", syscall(SYS_finit_module, 0, "", 0));
            must_fail("delete_module", syscall(SYS_delete_module, "x", 0));
            must_fail("kexec_load", syscall(SYS_kexec_load, 0, 0, 0, 0));
            must_fail("kexec_file_load", syscall(SYS_kexec_file_load, -1, -1, 0, "", 0));
            must_fail("clock_settime", clock_settime(CLOCK_REALTIME, &now));
            must_fail("iopl", iopl(3));
            must_fail("open_by_handle_at", syscall(SYS_open_by_handle_at, 0, 0, 0));
            must_fail("umount with force", umount2("/", MNT_FORCE));
            return bad;
        }"#;
    let Some(program) = helper(&d, "change", source) else { testkit::skip!("no static C compiler") };
    launch_all(&d);
    for (name, _) in KINDS {
        put(&d, name, "/change", &program);
        let tried = d.lxc(&["exec", name, "--", "/change"]);
        assert_eq!(tried.code(), 0, "{name}: {}", tried.text());
    }
}

/// Keys of the kernel's keyrings: a session of the host is not handed on.
#[test]
fn keys_of_the_host_are_not_handed_on() {
    let d = daemon!();
    launch_all(&d);
    for name in ["plain", "strong"] {
        let keys = d.exec(
            name,
            &["sh", "-c", "cat /proc/keys 2>/dev/null | grep -v '_ses\\|_uid\\|_persistent' | wc -l"],
        );
        let mine: i64 = keys.trim().parse().unwrap();
        assert!(mine == 0 || name == "strong", "{name} sees {mine} keys");
    }
}

/// Rule R8: nothing below the daemon's directory can be read, walked or used by others, whatever a
/// container puts into its files (CVE-2016-1581, CVE-2025-64507).
#[test]
fn r8_nobody_else_reaches_set_user_id_files_of_containers() {
    let d = daemon!();
    launch_all(&d);
    for (name, _) in KINDS {
        d.exec(name, &["sh", "-c", "cp /bin/busybox /rootshell && chmod 4755 /rootshell && chmod 777 /"]);
    }
    let mut reached = Vec::new();
    walk(&d.lxd_dir(), &mut |path, meta| {
        let mode = meta.permissions().mode();
        if meta.file_type().is_file() && mode & 0o6000 != 0 {
            reached.push(format!("set-user-id {} {mode:o}", path.display()));
        }
        if meta.file_type().is_file() && mode & 0o004 != 0 && meta.uid() == 0 {
            reached.push(format!("readable {} {mode:o}", path.display()));
        }
    });
    assert_eq!(reached, Vec::<String>::new());
    // The same by trying, as nobody.
    let script = format!("find {} -perm -4000 2>/dev/null | grep -q .", d.lxd_dir().display());
    let tried = testkit::run(d.inside("setpriv").args([
        "--reuid",
        "65534",
        "--regid",
        "65534",
        "--clear-groups",
        "sh",
        "-c",
        &script,
    ]));
    assert_ne!(tried.code(), 0, "{tried:?}");
}

/// Visits what a user of the host without rights can get at: through directories that others may
/// search.
fn walk(dir: &Path, visit: &mut dyn FnMut(&Path, &std::fs::Metadata)) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let Ok(meta) = entry.path().symlink_metadata() else { continue };
        visit(&entry.path(), &meta);
        if meta.is_dir() && meta.permissions().mode() & 0o001 != 0 {
            walk(&entry.path(), visit);
        }
    }
}

/// File capabilities count inside, for the container's users, and not outside.
#[test]
fn capabilities_of_files_work_inside_and_nowhere_else() {
    let d = daemon!();
    let source = r#"#include <string.h>
        #include <sys/xattr.h>
        #include <sys/socket.h>
        #include <netinet/in.h>
        #include <stdio.h>
        int main(int argc, char **argv) {
            if (argc > 1) {
                /* cap_net_raw=ep, as setcap writes it: the kernel adds who it belongs to. */
                unsigned char cap[20] = {1, 0, 0, 2, 0, 0x20, 0, 0};
                int failed = setxattr(argv[1], "security.capability", cap, 20, 0);
                if (failed) perror("setxattr");
                return !!failed;
            }
            int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
            if (s < 0) perror("socket");
            return s < 0;
        }"#;
    let Some(program) = helper(&d, "raw", source) else { testkit::skip!("no static C compiler") };
    d.lxc_ok(&["launch", "busybox", "c1"]);
    put(&d, "c1", "/raw", &program);
    let as_user = || d.lxc(&["exec", "c1", "--user", "1000", "--", "/raw"]).code();
    assert_eq!(as_user(), 1, "without a capability a user cannot");
    d.exec("c1", &["sh", "-c", "cp /raw /set && /set /raw"]);
    assert_eq!(as_user(), 0, "with it a user can");
    let init = d.init_pid("c1");
    let outside = testkit::run(
        d.inside("setpriv")
            .args(["--reuid", "65534", "--regid", "65534", "--clear-groups"])
            .arg(format!("/proc/{init}/root/raw")),
    );
    assert_ne!(outside.code(), 0, "on the host it is worth nothing");
}
