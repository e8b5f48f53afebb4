//! The text of a container's profile: a pure function, see `apparmor.d(5)`.
//!
//! Everything is allowed but what reaches the host's kernel; what a container may do beyond that
//! depends on its being privileged and on nesting. Names have been checked before they come here.

use super::complement::all_but;
use std::fmt::Write as _;

/// What a profile is made from.
#[derive(Clone, Debug)]
pub(super) struct Facts<'a> {
    /// The profile's name.
    pub(super) name: &'a str,
    /// The container's own policy namespace, if it gets one.
    pub(super) namespace: Option<&'a str>,
    pub(super) privileged: bool,
    pub(super) nesting: bool,
    pub(super) language: Language,
    /// Sockets are mediated.
    pub(super) network: bool,
    /// Lines of `raw.apparmor` and `lxc.apparmor.raw`.
    pub(super) raw: &'a str,
}

/// What kernel and parser mediate beyond the basics: unless a profile says so, it is denied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Language {
    /// `userns`.
    pub(super) userns: bool,
    /// `io_uring`.
    pub(super) io_uring: bool,
    /// `mqueue`.
    pub(super) mqueue: bool,
}

/// Files below `/proc/sys` that a container may write: they belong to its namespaces.
const OWN_SYSCTLS: [&str; 6] =
    ["kernel/domainname", "kernel/hostname", "kernel/msg*", "kernel/sem*", "kernel/shm*", "net/**"];

/// The same below `/sys`.
const OWN_SYS: [&str; 3] = ["class/net/**", "devices/virtual/net/**", "fs/cgroup/**"];

/// Its policy, if it has a namespace for it.
const OWN_POLICY: &str = "kernel/security/apparmor/**";

const ALLOWED: &str = "\
  # Everything that is not mediated below.
  capability,
  dbus,
  file,
  umount,

  # The host may signal and look; the container, only itself.
  signal (receive),
  ptrace (readby, tracedby),
";

