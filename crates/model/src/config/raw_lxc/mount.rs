//! `lxc.mount.entry` and `lxc.mount.auto`.

use super::Reason;
use crate::runtime::spec::Create;

/// One line as in `fstab(5)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// A path of the host for a bind mount, else anything.
    pub source: String,
    /// Relative to the container's root.
    pub target: String,
    /// `None`: a bind mount.
    pub filesystem: Option<String>,
    /// With what is mounted below the source.
    pub recursive: bool,
    /// Flags of the mount.
    pub flags: Flags,
    /// What is made if the target is missing.
    pub create: Option<Create>,
    /// A source or target that is missing is not an error.
    pub optional: bool,
    /// Options of the file system, with commas between.
    pub options: String,
}

/// Flags of a mount, `mount_setattr(2)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    /// `ro`.
    pub read_only: bool,
    /// `nosuid`.
    pub no_suid: bool,
    /// `nodev`.
    pub no_dev: bool,
    /// `noexec`.
    pub no_exec: bool,
}

/// A tree that LXC mounts by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AutoMount {
    /// `/proc`; true: all of it can be written.
    Proc(bool),
    /// `/sys`.
    Sys(Access),
    /// Control groups at `/sys/fs/cgroup`; true: they can be written.
    Cgroup(bool),
}

/// How much of a tree can be written.
pub type Access = crate::runtime::spec::SysAccess;

/// File systems that need no device and show what belongs to the container.
const FILESYSTEMS: [&str; 16] = [
    "bpf",
    "binfmt_misc",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "proc",
    "ramfs",
    "securityfs",
    "sysfs",
    "tmpfs",
    "tracefs",
];

/// Reads `source target kind options [dump pass]`.
pub(super) fn entry(line: &str) -> Result<Entry, Reason> {
    const FORM: &str =
        "source, target, type and options as in fstab, such as /srv/a srv/a none bind,create=dir 0 0";
    let fields: Vec<String> = line.split_whitespace().map(unescape).collect();
    let [source, target, kind, options, ..] = &fields[..] else { return Err(Reason::value(line, FORM)) };
    let target = target.trim_matches('/');
    if target.is_empty() || target.split('/').any(|part| part == ".." || part == ".") || fields.len() > 6 {
        return Err(Reason::value(line, "a target below the container's root, without .."));
    }
    let mut entry = Entry {
        source: source.clone(),
        target: target.to_owned(),
        filesystem: None,
        recursive: false,
        flags: Flags::default(),
        create: None,
        optional: false,
        options: String::new(),
    };
    let mut bind = false;
    let mut rest = Vec::new();
    for option in options.split(',').filter(|option| !option.is_empty()) {
        match option {
            "bind" => bind = true,
            "rbind" => (bind, entry.recursive) = (true, true),
            "optional" => entry.optional = true,
            "create=dir" => entry.create = Some(Create::Dir),
            "create=file" => entry.create = Some(Create::File),
            "ro" => entry.flags.read_only = true,
            "nosuid" => entry.flags.no_suid = true,
            "nodev" => entry.flags.no_dev = true,
            "noexec" => entry.flags.no_exec = true,
            // What a mount here is anyway.
            "rw" | "suid" | "dev" | "exec" | "defaults" | "private" | "rprivate" | "relatime" => {}
            other => rest.push(other),
        }
    }
    if bind {
        if !rest.is_empty() {
            const ALLOWED: &str = "bind, rbind, ro, nosuid, nodev, noexec, optional, create=dir and create=file for bind mounts";
            return Err(Reason::value(&rest.join(","), ALLOWED));
        }
        if !source.starts_with('/') {
            return Err(Reason::value(source, "an absolute path of the host for bind mounts"));
        }
    } else {
        const ALLOWED: &str =
            "bind, or a file system without a device such as tmpfs; for disks use a disk device";
        if !FILESYSTEMS.contains(&kind.as_str()) {
            return Err(Reason::value(kind, ALLOWED));
        }
        entry.filesystem = Some(kind.clone());
        entry.options = rest.join(",");
    }
    Ok(entry)
}

/// Adds what a line asks for; an empty one forgets what came before.
pub(super) fn auto(list: &mut Vec<AutoMount>, value: &str) -> Result<(), Reason> {
    const ALLOWED: &str =
        "proc:mixed, proc:rw, sys:ro, sys:mixed, sys:rw, cgroup:ro, cgroup:mixed or cgroup:rw";
    if value.is_empty() {
        list.clear();
    }
    for word in value.split_whitespace() {
        list.push(match word {
            "proc" | "proc:mixed" => AutoMount::Proc(false),
            "proc:rw" => AutoMount::Proc(true),
            "sys" | "sys:mixed" => AutoMount::Sys(Access::Mixed),
            "sys:ro" => AutoMount::Sys(Access::ReadOnly),
            "sys:rw" => AutoMount::Sys(Access::Writable),
            "cgroup:ro" | "cgroup-full:ro" | "cgroup:ro:force" | "cgroup-full:ro:force" => {
                AutoMount::Cgroup(false)
            }
            // With a namespace of its own for control groups, a container sees only its own.
            "cgroup"
            | "cgroup:mixed"
            | "cgroup:rw"
            | "cgroup-full"
            | "cgroup-full:mixed"
            | "cgroup-full:rw"
            | "cgroup:mixed:force"
            | "cgroup:rw:force"
            | "cgroup-full:mixed:force"
            | "cgroup-full:rw:force" => AutoMount::Cgroup(true),
            other => return Err(Reason::value(other, ALLOWED)),
        });
    }
    Ok(())
}

/// Undoes the octal escapes of blanks in `fstab(5)`.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
}
