//! What each key means.

use super::{ApparmorProfile, DeviceLine, Interface, RawLxc, Reason, mount, signal};
use crate::idmap::{IdRange, RawKind, RawMapping};
use crate::runtime::devices::{DeviceRule, NodeKind};
use std::net::IpAddr;

/// Names of `capabilities(7)`, in the order of their numbers.
const CAPABILITIES: [&str; 41] = [
    "chown",
    "dac_override",
    "dac_read_search",
    "fowner",
    "fsetid",
    "kill",
    "setgid",
    "setuid",
    "setpcap",
    "linux_immutable",
    "net_bind_service",
    "net_broadcast",
    "net_admin",
    "net_raw",
    "ipc_lock",
    "ipc_owner",
    "sys_module",
    "sys_rawio",
    "sys_chroot",
    "sys_ptrace",
    "sys_pacct",
    "sys_admin",
    "sys_boot",
    "sys_nice",
    "sys_resource",
    "sys_time",
    "sys_tty_config",
    "mknod",
    "lease",
    "audit_write",
    "audit_control",
    "setfcap",
    "mac_override",
    "mac_admin",
    "syslog",
    "wake_alarm",
    "block_suspend",
    "audit_read",
    "perfmon",
    "bpf",
    "checkpoint_restore",
];

/// Names of before LXC 2.1, which it understands as well.
const OLD_NAMES: [(&str, &str); 12] = [
    ("lxc.aa_profile", "lxc.apparmor.profile"),
    ("lxc.aa_allow_incomplete", "lxc.apparmor.allow_incomplete"),
    ("lxc.seccomp", "lxc.seccomp.profile"),
    ("lxc.id_map", "lxc.idmap"),
    ("lxc.init_cmd", "lxc.init.cmd"),
    ("lxc.haltsignal", "lxc.signal.halt"),
    ("lxc.rebootsignal", "lxc.signal.reboot"),
    ("lxc.stopsignal", "lxc.signal.stop"),
    ("lxc.logfile", "lxc.log.file"),
    ("lxc.syslog", "lxc.log.syslog"),
    ("lxc.mount", "lxc.mount.fstab"),
    ("lxc.utsname", "lxc.uts.name"),
];

impl RawLxc {
    /// Adds one line.
    pub(super) fn apply(&mut self, key: &str, value: &str) -> Result<(), Reason> {
        let key = OLD_NAMES.iter().find(|(old, _)| *old == key).map_or(key, |(_, new)| *new);
        match key {
            "lxc.mount.entry" => set_or_clear(&mut self.mounts, value, mount::entry)?,
            "lxc.cgroup.devices.allow" | "lxc.cgroup2.devices.allow" => {
                self.devices.push(device(value, true)?);
            }
            "lxc.cgroup.devices.deny" | "lxc.cgroup2.devices.deny" => {
                self.devices.push(device(value, false)?);
            }
            "lxc.mount.auto" => mount::auto(&mut self.auto, value)?,
            "lxc.cap.drop" => self.drop_capabilities(value)?,
            "lxc.cap.keep" => self.keep_capabilities(value)?,
            "lxc.apparmor.profile" => self.apparmor.profile = profile(value)?,
            "lxc.apparmor.raw" => set_or_clear(&mut self.apparmor.raw, value, rule)?,
            "lxc.apparmor.allow_nesting" => self.apparmor.nesting = boolean(value)?,
            "lxc.apparmor.allow_incomplete" | "lxc.seccomp.allow_nesting" => drop(boolean(value)?),
            "lxc.seccomp.profile" => self.seccomp = policy(value)?,
            "lxc.environment" => set_or_clear(&mut self.environment, value, variable)?,
            "lxc.idmap" => set_or_clear(&mut self.idmap, value, mapping)?,
            "lxc.init.cmd" => self.init = command(value)?,
            "lxc.signal.halt" => self.halt = Some(signal_of(value)?),
            "lxc.signal.stop" => self.stop = Some(signal_of(value)?),
            // A restart stops and starts: no signal asks init for a reboot. A wrong one is told.
            "lxc.signal.reboot" => drop(signal_of(value)?),
            _ => self.apply_family(key, value)?,
        }
        Ok(())
    }

