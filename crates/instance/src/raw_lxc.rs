//! What `raw.lxc` changes in the specification of a container: a pure function, applied last.

use model::config::raw_lxc::{AutoMount, DeviceLine, Entry, RawLxc};
use model::runtime::devices::DeviceRule;
use model::runtime::spec::{CgroupSetting, ContainerSpec, Create, Mount, MountSource, SysAccess};
use std::path::PathBuf;

use crate::compose::{self, READ_ONLY, WRITABLE};

/// Where control groups are mounted inside.
const GROUPS: &str = "sys/fs/cgroup";

/// Changes what was composed. `hierarchies` are the mounts of control groups: directory (empty: the
/// only one), kind and options.
pub(crate) fn apply(spec: &mut ContainerSpec, raw: &RawLxc, hierarchies: &[(String, &'static str, String)]) {
    for auto in &raw.auto {
        match auto {
            AutoMount::Proc(writable) => proc(spec, *writable),
            AutoMount::Sys(access) => sys(spec, *access),
            AutoMount::Cgroup(writable) => spec.mounts.extend(groups(hierarchies, *writable)),
        }
    }
    spec.mounts.extend(raw.mounts.iter().map(mount));
    spec.cgroup.v1.extend(raw.cgroup1.iter().map(setting));
    spec.cgroup.v2.extend(raw.cgroup2.iter().map(setting));
    spec.drop_capabilities = raw.capabilities.dropped(&spec.drop_capabilities);
    for (name, value) in &raw.environment {
        let prefix = format!("{name}=");
        spec.environment.retain(|variable| !variable.starts_with(&prefix));
        spec.environment.push(format!("{prefix}{value}"));
    }
    spec.sysctls.extend(raw.sysctls.iter().cloned());
    spec.proc.extend(raw.proc.iter().cloned());
    if let Some(init) = &raw.init {
        spec.init.clone_from(init);
    }
}

/// The devices that everything inside may use before the container's own are added; no list: all.
pub(crate) fn usual_devices(raw: &RawLxc) -> Option<Vec<DeviceRule>> {
    let mut list = Some(compose::usual_devices());
    raw.devices.iter().for_each(|line| device(&mut list, line));
    list
}

/// No list allows everything.
fn device(list: &mut Option<Vec<DeviceRule>>, line: &DeviceLine) {
    match line {
        DeviceLine::AllowAll => *list = None,
        DeviceLine::DenyAll => *list = Some(Vec::new()),
        DeviceLine::Allow(rule) => list.iter_mut().for_each(|list| list.push(*rule)),
        DeviceLine::Deny(rule) => list.iter_mut().for_each(|list| list.retain(|known| known != rule)),
    }
}

fn below(tree: &str) -> impl Fn(&String) -> bool {
    move |path: &String| path.strip_prefix(tree).is_some_and(|rest| rest.starts_with('/'))
}

fn lock(spec: &mut ContainerSpec, tree: &str) {
    let inside = below(tree);
    let missing = READ_ONLY.iter().map(ToString::to_string).filter(|path| inside(path));
    let missing: Vec<String> = missing.filter(|path| !spec.read_only.contains(path)).collect();
    spec.read_only.extend(missing);
}

fn unlock(spec: &mut ContainerSpec, tree: &str) {
    let inside = below(tree);
    spec.read_only.retain(|path| !inside(path));
    spec.masked.retain(|path| !inside(path));
}

fn proc(spec: &mut ContainerSpec, writable: bool) {
    if writable {
        unlock(spec, "proc");
    } else {
        lock(spec, "proc");
    }
    spec.writable = (!writable).then(|| WRITABLE.to_owned());
}

fn sys(spec: &mut ContainerSpec, access: SysAccess) {
    spec.sys = Some(access);
    if access == SysAccess::Writable { unlock(spec, "sys") } else { lock(spec, "sys") }
}

fn groups(hierarchies: &[(String, &'static str, String)], writable: bool) -> Vec<Mount> {
    let new = |kind: &str, options: &str, target: String, read_only| Mount {
        source: MountSource::Filesystem { kind: kind.to_owned(), options: options.to_owned() },
        target,
        create: Some(Create::Dir),
        optional: false,
        read_only,
    };
    const FLAGS: &str = "nosuid,nodev,noexec";
    if let [(directory, kind, _)] = hierarchies
        && directory.is_empty()
    {
        return vec![new(kind, FLAGS, GROUPS.to_owned(), !writable)];
    }
    let mut mounts = vec![new("tmpfs", &format!("{FLAGS},mode=755,size=64k"), GROUPS.to_owned(), false)];
    mounts.extend(hierarchies.iter().map(|(directory, kind, options)| {
        new(kind, &format!("{FLAGS},{options}"), format!("{GROUPS}/{directory}"), !writable)
    }));
    mounts
}

fn mount(entry: &Entry) -> Mount {
    let flags = entry.flags;
    let source = match &entry.filesystem {
        None => MountSource::Restricted {
            path: PathBuf::from(&entry.source),
            recursive: entry.recursive,
            no_suid: flags.no_suid,
            no_dev: flags.no_dev,
            no_exec: flags.no_exec,
        },
        Some(kind) => {
            let named = [(flags.no_suid, "nosuid"), (flags.no_dev, "nodev"), (flags.no_exec, "noexec")];
            let named = named.into_iter().filter_map(|(set, name)| set.then_some(name));
            let options: Vec<&str> = named.chain(entry.options.split(',')).collect();
            MountSource::Filesystem { kind: kind.clone(), options: options.join(",") }
        }
    };
    Mount {
        source,
        target: entry.target.clone(),
        create: entry.create,
        optional: entry.optional,
        read_only: flags.read_only,
    }
}

fn setting((file, value): &(String, String)) -> CgroupSetting {
    let controller = file.split('.').next().unwrap_or_default().to_owned();
    CgroupSetting { controller, file: file.clone(), value: value.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compose::tests::facts;
    use crate::compose::{Facts, compose};
    use model::config::parse_raw_lxc;

    fn applied(text: &str, facts: Facts) -> ContainerSpec {
        let mut spec = compose(facts);
        let unified = [(String::new(), "cgroup2", String::new())];
        apply(&mut spec, &parse_raw_lxc(text).unwrap(), &unified);
        spec
    }

    #[test]
    fn lines_come_after_everything_else() {
        let spec = applied(
            "lxc.environment = LANG=de\nlxc.init.cmd = /bin/x y\nlxc.cap.drop = net_raw\n\
             lxc.sysctl.net.ipv4.ip_forward = 1\nlxc.proc.oom_score_adj = 5\n\
             lxc.cgroup2.memory.high = 1M\nlxc.mount.entry = /srv srv none rbind,ro,nodev,create=dir 0 0",
            facts(),
        );
        assert_eq!(spec.environment, ["container=lxc", "LANG=de"]);
        assert_eq!(spec.init, ["/bin/x", "y"]);
        assert_eq!(spec.drop_capabilities, [13]);
        assert_eq!(spec.sysctls.len() + spec.proc.len(), 2);
        assert_eq!(spec.cgroup.v2.last().unwrap().controller, "memory");
        let last = spec.mounts.last().unwrap();
        assert!(last.read_only && last.target == "srv" && last.create == Some(Create::Dir));
        assert!(matches!(
            last.source,
            MountSource::Restricted { no_dev: true, no_suid: false, recursive: true, .. }
        ));
    }

    #[test]
    fn trees_can_be_opened_and_locked() {
        let strong = applied("lxc.mount.auto = proc:rw sys:rw", Facts { idmap: None, ..facts() });
        assert!(
            strong.read_only.is_empty() && strong.masked.is_empty() && strong.writable.is_none(),
            "{:?}",
            strong.read_only
        );
        assert_eq!(strong.sys, Some(SysAccess::Writable));
        let plain = applied("lxc.mount.auto = proc:mixed sys:ro cgroup:ro", facts());
        assert!(plain.read_only.iter().any(|path| path == "proc/sys"));
        assert!(plain.masked.iter().any(|path| path == "proc/kcore"));
        let groups = plain.mounts.last().unwrap();
        assert!(groups.target == GROUPS && groups.read_only);
        assert!(applied("lxc.cap.drop =", Facts { idmap: None, ..facts() }).drop_capabilities.is_empty());
    }
}
