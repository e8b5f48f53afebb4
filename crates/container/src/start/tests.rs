//! Containers that really start.

use super::*;
use crate::testbed::{Bed, Container, HOST, LIMIT, refuse};
use model::IdMap;
use model::runtime::spec::{ContainerSpec, Create, DeviceNode, Mount, MountSource, Rlimit};
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::PathBuf;
use sys::waitid::Ended;

fn bind(source: &str, target: &str, create: Option<Create>) -> Mount {
    Mount {
        source: MountSource::Bind { path: PathBuf::from(source), recursive: false, idmapped: false },
        target: target.to_owned(),
        create,
        optional: false,
        read_only: false,
    }
}

fn failure(bed: &Bed, spec: &ContainerSpec) -> crate::Error {
    let error = clone(spec, None, Vec::new(), &bed.layout).and_then(Embryo::proceed).unwrap_err();
    assert!(bed.clean(), "control groups are left after: {error}");
    error
}

#[test]
fn the_view_from_inside() {
    let Some(bed) = Bed::new("the_view_from_inside") else { return };
    let script = "
        echo id=$(id -u):$(id -g):$(id -G) pid=$$ host=$(hostname) cwd=$(pwd) umask=$(umask)
        echo map=$(echo $(cat /proc/self/uid_map))
        test $(ls /proc | grep -c '^[0-9]') -lt 9 && echo few
        for d in null zero full random urandom tty console; do test -c /dev/$d || echo no $d; done
        head -c 4 /dev/zero | wc -c; echo x > /dev/null && echo wrote
        for l in fd stdin stdout stderr ptmx; do echo -n $(readlink /dev/$l)' '; done; echo
        mount | cut -d' ' -f3,5 | tr '\\n' ';'; echo
        cat /proc/self/cgroup | cut -d: -f3 | sort -u
        ip link show lo | grep -c UP
                env; touch /made; stat -c %u:%g /made /etc
        cat /proc/self/status | grep -E '^(NoNewPrivs|SigBlk|SigIgn)'
        tty; ls -ld /dev/shm | cut -c1-10";
    let (output, ended) = bed.run(&bed.spec(script));
    let has = |line: &str| assert!(output.lines().any(|l| l.trim() == line), "{line}:\n{output}");
    assert_eq!(ended, Ended::Code(0), "{output}");
    has("id=0:0:0 pid=1 host=inside cwd=/ umask=0022");
    has(&format!("map=0 {HOST} 65536"));
    has("few");
    assert!(!output.contains("no "), "{output}");
    has("4");
    has("wrote");
    has("/proc/self/fd /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 pts/ptmx");
    for mount in ["/ ext4;", "/proc proc;", "/sys sysfs;", "/dev tmpfs;", "/dev/pts devpts;"] {
        assert!(output.contains(mount) || mount == "/ ext4;", "{mount}:\n{output}");
    }
    has("/");
    has("1");
    has("container=lxc");
    has("0:0");
    has("NoNewPrivs:\t0");
    has("SigBlk:\t0000000000000000");
    has("SigIgn:\t0000000000000000");
    has("/dev/pts/0");
    has("drwxrwxrwt");
    // The container's own ids are on the disk.
    let made = std::fs::metadata(bed.root().join("made")).unwrap();
    assert_eq!((made.uid(), made.gid()), (0, 0));
    assert!(bed.clean());
}

#[test]
fn each_boot_has_its_own_id() {
    let Some(bed) = Bed::new("each_boot_has_its_own_id") else { return };
    let id = "/proc/sys/kernel/random/boot_id";
    let mut spec = bed.spec(&format!(
        "cat {id}; echo x > {id}; ls -A /dev | grep boot; grep -c shared /proc/self/mountinfo"
    ));
    spec.read_only = vec!["/proc/sys".into()];
    let (first, second) = (bed.run(&spec).0, bed.run(&spec).0);
    let ids = [&first, &second].map(|text| text.lines().next().unwrap().to_owned());
    assert_ne!(ids[0], ids[1], "{first}");
    assert_ne!(ids[0], std::fs::read_to_string(id).unwrap().trim());
    assert_eq!(ids[0].len(), 36);
    assert!(first.contains("Read-only") && first.lines().count() == 3, "{first}");
    assert_ne!(first.lines().last(), Some("0"), "{first}");
}

