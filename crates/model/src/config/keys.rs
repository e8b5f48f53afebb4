//! The table of the keys of containers and profiles.

use super::Grammar;

/// When a changed value takes effect on a container that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Live {
    /// At once.
    Now,
    /// When it is started next.
    NextStart,
    /// Whenever it is asked for; there is nothing to apply.
    WhenRead,
    /// At once, by taking the device away and adding it anew.
    Replaced,
}

impl Live {
    /// In a few words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Now => "now",
            Self::NextStart => "next start",
            Self::WhenRead => "when read",
            Self::Replaced => "replaced",
        }
    }
}

/// One key, or a family of keys with a `*` in the name.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name; each `*` stands for at least one character.
    pub pattern: &'static str,
    /// What values may be.
    pub grammar: Grammar,
    /// What holds when it is not set.
    pub default: &'static str,
    /// When a change takes effect.
    pub live: Live,
    /// May be set in profiles.
    pub in_profiles: bool,
    /// This version acts on it. A key that is not acted on is kept for later versions, and
    /// whoever sets it is told so.
    pub applied: bool,
    /// One line of documentation.
    pub doc: &'static str,
}

impl Key {
    /// True if this row is about that key.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        glob(self.pattern, name)
    }
}

/// The row about a key.
#[must_use]
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.matches(name))
}