    /// Keys that have a name of something else in them.
    fn apply_family(&mut self, key: &str, value: &str) -> Result<(), Reason> {
        let pair = |name: &str| (name.to_owned(), value.to_owned());
        if let Some(name) = key.strip_prefix("lxc.cgroup2.").filter(|name| is_file(name)) {
            self.cgroup2.push(pair(name));
        } else if let Some(name) = key.strip_prefix("lxc.cgroup.").filter(|name| is_file(name)) {
            self.cgroup1.push(pair(name));
        } else if let Some(name) = key.strip_prefix("lxc.sysctl.").filter(|name| is_path(name)) {
            self.sysctls.push(pair(name));
        } else if let Some(name) = key.strip_prefix("lxc.proc.").filter(|name| is_word(name)) {
            self.proc.push(pair(name));
        } else if let Some(rest) = key.strip_prefix("lxc.net.").or_else(|| key.strip_prefix("lxc.network.")) {
            self.interface(rest, value)?;
        } else {
            return Err(refusal(key));
        }
        Ok(())
    }

    fn drop_capabilities(&mut self, value: &str) -> Result<(), Reason> {
        if value.is_empty() {
            self.capabilities.reset = true;
            self.capabilities.dropped.clear();
        }
        self.capabilities.dropped.extend(capabilities(value)?);
        Ok(())
    }

    fn keep_capabilities(&mut self, value: &str) -> Result<(), Reason> {
        match value {
            "" => self.capabilities.kept = None,
            "none" => self.capabilities.kept = Some(Vec::new()),
            _ => self.capabilities.kept.get_or_insert_default().extend(capabilities(value)?),
        }
        Ok(())
    }

    /// `N.ipv4.address` and the like.
    fn interface(&mut self, rest: &str, value: &str) -> Result<(), Reason> {
        let (number, property) = rest.split_once('.').ok_or(Reason::Network)?;
        let number: usize = number.parse().map_err(|_| Reason::Network)?;
        let four = property.starts_with("ipv4");
        let index = match self.interfaces.iter().position(|interface| interface.number == number) {
            Some(index) => index,
            None => {
                self.interfaces.push(Interface { number, ..Interface::default() });
                self.interfaces.len() - 1
            }
        };
        let Some(interface) = self.interfaces.get_mut(index) else { return Ok(()) };
        match property {
            // The names without `.address` are those of before LXC 2.1.
            "ipv4.address" | "ipv6.address" | "ipv4" | "ipv6" => {
                interface.addresses.push(address(value, four)?);
            }
            "ipv4.gateway" | "ipv6.gateway" => {
                let gateway: Option<IpAddr> = value.parse().ok();
                let gateway = gateway.filter(|ip| ip.is_ipv4() == four);
                let allowed = "the address of the gateway";
                interface.gateways.push(gateway.ok_or_else(|| Reason::value(value, allowed))?);
            }
            _ => return Err(Reason::Network),
        }
        Ok(())
    }
}