#[test]
fn no_descriptors_but_the_console() {
    let Some(bed) = Bed::new("no_descriptors_but_the_console") else { return };
    let leaked = std::fs::File::open("/").unwrap();
    rustix::io::fcntl_setfd(&leaked, rustix::io::FdFlags::empty()).unwrap();
    let mut spec = bed.spec("");
    spec.init = vec!["/bin/ls".into(), "/proc/self/fd".into()];
    let (output, _) = bed.run(&spec);
    // The last one is the directory that is listed.
    assert_eq!(output.split_whitespace().collect::<Vec<_>>(), ["0", "1", "2", "3"]);
}

#[test]
fn shifted_trees_need_no_mapped_mount() {
    let Some(bed) = Bed::new("shifted_trees_need_no_mapped_mount") else { return };
    std::os::unix::fs::chown(bed.root(), Some(HOST), Some(HOST)).unwrap();
    std::os::unix::fs::chown(bed.root().join("dev"), Some(HOST), Some(HOST)).unwrap();
    let mut spec = bed.spec("touch /made; stat -c %u /made");
    spec.rootfs.idmapped = false;
    let (output, _) = bed.run(&spec);
    assert_eq!(output.trim(), "0");
    assert_eq!(std::fs::metadata(bed.root().join("made")).unwrap().uid(), HOST);
}

#[test]
fn how_it_ends() {
    let Some(bed) = Bed::new("how_it_ends") else { return };
    let code = bed.run(&bed.spec("exit 7")).1;
    assert_eq!(code, Ended::Code(7));
    // How reboot(2) of a pid namespace is told: by the signals 1 and 2.
    assert_eq!(bed.run(&bed.spec("reboot -f")).1, Ended::Signal(1));
    assert_eq!(bed.run(&bed.spec("poweroff -f")).1, Ended::Signal(2));
    assert_eq!(bed.run(&bed.spec("halt -f")).1, Ended::Signal(2));
    let mut killed = bed.start(&bed.spec("sleep 1000"), None);
    use std::os::fd::AsFd;
    sys::pidfd::send_signal(killed.running.pidfd.as_fd(), 9).unwrap();
    assert_eq!(killed.wait(), Ended::Signal(9));
}

/// What the kernel makes up with a namespace belongs to the container's root, not to the host's.
#[test]
fn namespaces_are_the_containers_own() {
    let Some(bed) = Bed::new("namespaces_are_the_containers_own") else { return };
    let script = "stat -c %u /sys/class/net/lo/mtu /dev/mqueue /proc/sys/net/ipv4/ip_forward; echo 1400 > /sys/class/net/lo/mtu; cat /sys/class/net/lo/mtu";
    assert_eq!(bed.run(&bed.spec(script)).0.replace('\r', ""), "0\n0\n0\n1400\n");
}

#[test]
fn one_path_below_a_locked_one_stays_writable() {
    let Some(bed) = Bed::new("one_path_below_a_locked_one_stays_writable") else { return };
    let mut spec = bed.spec(
        "cd /proc/sys; echo 1 > net/ipv4/ip_forward && cat net/ipv4/ip_forward
         (echo 5 > user/max_user_namespaces) 2>&1 | grep -o 'Read-only.*'; (echo x > kernel/hostname) 2>&1 | grep -o 'Read-only.*'",
    );
    spec.idmap = None;
    spec.read_only = vec!["proc/sys".into()];
    spec.writable = Some("proc/sys/net".into());
    let said = bed.run(&spec).0.replace('\r', "");
    assert_eq!(said, "1\nRead-only file system\nRead-only file system\n");
}

