//! Tests of `raw.lxc`.

use super::*;
use crate::runtime::spec::{Create, SysAccess};

fn good(text: &str) -> RawLxc {
    parse(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn refusal(text: &str) -> String {
    parse(text).map_or_else(|error| error.to_string(), |read| panic!("{text} gave {read:?}"))
}

#[test]
fn comments_and_case_do_not_count() {
    let read = good("# a comment\n\n LXC.signal.halt = SIGRTMIN+3\nlxc.environment=A=b\n");
    assert_eq!(read.halt, Some(37));
    assert_eq!(read.environment, [("A".to_owned(), "b".to_owned())]);
    assert_eq!(good(""), RawLxc::default());
}

#[test]
fn refusals_name_the_line_and_the_key() {
    assert_eq!(refusal("lxc.environment=A=b\nlxc.cap.drop"), "line 2, \"lxc.cap.drop\": write key = value");
    for (line, word) in [
        ("lxc.logfile=/x", "not allowed"),
        ("LXC.LOG.FILE = /x", "not allowed"),
        ("lxc.log.syslog=x", "not allowed"),
        ("lxc.ephemeral=1", "--ephemeral"),
        ("lxc.prlimit.as=1", "limits.kernel"),
        ("lxc.net.0.script.up=/x", "ipv4.gateway"),
        ("lxc.net.0.link = eth0", "ipv4.gateway"),
        ("lxc.net.0=x", "ipv4.gateway"),
        ("lxc.network.0.type = phys", "ipv4.gateway"),
        ("lxc.hook.pre-start = /bin/true", "hooks are not run"),
        ("lxc.include = /etc/x", "the lines themselves"),
        ("lxc.rootfs.path = /", "root disk device"),
        ("lxc.cgroup.dir = x", "a file of a controller"),
        ("lxc.cgroup2.memory/max = 1", "a file of a controller"),
        ("lxc.sysctl.net/../x = 1", "below /proc/sys"),
        ("lxc.proc.self/mem = 1", "oom_score_adj"),
        ("lxc.unheard.of = 1", "docs/security.md"),
    ] {
        let said = refusal(line);
        assert!(said.starts_with("line 1, \"lxc.") && said.contains(word), "{line}: {said}");
    }
}

#[test]
fn capabilities_are_dropped_kept_and_reset() {
    let usual = [16, 17];
    assert_eq!(good("").capabilities.dropped(&usual), usual);
    assert_eq!(
        good("lxc.cap.drop = net_raw CAP_SYS_ADMIN 5").capabilities.dropped(&usual),
        [5, 13, 16, 17, 21]
    );
    assert_eq!(good("lxc.cap.drop =").capabilities.dropped(&usual), [] as [u32; 0]);
    let kept = good("lxc.cap.keep = chown kill").capabilities.dropped(&[]);
    assert!(!kept.contains(&0) && !kept.contains(&5) && kept.contains(&1) && kept.contains(&40));
    assert_eq!(good("lxc.cap.keep = none").capabilities.dropped(&[]).len(), 64);
    assert!(refusal("lxc.cap.drop = sys_everything").contains("capabilities(7)"));
    assert!(refusal("lxc.cap.drop = 64").contains("capabilities(7)"));
}

#[test]
fn mounts() {
    let read = good("lxc.mount.entry = /srv/a\\040b srv/x none rbind,ro,nosuid,create=dir,optional 0 0");
    let [entry] = &read.mounts[..] else { panic!("{read:?}") };
    assert_eq!((entry.source.as_str(), entry.target.as_str()), ("/srv/a b", "srv/x"));
    assert!(entry.recursive && entry.flags.read_only && entry.flags.no_suid && entry.optional);
    assert_eq!((entry.create, entry.filesystem.as_deref()), (Some(Create::Dir), None));
    let read = good("lxc.mount.entry = tmpfs /mnt tmpfs size=1m,mode=755,noexec,create=dir 0 0");
    assert_eq!(read.mounts[0].options, "size=1m,mode=755");
    assert_eq!(read.mounts[0].filesystem.as_deref(), Some("tmpfs"));
    assert_eq!(good("lxc.mount.entry = tmpfs mnt tmpfs\t rw 0 0\nlxc.mount.entry =").mounts, []);
    for line in [
        "/a b",
        "/a ../b none bind 0 0",
        "/a b/../../c none bind",
        "a b none bind 0 0",
        "/a / none bind",
        "/dev/sda1 mnt ext4 rw",
        "/a b none bind,upperdir=x",
    ] {
        assert!(parse(&format!("lxc.mount.entry = {line}")).is_err(), "{line}");
    }
}

#[test]
fn automatic_mounts() {
    let read = good("lxc.mount.auto = proc:rw sys:ro\nlxc.mount.auto = cgroup");
    assert_eq!(
        read.auto,
        [AutoMount::Proc(true), AutoMount::Sys(SysAccess::ReadOnly), AutoMount::Cgroup(true)]
    );
    assert!(refusal("lxc.mount.auto = shmounts:/x").contains("proc:mixed"));
}

#[test]
fn old_names_mean_the_same() {
    let old = good(
        "lxc.aa_profile=unconfined\nlxc.seccomp=/p\nlxc.id_map=u 0 5 1\nlxc.init_cmd=/bin/x\nlxc.haltsignal=PWR\nlxc.network.0.ipv4=10.0.0.2/24",
    );
    let new = good(
        "lxc.apparmor.profile=unconfined\nlxc.seccomp.profile=/p\nlxc.idmap=u 0 5 1\nlxc.init.cmd=/bin/x\nlxc.signal.halt=PWR\nlxc.net.0.ipv4.address=10.0.0.2/24",
    );
    assert_eq!(old, new);
    assert_eq!(old.apparmor.profile, ApparmorProfile::Named("unconfined".to_owned()));
}

#[test]
fn commands_are_split_as_words() {
    let words = |text: &str| good(&format!("lxc.init.cmd = {text}")).init;
    assert_eq!(words("/sbin/init a  'b c' \"d\"").unwrap(), ["/sbin/init", "a", "b c", "d"]);
    assert_eq!(words(""), None);
    assert!(refusal("lxc.init.cmd = init").contains("absolute"));
    assert!(refusal("lxc.init.cmd = /sbin/init 'x").contains("quotes"));
}

#[test]
fn interfaces() {
    let read = good(
        "lxc.net.1.ipv4.address = 10.0.0.2\nlxc.net.1.ipv4.gateway = 10.0.0.1\nlxc.net.0.ipv6.address=fd00::2/64",
    );
    assert_eq!(read.interfaces[0].number, 1);
    assert_eq!(read.interfaces[0].addresses[0].1, 8, "as LXC has it");
    assert_eq!(read.interfaces[1].addresses[0].1, 64);
    for line in [
        "ipv4.address = fd00::1",
        "ipv4.address = 10.0.0.1/33",
        "ipv4.gateway = auto",
        "ipv6.gateway = 10.0.0.1",
    ] {
        assert!(parse(&format!("lxc.net.0.{line}")).is_err(), "{line}");
    }
}

#[test]
fn devices() {
    let read = good(
        "lxc.cgroup.devices.deny = a\nlxc.cgroup2.devices.allow = c 10:* rwm\nlxc.cgroup.devices.allow = a *:* rwm",
    );
    assert_eq!((read.devices[0], read.devices[2]), (DeviceLine::DenyAll, DeviceLine::AllowAll));
    let DeviceLine::Allow(rule) = read.devices[1] else { panic!("{read:?}") };
    assert_eq!((rule.major, rule.minor, rule.open), (Some(10), None, true));
    assert!(read.cgroup1.is_empty() && read.cgroup2.is_empty());
    for value in ["c 10 rwm", "x 1:2 r", "c 1:2 q", "c 1:2", "c a:b r"] {
        assert!(parse(&format!("lxc.cgroup.devices.allow = {value}")).is_err(), "{value}");
    }
}

#[test]
fn other_values() {
    assert!(refusal("lxc.idmap = u 0 1").contains("how many"));
    assert!(refusal("lxc.idmap = u 0 4294967295 2").contains("how many"));
    assert!(refusal("lxc.environment = x").contains("NAME=value"));
    assert!(refusal("lxc.apparmor.profile = a b").contains("loaded profile"));
    assert!(refusal("lxc.apparmor.raw = }").contains("balanced"));
    assert!(refusal("lxc.signal.halt = SIGNONE").contains("SIGPWR"));
    let read = good(
        "lxc.sysctl.net.ipv4.ip_forward = 1\nlxc.proc.oom_score_adj = 10\nlxc.cgroup2.memory.high = 1M\nlxc.cgroup.memory.limit_in_bytes = 2M",
    );
    assert_eq!(read.sysctls, [("net.ipv4.ip_forward".to_owned(), "1".to_owned())]);
    assert_eq!(read.proc, [("oom_score_adj".to_owned(), "10".to_owned())]);
    assert_eq!((read.cgroup2.len(), read.cgroup1.len()), (1, 1));
}
