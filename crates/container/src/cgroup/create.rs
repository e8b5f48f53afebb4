//! Make the groups of a container and give them to its root.

use super::files::{failed, read, write, write_if_there};
use super::layout::{Hierarchy, Version};
use super::{Cgroup, Error, Layout};
use model::runtime::spec::CgroupSpec;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Controllers that are enabled on the way to a container's group of version 2.
const ENABLED: [&str; 6] = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];
/// What a container's root may write in its own group of version 1.
const OWN_V1: [&str; 2] = ["cgroup.procs", "tasks"];
/// The same for version 2, where the kernel does not tell.
const OWN_V2: [&str; 4] = ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "memory.oom.group"];
/// How long groups that a lost container left behind are given to go away.
const STALE: Duration = Duration::from_secs(2);

impl Cgroup {
    /// Make the groups, apply the settings, and give them to the container's root (`owner`: its
    /// user and group on the host; `None` for a privileged container, whose root is the host's).
    ///
    /// Groups of the same name that hold no process are removed first. Settings for controllers
    /// that the host lacks are skipped ([`Layout::missing`] names them).
    ///
    /// # Errors
    /// [`Error::File`], also for a value that the kernel refuses; nothing is left then.
    pub fn create(layout: &Layout, spec: &CgroupSpec, owner: Option<(u32, u32)>) -> Result<Self, Error> {
        let group = Self::open(layout, &spec.path)?;
        if group.exists() {
            group.remove(STALE)?;
        }
        let made = group.fill(spec, owner);
        if let Err(error) = made {
            // What is reported is why it failed, not what could not be undone.
            let _ = group.remove(STALE);
            return Err(error);
        }
        Ok(group)
    }

    fn fill(&self, spec: &CgroupSpec, owner: Option<(u32, u32)>) -> Result<(), Error> {
        for hierarchy in self.layout.hierarchies.iter() {
            make(hierarchy, &self.path)?;
            let settings = match hierarchy.version {
                Version::V1 => &spec.v1,
                Version::V2 => &spec.v2,
            };
            let dir = self.dir(hierarchy);
            for setting in settings {
                let core = hierarchy.version == Version::V2 && setting.controller == "cgroup";
                if core || hierarchy.controllers.contains(&setting.controller) {
                    if setting.file.contains('/') {
                        return Err(Error::BadPath(setting.file.clone()));
                    }
                    write_if_there(&dir.join(&setting.file), &setting.value)?;
                }
            }
            if let Some(owner) = owner {
                delegate(hierarchy, &dir, owner)?;
            }
        }
        spec.devices.as_ref().map_or(Ok(()), |rules| self.restrict_devices(rules))
    }
}

/// Make a group and those above it.
fn make(hierarchy: &Hierarchy, path: &str) -> Result<(), Error> {
    // Another container's removal may take the group above away between two steps.
    let mut tries = 0;
    loop {
        tries += 1;
        match make_once(hierarchy, path) {
            Err(Error::File { source, .. }) if source.kind() == ErrorKind::NotFound && tries < 5 => {}
            other => return other,
        }
    }
}

fn make_once(hierarchy: &Hierarchy, path: &str) -> Result<(), Error> {
    let mut dir: PathBuf = hierarchy.dir.clone();
    for part in path.split('/') {
        if hierarchy.version == Version::V2 {
            enable(hierarchy, &dir);
        }
        let above = dir.clone();
        dir.push(part);
        match std::fs::DirBuilder::new().mode(0o755).create(&dir) {
            // Whatever the umask is: kernels before 6.3 let only those mount a group in its own
            // namespace who may pass through the groups above it.
            Ok(()) => std::fs::set_permissions(&dir, std::fs::Permissions::from_mode(0o755))
                .map_err(|source| failed("change the mode of", &dir, source))?,
            Err(source) if source.kind() == ErrorKind::AlreadyExists => {}
            Err(source) => return Err(failed("make", &dir, source)),
        }
        if hierarchy.version == Version::V1 {
            inherit(hierarchy, &above, &dir)?;
        }
    }
    Ok(())
}

/// Enable controllers for the children of a group of version 2, one by one: one that is refused
/// (because the host's own processes sit in the way) must not take the others along.
fn enable(hierarchy: &Hierarchy, dir: &Path) {
    let file = dir.join("cgroup.subtree_control");
    let enabled = read(&file).unwrap_or_default();
    for name in ENABLED {
        let has = hierarchy.controllers.iter().any(|controller| controller == name);
        if has && !enabled.split_whitespace().any(|controller| controller == name) {
            // What cannot be enabled has no files below, where settings find it missing.
            let _ = write(&file, &format!("+{name}"));
        }
    }
}

/// What a new group of version 1 does not take over from the one above by itself.
fn inherit(hierarchy: &Hierarchy, above: &Path, dir: &Path) -> Result<(), Error> {
    let has = |name: &str| hierarchy.controllers.iter().any(|controller| controller == name);
    if has("cpuset") {
        for file in ["cpuset.cpus", "cpuset.mems"] {
            if read(&dir.join(file)).is_some_and(|value| value.is_empty()) {
                let value = read(&above.join(file)).unwrap_or_default();
                write(&dir.join(file), &value)?;
            }
        }
    }
    if has("memory") && read(&dir.join("memory.use_hierarchy")).is_some_and(|value| value == "0") {
        write(&dir.join("memory.use_hierarchy"), "1")?;
    }
    Ok(())
}

/// Let the container's root make groups below and move processes between them, but not change the
/// limits of the group itself, whose files stay the host's.
fn delegate(hierarchy: &Hierarchy, dir: &Path, (uid, gid): (u32, u32)) -> Result<(), Error> {
    let own = |path: &Path| match chown(path, Some(uid), Some(gid)) {
        Err(source) if source.kind() != ErrorKind::NotFound => Err(failed("chown", path, source)),
        _ => Ok(()),
    };
    chown(dir, Some(uid), Some(gid)).map_err(|source| failed("chown", dir, source))?;
    match hierarchy.version {
        Version::V1 => OWN_V1.iter().try_for_each(|file| own(&dir.join(file))),
        Version::V2 => {
            let told = read(Path::new("/sys/kernel/cgroup/delegate")).unwrap_or_default();
            let told: Vec<_> = told.lines().filter(|name| !name.contains('/')).collect();
            let files = if told.is_empty() { OWN_V2.to_vec() } else { told };
            files.iter().try_for_each(|file| own(&dir.join(file)))
        }
    }
}