#[test]
fn rights_limits_masks_and_sysctls() {
    let Some(bed) = Bed::new("rights_limits_masks_and_sysctls") else { return };
    let mut spec = bed.spec(
        "grep CapBnd /proc/self/status; grep CapEff /proc/self/status; grep CapInh /proc/self/status
         ulimit -n; wc -c < /proc/uptime; ls /proc/irq | wc -l
         echo 1 > /proc/sys/kernel/domainname && echo writable || echo locked
         cat /proc/sys/net/ipv4/ip_forward; cat /masked-link",
    );
    std::fs::write(bed.root().join("secret"), "secret").unwrap();
    symlink("/secret", bed.root().join("masked-link")).unwrap();
    // CAP_MKNOD, CAP_SYS_MODULE, and one that no kernel has.
    spec.drop_capabilities = vec![27, 16, 99];
    spec.rlimits = vec![Rlimit { name: "nofile".into(), soft: Some(100), hard: Some(200) }];
    spec.masked = ["/proc/uptime", "proc/irq", "/missing", "masked-link"].map(String::from).into();
    spec.read_only = vec!["/proc/sys".into(), "/nothing/here".into()];
    spec.sysctls = vec![("net.ipv4.ip_forward".into(), "1".into())];
    let (output, _) = bed.run(&spec);
    let lines: Vec<_> = output.lines().map(str::trim).collect();
    let bounding = u64::from_str_radix(lines[0].split_whitespace().nth(1).unwrap(), 16).unwrap();
    assert_eq!(bounding & ((1 << 27) | (1 << 16)), 0, "{output}");
    assert_ne!(bounding & 1, 0);
    let effective = u64::from_str_radix(lines[1].split_whitespace().nth(1).unwrap(), 16).unwrap();
    assert_eq!(effective, bounding);
    assert!(lines[2].ends_with("0000000000000000"));
    assert_eq!(lines[3..6], ["100", "0", "0"], "{output}");
    assert!(lines.contains(&"locked"), "{output}");
    assert_eq!(lines.last(), Some(&"1"), "{output}");
    spec.sysctls = vec![("no.such.thing".into(), "1".into())];
    assert_eq!(failure(&bed, &spec).step, "set sysctl no.such.thing");
    spec.sysctls = Vec::new();
    spec.rlimits[0].name = "wishes".into();
    assert_eq!(failure(&bed, &spec).step, "set the limit wishes");
}

#[test]
fn the_seccomp_program_is_loaded() {
    let Some(bed) = Bed::new("the_seccomp_program_is_loaded") else { return };
    if !cfg!(target_arch = "x86_64") {
        eprintln!("SKIP the_seccomp_program_is_loaded: another architecture");
        return;
    }
    let mut spec = bed.spec("mkdir /made 2>&1; grep Seccomp: /proc/self/status");
    spec.seccomp = true;
    // mkdir, "Operation not supported".
    let mut container = bed.start(&spec, Some(refuse(83, 95)));
    container.wait();
    let output = container.output();
    assert!(output.contains("not supported"), "{output}");
    assert!(output.contains("Seccomp:\t2"), "{output}");
    drop(container);
    assert_eq!(failure(&bed, &spec).step, "read the seccomp program");
}