fn glob(pattern: &str, text: &str) -> bool {
    let Some((before, after)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(rest) = text.strip_prefix(before) else {
        return false;
    };
    // At least one character for the star, then whatever the rest of the pattern wants.
    if after.is_empty() {
        return !rest.is_empty();
    }
    rest.char_indices().skip(1).any(|(at, _)| rest.get(at..).is_some_and(|tail| glob(after, tail)))
}

use Grammar as G;
use Live::{NextStart, Now, WhenRead};

const fn key(
    pattern: &'static str,
    grammar: Grammar,
    default: &'static str,
    live: Live,
    doc: &'static str,
) -> Key {
    Key { pattern, grammar, default, live, in_profiles: true, applied: true, doc }
}

/// A key that this version keeps but does not act on.
const fn kept(
    pattern: &'static str,
    grammar: Grammar,
    default: &'static str,
    live: Live,
    doc: &'static str,
) -> Key {
    Key { pattern, grammar, default, live, in_profiles: true, applied: false, doc }
}

/// A key that belongs to one container and has no place in profiles.
const fn own(pattern: &'static str, grammar: Grammar, doc: &'static str) -> Key {
    Key { pattern, grammar, default: "", live: WhenRead, in_profiles: false, applied: true, doc }
}

/// Every key that a container or profile may have.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("boot.autorestart", G::Bool, "false", WhenRead, "Start it again when its init fails, at most 10 times a minute"),
    key("boot.autostart", G::Bool, "", WhenRead, "Start it with the host; unset: if it ran when the host went down"),
    key("boot.autostart.delay", G::Int, "0", WhenRead, "Seconds to wait after starting it before starting the next"),
    key("boot.autostart.priority", G::Int, "0", WhenRead, "The highest is started first"),
    key("boot.host_shutdown_timeout", G::Int, "30", Now, "Seconds it has to stop when the host goes down"),
    key("boot.stop.priority", G::Int, "0", WhenRead, "The highest is stopped first"),
    key("cloud-init.network-config", G::Text, "", WhenRead, "Network configuration for cloud-init, by newer images instead of user.network-config"),
    key("cloud-init.user-data", G::Text, "", WhenRead, "User data for cloud-init, by newer images instead of user.user-data"),
    key("cloud-init.vendor-data", G::Text, "", WhenRead, "Vendor data for cloud-init, by newer images instead of user.vendor-data"),
    key("environment.*", G::Text, "", Now, "A variable in the environment of its init and of programs run in it"),
    key("limits.cpu", G::Cpu, "", Now, "How many processors it may use, or which"),
    key("limits.cpu.allowance", G::CpuAllowance, "100%", Now, "What share of the processors it may use"),
    key("limits.cpu.priority", G::Priority, "10", Now, "Its priority for the processors among containers with equal shares"),
    key("limits.disk.priority", G::Priority, "5", Now, "Its priority for the disks"),
    key("limits.kernel.*", G::Rlimit, "", NextStart, "A resource limit of its processes, such as nofile"),
    key("limits.memory", G::Memory, "", Now, "How much memory it may use"),
    key("limits.memory.enforce", G::OneOf(&["hard", "soft"]), "hard", Now, "Whether it may use more memory while the host has some to spare"),
    key("limits.memory.swap", G::Bool, "true", Now, "Whether its memory may be swapped out"),
    key("limits.memory.swap.priority", G::Priority, "10", Now, "The higher, the later its memory is swapped out"),
    key("limits.network.priority", G::Priority, "0", Now, "The priority of its outgoing packets"),
    key("limits.processes", G::Positive, "", Now, "How many processes it may have"),
    key("linux.kernel_modules", G::Modules, "", Now, "Kernel modules to load on the host before it starts"),
    kept("migration.incremental.memory", G::Bool, "false", Now, "Move memory in several rounds when migrating"),
    kept("migration.incremental.memory.goal", G::Uint32, "70", Now, "Percentage of memory that has to be in sync before the last round"),
    kept("migration.incremental.memory.iterations", G::Uint32, "10", Now, "At most this many rounds"),
    kept("nvidia.runtime", G::Bool, "false", NextStart, "Pass the host's NVIDIA libraries through"),
    key("raw.apparmor", G::RawApparmor, "", Now, "Lines added to its AppArmor profile"),
    key("raw.idmap", G::RawIdmap, "", NextStart, "Single ids of the host that it gets, such as both 1000 1000"),
    key("raw.lxc", G::RawLxc, "", NextStart, "Lines of LXC's configuration"),
    key("raw.seccomp", G::Policy, "", NextStart, "Its whole seccomp policy"),
    key("security.devlxd", G::Bool, "true", Now, "Offer /dev/lxd inside"),
    key("security.idmap.base", G::Uint32, "", NextStart, "First id of the host of its own range"),
    key("security.idmap.isolated", G::Bool, "false", NextStart, "Give it ids that no other container has"),
    key("security.idmap.size", G::Uint32, "", NextStart, "How many ids it gets when they are its own"),
    key("security.nesting", G::Bool, "false", NextStart, "Let it run containers itself"),
    key("security.privileged", G::Bool, "false", NextStart, "Its root is the host's root"),
    key("security.protection.delete", G::Bool, "false", WhenRead, "Refuse to delete it"),
    key("security.syscalls.allow", G::Calls, "", NextStart, "Another name of security.syscalls.whitelist"),
    key("security.syscalls.blacklist", G::Calls, "", NextStart, "System calls it may not use, one in a line"),
    key("security.syscalls.blacklist_compat", G::Bool, "false", NextStart, "Also forbid the 32-bit system calls of a 64-bit host"),
    key("security.syscalls.blacklist_default", G::Bool, "true", NextStart, "Forbid the usual dangerous system calls"),
    key("security.syscalls.deny", G::Calls, "", NextStart, "Another name of security.syscalls.blacklist"),
    key("security.syscalls.deny_compat", G::Bool, "false", NextStart, "Another name of security.syscalls.blacklist_compat"),
    key("security.syscalls.deny_default", G::Bool, "true", NextStart, "Another name of security.syscalls.blacklist_default"),
    key("security.syscalls.whitelist", G::Calls, "", NextStart, "The only system calls it may use, one in a line"),
    key("snapshots.expiry", G::Expiry, "", WhenRead, "How long its new snapshots stay, such as 3d or 1m 2w"),
    key("snapshots.pattern", G::SnapshotPattern, "snap%d", WhenRead, "What snapshots without a name are called"),
    key("snapshots.schedule", G::Schedule, "", WhenRead, "When snapshots are taken, such as @daily or 0 6 * * 1-5"),
    key("snapshots.schedule.stopped", G::Bool, "false", WhenRead, "Take them while it is stopped, too"),
    key("user.*", G::Text, "", WhenRead, "Anything; kept for you"),
    own("image.*", G::Text, "A property of the image it was made from"),
    own("volatile.apply_quota", G::Text, "Size that its root gets at the next start"),
    own("volatile.apply_template", G::OneOf(&["create", "copy", "rename"]), "Templates that are applied at the next start"),
    own("volatile.base_image", G::Text, "Fingerprint of the image it was made from"),
    own("volatile.idmap.base", G::Uint32, "First id of the host of its range"),
    own("volatile.idmap.current", G::IdmapJson, "The ids it has while it runs"),
    own("volatile.idmap.next", G::IdmapJson, "The ids it gets at the next start"),
    own("volatile.last_state.idmap", G::IdmapJson, "The ids its files have"),
    own("volatile.last_state.ready", G::Bool, "Whether it has said at /dev/lxd that it is up"),
    own("volatile.last_state.power", G::Text, "Whether it ran when it was last seen"),
    own("volatile.uuid", G::Text, "Its identity"),
    own("volatile.*.last_state.*", G::Text, "What a device of the host was like before it was passed through"),
    own("volatile.*.hwaddr", G::Mac, "Ethernet address of an interface"),
    own("volatile.*.host_name", G::Interface, "The host's end of an interface"),
    own("volatile.*.name", G::Interface, "Name of an interface inside"),
];