/// Why a key that is not known is refused.
fn refusal(key: &str) -> Reason {
    const FORBIDDEN: [(&str, &str); 5] = [
        ("lxc.log.", "see lxc info --show-log"),
        ("lxc.ephemeral", "use lxc launch --ephemeral"),
        ("lxc.prlimit.", "use limits.kernel.*"),
        ("lxc.limit.", "use limits.kernel.*"),
        ("lxc.uts.name", "rename the container"),
    ];
    const HINTS: [(&str, &str); 14] = [
        ("lxc.include", "write the lines themselves"),
        ("lxc.mount.fstab", "write lxc.mount.entry lines, or use disk devices"),
        ("lxc.cgroup", "name a file of a controller, such as lxc.cgroup2.memory.high"),
        ("lxc.sysctl", "name a file below /proc/sys, such as lxc.sysctl.net.ipv4.ip_forward"),
        ("lxc.proc", "name a file of a process, such as lxc.proc.oom_score_adj"),
        ("lxc.start.", "use boot.autostart"),
        ("lxc.group", "use profiles"),
        ("lxc.rootfs", "the root file system is the root disk device"),
        ("lxc.arch", "set the container's architecture"),
        ("lxc.console", "the console is always there: lxc console"),
        ("lxc.tty", "the console is always there: lxc console"),
        ("lxc.namespace", "every container has all namespaces of its own"),
        ("lxc.selinux", "SELinux is not supported"),
        ("lxc.se_context", "SELinux is not supported"),
    ];
    if key.starts_with("lxc.hook") {
        return Reason::Hook;
    }
    if let Some((_, hint)) = FORBIDDEN.iter().find(|(prefix, _)| key.starts_with(prefix)) {
        return Reason::Forbidden(hint);
    }
    let hint = HINTS.iter().find(|(prefix, _)| key.starts_with(prefix));
    Reason::Unsupported(hint.map_or("see the list of keys in docs/security.md", |(_, hint)| hint))
}

/// A file of a control group: `memory.max`.
fn is_file(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let controller =
        name.split_once('.').map(|(controller, file)| !controller.is_empty() && !file.is_empty());
    controller == Some(true) && name.chars().all(plain) && !name.starts_with("dir.")
}

fn is_path(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    name.chars().all(plain) && !name.split('/').any(|part| part.is_empty() || part == "." || part == "..")
}

fn is_word(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

/// Empty: forget the list. As in LXC.
fn set_or_clear<T>(
    list: &mut Vec<T>,
    value: &str,
    read: impl FnOnce(&str) -> Result<T, Reason>,
) -> Result<(), Reason> {
    if value.is_empty() {
        list.clear();
    } else {
        list.push(read(value)?);
    }
    Ok(())
}

fn boolean(value: &str) -> Result<bool, Reason> {
    match value {
        "0" => Ok(false),
        "1" => Ok(true),
        _ => Err(Reason::value(value, "0 or 1")),
    }
}

fn capabilities(value: &str) -> Result<Vec<u32>, Reason> {
    const ALLOWED: &str = "names of capabilities(7) without CAP_, such as sys_admin net_raw";
    let number = |word: &str| {
        let lower = word.to_ascii_lowercase();
        let name = lower.strip_prefix("cap_").unwrap_or(&lower);
        let known = CAPABILITIES.iter().position(|known| *known == name);
        let number = known.and_then(|at| u32::try_from(at).ok()).or_else(|| name.parse().ok());
        number.filter(|number| *number < 64).ok_or_else(|| Reason::value(word, ALLOWED))
    };
    value.split_whitespace().map(number).collect()
}

/// Names of profiles are passed to the kernel: one line, nothing that would be another command.
fn profile(value: &str) -> Result<ApparmorProfile, Reason> {
    let plain = |c: char| !c.is_whitespace() && !c.is_control();
    match value {
        "generated" | "" => Ok(ApparmorProfile::Generated),
        "unchanged" => Ok(ApparmorProfile::Unchanged),
        _ if value.len() <= 1024 && value.chars().all(plain) => Ok(ApparmorProfile::Named(value.to_owned())),
        _ => Err(Reason::value(value, "generated, unchanged, unconfined or the name of a loaded profile")),
    }
}

fn rule(value: &str) -> Result<String, Reason> {
    let allowed = "one rule of AppArmor with balanced braces, such as deny /srv/** w,";
    crate::config::raw_apparmor::check(value).map_err(|_| Reason::value(value, allowed))?;
    Ok(value.to_owned())
}

fn policy(value: &str) -> Result<Option<String>, Reason> {
    match value {
        "" => Ok(None),
        _ if value == "none" || value.starts_with('/') => Ok(Some(value.to_owned())),
        _ => Err(Reason::value(value, "the absolute path of a policy on the host, or none")),
    }
}

/// `a`, or `c|b major:minor access`; numbers may be `*`.
fn device(value: &str, allow: bool) -> Result<DeviceLine, Reason> {
    let bad = || Reason::value(value, "a for all devices, or a device such as c 10:200 rwm or b *:* m");
    let fields: Vec<&str> = value.split_whitespace().collect();
    let (kind, numbers, access) = match fields[..] {
        ["a", ..] if fields.len() <= 3 => {
            return Ok(if allow { DeviceLine::AllowAll } else { DeviceLine::DenyAll });
        }
        ["c", numbers, access] => (NodeKind::Char, numbers, access),
        ["b", numbers, access] => (NodeKind::Block, numbers, access),
        _ => return Err(bad()),
    };
    let number = |text: &str| match text {
        "*" => Ok(None),
        _ => text.parse().map(Some).map_err(|_| bad()),
    };
    let (major, minor) = numbers.split_once(':').ok_or_else(bad)?;
    if access.is_empty() || !access.chars().all(|c| matches!(c, 'r' | 'w' | 'm')) {
        return Err(bad());
    }
    let rule = DeviceRule { kind, major: number(major)?, minor: number(minor)?, open: access != "m" };
    Ok(if allow { DeviceLine::Allow(rule) } else { DeviceLine::Deny(rule) })
}

fn variable(value: &str) -> Result<(String, String), Reason> {
    let (name, content) = value.split_once('=').unwrap_or_default();
    if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(Reason::value(value, "NAME=value"));
    }
    Ok((name.to_owned(), content.to_owned()))
}