#[test]
fn mounts_and_devices() {
    let Some(bed) = Bed::new("mounts_and_devices") else { return };
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("file"), "shared").unwrap();
    let source = shared.path().to_str().unwrap();
    let mut spec = bed.spec(
        "cat /mnt/a/b/file; echo; stat -c %u /mnt/a/b/file /mnt/mapped/file
         echo x > /mnt/ro/file; cat /one; echo; df /mem | tail -1 | cut -d' ' -f1
         echo 1 > /dev/null-again && echo device; ls /mnt | tr '\\n' ' '",
    );
    let mut mapped = bind(source, "mnt/mapped", Some(Create::Dir));
    mapped.source = MountSource::Bind { path: shared.path().to_owned(), recursive: true, idmapped: true };
    let mut read_only = bind(source, "/mnt/ro", Some(Create::Dir));
    read_only.read_only = true;
    let mut missing = bind("/nowhere/at/all", "mnt/missing", Some(Create::Dir));
    missing.optional = true;
    let one = bind(&format!("{source}/file"), "one", Some(Create::File));
    let mut memory = bind(source, "mem", Some(Create::Dir));
    memory.source = MountSource::Filesystem { kind: "tmpfs".into(), options: "rw,size=1m,nosuid".into() };
    let plain = bind(source, "mnt/a/b", Some(Create::Dir));
    spec.mounts = vec![plain, mapped, read_only, missing, one, memory];
    let device = |source: &str, optional| DeviceNode {
        source: PathBuf::from(source),
        target: "dev/null-again".into(),
        optional,
    };
    spec.devices = vec![device("/dev/no-such-device", true), device("/dev/null", false)];
    let (output, _) = bed.run(&spec);
    let lines: Vec<_> = output.lines().map(str::trim).collect();
    assert_eq!(lines[0], "shared", "{output}");
    assert_eq!(lines[1..3], ["65534", "0"], "{output}");
    assert!(lines[3].contains("Read-only"), "{output}");
    assert_eq!(lines[4..], ["shared", "tmpfs", "device", "a mapped ro"], "{output}");
    // Nothing was mounted on the host for it.
    assert!(!std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(source));
    spec.devices[0].optional = false;
    assert_eq!(failure(&bed, &spec).step, "open /dev/no-such-device");
}

#[test]
fn read_only_mounts_stay_so() {
    let Some(bed) = Bed::new("read_only_mounts_stay_so") else { return };
    let home = std::fs::read_link("/proc/thread-self/ns/mnt").unwrap();
    let shared = tempfile::tempdir().unwrap();
    std::fs::write(shared.path().join("file"), "shared").unwrap();
    let mut spec = bed.spec(
        "for m in /mnt/plain /mnt/mapped; do
            mount -o remount,rw,bind $m 2>/dev/null && echo writable; echo x > $m/file && echo written
            cat $m/file; echo; stat -c %u $m/file; done
         mount -o remount,rw,bind /one && echo writable; cat /one",
    );
    for (path, target, create, idmapped) in [
        (shared.path().to_owned(), "mnt/plain", Create::Dir, false),
        (shared.path().to_owned(), "mnt/mapped", Create::Dir, true),
        (shared.path().join("file"), "one", Create::File, true),
    ] {
        spec.mounts.push(Mount {
            source: MountSource::Bind { path, recursive: true, idmapped },
            target: target.to_owned(),
            create: Some(create),
            optional: false,
            read_only: true,
        });
    }
    let (output, _) = bed.run(&spec);
    assert!(!output.contains("writable") && !output.contains("written"), "{output}");
    assert_eq!(output.matches("shared").count(), 3, "{output}");
    assert!(output.contains("65534") && output.lines().any(|line| line == "0"), "{output}");
    assert_eq!(std::fs::read_to_string(shared.path().join("file")).unwrap(), "shared");
    // The caller is where it was.
    assert_eq!(std::fs::read_link("/proc/thread-self/ns/mnt").unwrap(), home);
}