const MOUNTS: &str = "
  # New file systems that show what is the container's.
  mount fstype=tmpfs,
  mount fstype=ramfs,
  mount fstype=hugetlbfs,
  mount fstype=mqueue,
  mount fstype=devpts -> /dev/pts/,
  mount fstype=fuse,
  mount fstype=fuse.*,
  mount fstype=fusectl -> /sys/fs/fuse/connections/,
  mount fstype=binfmt_misc -> /proc/sys/fs/binfmt_misc/,
  mount fstype=efivarfs -> /sys/firmware/efi/efivars/,
  mount fstype=securityfs -> /sys/kernel/security/,
  mount fstype=debugfs -> /sys/kernel/debug/,
  mount fstype=proc -> /proc/,
  mount fstype=sysfs -> /sys/,
  mount fstype=cgroup -> /sys/fs/cgroup/**,
  mount fstype=cgroup2 -> /sys/fs/cgroup/{,**},
  deny mount options=(ro, remount) -> /,
  deny mount options=(ro, remount, silent) -> /,
";

const DENIED: &str = "
  # The host's memory, keys and devices.
  deny /proc/kcore rwklx,
  deny /proc/kmem rwklx,
  deny /proc/mem rwklx,
  deny /proc/sysrq-trigger rwklx,
  deny /proc/acpi/** rwklx,
  deny /proc/bus/** wklx,
  deny /proc/irq/** wklx,
  deny /sys/firmware/efi/efivars/** rwklx,
  deny /sys/kernel/debug/** rwklx,
";

const UNPRIVILEGED: &str = "
  # Without rights on the host the kernel lets it mount only what is its own. Services with a view
  # of the file system of their own, as systemd makes them, need nearly every kind of mount.
  mount,
  pivot_root,
";

const NESTING: &str = "
  # Containers inside.
  mount,
  pivot_root,
  ptrace,
  signal,
";

/// The file that `apparmor_parser` reads.
pub(super) fn text(facts: &Facts<'_>) -> String {
    let name = facts.name;
    let mut text = format!("profile \"{name}\" flags=(attach_disconnected,mediate_deleted) {{\n{ALLOWED}");
    line(&mut text, &format!("signal peer=\"{name}\","));
    line(&mut text, &format!("ptrace peer=\"{name}\","));
    for (known, rule) in [
        (facts.network, "network,"),
        (facts.network, "unix,"),
        (facts.language.userns, "userns,"),
        (facts.language.io_uring, "io_uring,"),
        (facts.language.mqueue, "mqueue,"),
    ] {
        if known {
            line(&mut text, rule);
        }
    }
    text.push_str(MOUNTS);
    if facts.privileged {
        moves(&mut text);
    } else {
        text.push_str(UNPRIVILEGED);
    }
    text.push_str(DENIED);
    writes(&mut text, facts.namespace.is_some());
    if let Some(namespace) = facts.namespace {
        text.push_str("\n  # Profiles of its own.\n");
        line(&mut text, &format!("change_profile -> \":{namespace}:*\","));
        line(&mut text, &format!("change_profile -> \":{namespace}://*\","));
    }
    if facts.nesting {
        text.push_str(NESTING);
        line(&mut text, &format!("change_profile -> \"{name}\","));
    }
    if !facts.raw.trim().is_empty() {
        text.push_str("\n  # raw.apparmor\n");
        facts.raw.lines().for_each(|raw| line(&mut text, raw));
    }
    text.push_str("}\n");
    text
}

/// Writing is denied to all of `/proc/sys` and `/sys` that is not the container's.
fn writes(text: &mut String, policy: bool) {
    let mut sys = OWN_SYS.to_vec();
    sys.extend(policy.then_some(OWN_POLICY));
    for glob in all_but("/proc/sys", &OWN_SYSCTLS).into_iter().chain(all_but("/sys", &sys)) {
        line(text, &format!("deny {glob} wklx,"));
    }
}

/// A container whose root is the host's cannot take parts of `/proc`, `/sys` and `/dev` to another
/// place, where what is denied has another name.
fn moves(text: &mut String) {
    text.push('\n');
    let kept = ["dev", "dev/**", "proc", "proc/**", "sys", "sys/**"];
    for glob in all_but("/", &kept).iter().map(String::as_str).chain(["/dev/.lxc/**"]) {
        line(text, &format!("mount options=(rw, bind) {glob},"));
        line(text, &format!("mount options=(rw, move) {glob},"));
    }
}

fn line(text: &mut String, rule: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "  {rule}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts<'static> {
        Facts {
            name: "lxd-web_</var/lib/lxd>",
            namespace: Some("lxd-web_<var-lib-lxd>"),
            privileged: false,
            nesting: false,
            language: Language::default(),
            network: true,
            raw: "",
        }
    }

    fn rules(facts: &Facts<'_>) -> Vec<String> {
        text(facts).lines().map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn it_is_one_profile_with_balanced_braces() {
        for (privileged, nesting) in [(false, false), (true, false), (false, true), (true, true)] {
            let text = text(&Facts { privileged, nesting, raw: "deny /x rw,\n", ..facts() });
            assert!(text.starts_with("profile \"lxd-web_</var/lib/lxd>\" flags=("), "{text}");
            assert_eq!(text.matches('{').count(), text.matches('}').count());
            assert!(text.ends_with("  # raw.apparmor\n  deny /x rw,\n}\n"), "{text}");
            assert!(text.lines().all(|line| !line.contains("\t") && !line.ends_with(' ')), "{text}");
        }
    }

    #[test]
    fn what_concerns_the_hosts_kernel_is_denied_to_everybody() {
        for nesting in [false, true] {
            let rules = rules(&Facts { nesting, ..facts() });
            for rule in [
                "deny /proc/sysrq-trigger rwklx,",
                "deny /proc/kcore rwklx,",
                "deny /proc/sys/[^kn]*{,/**} wklx,",
                "deny /sys/[^cdfk]*{,/**} wklx,",
            ] {
                assert!(rules.iter().any(|r| r == rule), "{rule} is not in {rules:#?}");
            }
        }
    }

    #[test]
    fn only_a_namespace_of_its_own_lets_it_write_policy() {
        let with = rules(&facts());
        assert!(with.iter().any(|r| r == "change_profile -> \":lxd-web_<var-lib-lxd>:*\","));
        let without = rules(&Facts { namespace: None, ..facts() });
        assert!(!without.iter().any(|r| r.starts_with("change_profile")));
        assert!(without.iter().any(|r| r == "deny /sys/[^cdf]*{,/**} wklx,"), "{without:#?}");
    }

    #[test]
    fn a_privileged_container_cannot_move_proc_away_and_an_unprivileged_may_bind() {
        let strong = rules(&Facts { privileged: true, ..facts() });
        assert!(
            !strong.iter().any(|r| r == "mount options=(rw, bind)," || r.contains("rbind") || r == "mount,")
        );
        assert!(strong.iter().any(|r| r == "mount options=(rw, bind) /p[^r]*{,/**},"), "{strong:#?}");
        assert!(rules(&facts()).iter().any(|r| r == "mount,"));
        assert!(rules(&Facts { nesting: true, privileged: true, ..facts() }).iter().any(|r| r == "mount,"));
    }

    #[test]
    fn later_words_of_the_language_are_said_only_where_they_are_understood() {
        assert!(!text(&facts()).contains("userns"));
        assert!(text(&facts()).contains("  network,\n  unix,\n"));
        assert!(!text(&Facts { network: false, ..facts() }).contains("network,"));
        let language = Language { userns: true, io_uring: true, mqueue: true };
        let text = text(&Facts { language, ..facts() });
        for word in ["  userns,", "  io_uring,", "  mqueue,"] {
            assert!(text.contains(word), "{word}");
        }
    }
}