/// `u|g|b <container> <host> <count>`: the other order than in `raw.idmap`.
fn mapping(value: &str) -> Result<RawMapping, Reason> {
    let bad = || Reason::value(value, "u or g, the first id inside, the first id of the host, and how many");
    let fields: Vec<&str> = value.split_whitespace().collect();
    let [kind, container, host, count] = fields[..] else { return Err(bad()) };
    let kind = match kind {
        "u" => RawKind::Uid,
        "g" => RawKind::Gid,
        "b" => RawKind::Both,
        _ => return Err(bad()),
    };
    let number = |text: &str| text.parse::<u32>().map_err(|_| bad());
    let range = IdRange { container: number(container)?, host: number(host)?, count: number(count)? };
    let fits = |first: u32| first.checked_add(range.count).is_some();
    if range.count == 0 || !fits(range.container) || !fits(range.host) {
        return Err(bad());
    }
    Ok(RawMapping { kind, range })
}

/// Words between blanks; quotes keep blanks together.
fn command(value: &str) -> Result<Option<Vec<String>>, Reason> {
    const ALLOWED: &str = "an absolute path inside, then arguments; quotes keep blanks together";
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in value.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    match words.first() {
        None if quote.is_none() => Ok(None),
        Some(first) if quote.is_none() && first.starts_with('/') => Ok(Some(words)),
        _ => Err(Reason::value(value, ALLOWED)),
    }
}

fn signal_of(value: &str) -> Result<i32, Reason> {
    signal::parse(value).ok_or_else(|| Reason::value(value, "a signal such as SIGPWR, SIGRTMIN+3 or 15"))
}

/// An address, perhaps with the length of its prefix, perhaps with a broadcast address, which the
/// kernel finds itself.
fn address(value: &str, four: bool) -> Result<(IpAddr, u8), Reason> {
    let bad = || Reason::value(value, "an address of that family, such as 10.0.0.2/24 or fd00::2/64");
    let text = value.split_whitespace().next().unwrap_or_default();
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| bad())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| bad())?;
    let most = if four { 32 } else { 128 };
    let prefix = prefix.unwrap_or(if four { classful(address) } else { 64 });
    if address.is_ipv4() != four || prefix > most {
        return Err(bad());
    }
    Ok((address, prefix))
}

/// What LXC takes when no length is given.
fn classful(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(v4) if v4.octets()[0] < 128 => 8,
        IpAddr::V4(v4) if v4.octets()[0] < 192 => 16,
        _ => 24,
    }
}