#[test]
fn hostile_links_lead_nowhere() {
    let Some(bed) = Bed::new("hostile_links_lead_nowhere") else { return };
    let outside = tempfile::tempdir().unwrap();
    let root = bed.root();
    let back = "../".repeat(20) + outside.path().to_str().unwrap().trim_start_matches('/');
    for (name, step) in [("dev", "mount /dev"), ("proc", "mount /proc"), ("sys", "mount /sys")] {
        std::fs::remove_dir(root.join(name)).unwrap();
        for to in ["/etc", back.as_str()] {
            symlink(to, root.join(name)).unwrap();
            assert_eq!(failure(&bed, &bed.spec("true")).step, step);
            std::fs::remove_file(root.join(name)).unwrap();
        }
        std::fs::create_dir(root.join(name)).unwrap();
    }
    // A mount point that leads outside is looked up inside, where there is nothing.
    symlink(outside.path(), root.join("absolute")).unwrap();
    symlink(&back, root.join("relative")).unwrap();
    for name in ["absolute", "relative"] {
        let mut spec = bed.spec("true");
        spec.mounts = vec![bind("/etc", &format!("{name}/x"), Some(Create::Dir))];
        assert_eq!(failure(&bed, &spec).step, format!("mount /{name}/x"));
        spec.mounts = vec![bind("/etc", "../../x", Some(Create::Dir))];
        assert_eq!(failure(&bed, &spec).step, "mount /../../x");
        spec.mounts.clear();
        spec.masked = vec![name.into()];
        spec.read_only = vec![name.into()];
        bed.run(&spec);
    }
    // A device's place cannot lead out of /dev, which the container does not write beforehand.
    std::fs::create_dir_all(root.join("etc/fuse")).unwrap();
    symlink("../../etc/fuse", root.join("dev/null-again")).unwrap();
    let mut spec = bed.spec("test -c /dev/null-again && test -d /etc/fuse && echo fine");
    spec.devices =
        vec![DeviceNode { source: "/dev/null".into(), target: "dev/null-again".into(), optional: false }];
    assert_eq!(bed.run(&spec).0.trim(), "fine");
    assert_eq!(std::fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn init_that_cannot_be_executed() {
    let Some(bed) = Bed::new("init_that_cannot_be_executed") else { return };
    let mut spec = bed.spec("true");
    spec.init = vec!["/sbin/init".into()];
    let error = failure(&bed, &spec);
    assert_eq!((error.step.as_ref(), error.errno), ("execute /sbin/init", Some(2)));
    spec.init = vec!["init".into()];
    assert_eq!(failure(&bed, &spec).step, "execute init");
    spec.init = Vec::new();
    assert_eq!(failure(&bed, &spec).step, "execute init");
    spec = bed.spec("true");
    spec.nics = vec!["eth7".into()];
    assert_eq!(failure(&bed, &spec).step, "set eth7 up");
    spec.nics.clear();
    spec.idmap = Some(IdMap::default());
    assert_eq!(failure(&bed, &spec).step, "read the id map");
    spec.rootfs.path = bed.root().join("missing");
    assert!(failure(&bed, &spec).step.starts_with("open the root file system"));
}

#[test]
fn an_embryo_that_is_dropped_leaves_nothing() {
    let Some(bed) = Bed::new("an_embryo_that_is_dropped_leaves_nothing") else { return };
    let embryo = clone(&bed.spec("true"), None, Vec::new(), &bed.layout).unwrap();
    let pid = embryo.pid();
    assert!(!bed.clean());
    assert!(std::fs::metadata(format!("/proc/{pid}")).is_ok());
    drop(embryo);
    assert!(std::fs::metadata(format!("/proc/{pid}")).is_err());
    assert!(bed.clean());
}

#[test]
fn interfaces_are_put_in_between_the_steps() {
    let Some(bed) = Bed::new("interfaces_are_put_in_between_the_steps") else { return };
    let mut spec = bed.spec("ip link show eth0 | grep -c UP");
    spec.nics = vec!["eth0".into()];
    let embryo = clone(&spec, None, Vec::new(), &bed.layout).unwrap();
    let netns = format!("--net=/proc/{}/ns/net", embryo.pid());
    // A veth pair with both ends inside, so that nothing appears on the host.
    let added = std::process::Command::new("nsenter")
        .args([netns.as_str(), "ip", "link", "add", "eth0", "type", "veth"])
        .output();
    if !added.as_ref().is_ok_and(|output| output.status.success()) {
        eprintln!("SKIP interfaces_are_put_in_between_the_steps: cannot make a veth: {added:?}");
        return;
    }
    let mut container = Container::new(embryo.proceed().unwrap());
    container.wait();
    assert_eq!(container.output().trim(), "1");
}

#[test]
fn frozen_and_thawed() {
    let Some(bed) = Bed::new("frozen_and_thawed") else { return };
    let container = bed.start(&bed.spec("while :; do sleep 0.01; done"), None);
    let cgroup = &container.running.cgroup;
    cgroup.freeze(LIMIT).unwrap();
    assert!(cgroup.frozen().unwrap());
    cgroup.thaw(LIMIT).unwrap();
    let stats = cgroup.stats();
    assert!(stats.cpu_ns.is_some_and(|ns| ns > 0), "{stats:?}");
    assert!(stats.processes.is_some_and(|n| n > 0), "{stats:?}");
    // The control groups alone can end it as well.
    cgroup.freeze(LIMIT).unwrap();
    let pidfd = container.running.pidfd.try_clone().unwrap();
    let reaper = std::thread::spawn(move || {
        use std::os::fd::AsFd;
        let mut poll = [rustix::event::PollFd::from_borrowed_fd(pidfd.as_fd(), rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None)
    });
    let _ = cgroup.kill(LIMIT);
    reaper.join().unwrap().unwrap();
}

#[test]
fn privileged() {
    let Some(bed) = Bed::new("privileged") else { return };
    let mut spec = bed.spec(
        "cat /proc/self/uid_map; touch /sys/kernel/x 2>&1 | grep -o Read-only
         mount | grep ' /sys ' | grep -c '(ro'; test -c /dev/null && stat -c %t:%T /dev/urandom
         chmod 600 /dev/full; hostname; grep CapBnd /proc/self/status",
    );
    spec.idmap = None;
    spec.read_only = vec!["/proc/sys".into(), "/proc/sysrq-trigger".into()];
    spec.drop_capabilities = vec![16, 17, 25];
    let before = std::fs::metadata("/dev/full").unwrap().mode();
    let (output, ended) = bed.run(&spec);
    assert_eq!(ended, Ended::Code(0), "{output}");
    let lines: Vec<_> = output.lines().map(|l| l.split_whitespace().collect::<Vec<_>>()).collect();
    assert_eq!(lines[0], ["0", "0", "4294967295"], "{output}");
    assert_eq!(lines[1], ["Read-only"], "{output}");
    assert_eq!(lines[2..5], [vec!["1"], vec!["1:9"], vec!["inside"]], "{output}");
    // Its devices are its own.
    assert_eq!(std::fs::metadata("/dev/full").unwrap().mode(), before);
}

#[test]
fn many_at_once() {
    let Some(bed) = Bed::new("many_at_once") else { return };
    let specs: Vec<_> = (0..8)
        .map(|n| {
            let mut spec = bed.spec(&format!("echo {n}"));
            spec.cgroup.path.push_str(&n.to_string());
            spec
        })
        .collect();
    let embryos: Vec<_> =
        specs.iter().map(|spec| clone(spec, None, Vec::new(), &bed.layout).unwrap()).collect();
    let released: Vec<_> = embryos.into_iter().map(|embryo| embryo.release().unwrap()).collect();
    for released in released {
        let running = released.finish().unwrap();
        use std::os::fd::AsFd;
        assert_eq!(sys::waitid::wait(running.pidfd.as_fd()), Ok(Ended::Code(0)));
        running.cgroup.remove(LIMIT).unwrap();
    }
}

#[test]
fn start_times() {
    let own = start_time(i32::try_from(std::process::id()).unwrap()).unwrap();
    assert!(own > 0);
    assert!(start_time(i32::MAX).is_err());
}
