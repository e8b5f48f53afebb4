//! Which hierarchies of control groups a host has.

use super::devices::filters_work;
use super::{Error, files};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The two interfaces of the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// One tree per controller.
    V1,
    /// One tree for all.
    V2,
}

/// One tree of groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) version: Version,
    /// Where it is mounted.
    pub(super) dir: PathBuf,
    /// Controllers that it has; empty for a named one.
    pub(super) controllers: Vec<String>,
}

/// The hierarchies of this host. Cheap to clone; does not change while the host runs.
#[derive(Clone, Debug)]
pub struct Layout {
    pub(super) hierarchies: Arc<[Hierarchy]>,
}

/// Controllers that limits and statistics of containers need: our name, the name in version 1, in
/// version 2.
const WANTED: [(&str, &str, Option<&str>); 7] = [
    ("cpu", "cpu", Some("cpu")),
    ("cpuacct", "cpuacct", Some("cpu")),
    ("cpuset", "cpuset", Some("cpuset")),
    ("memory", "memory", Some("memory")),
    ("pids", "pids", Some("pids")),
    ("io", "blkio", Some("io")),
    // Version 2 has no files for devices: a program in the kernel decides.
    ("devices", "devices", None),
];

impl Layout {
    /// Look at what is mounted.
    ///
    /// # Errors
    /// [`Error::NoHierarchy`]; [`Error::File`] when `/proc/self/mountinfo` cannot be read.
    pub fn detect() -> Result<Self, Error> {
        let path = Path::new("/proc/self/mountinfo");
        let table = std::fs::read_to_string(path).map_err(|source| files::failed("read", path, source))?;
        let hierarchies = parse(&table, |dir| {
            let controllers = files::read(&dir.join("cgroup.controllers")).unwrap_or_default();
            controllers.split_whitespace().map(str::to_owned).collect()
        });
        if hierarchies.is_empty() {
            return Err(Error::NoHierarchy);
        }
        Ok(Self { hierarchies: hierarchies.into() })
    }

    /// Which version has a controller (`blkio` and `io` are different names); `None`: neither.
    #[must_use]
    pub fn version_of(&self, controller: &str) -> Option<Version> {
        self.with(controller).map(|hierarchy| hierarchy.version)
    }

    /// Controllers that limits or statistics of containers need and this host lacks; what depends on
    /// them is not enforced. The names are those of version 1, but `io` for `blkio`.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let has = |version, name: &str| {
            self.hierarchies.iter().any(|h| h.version == version && h.controllers.iter().any(|c| c == name))
        };
        WANTED
            .iter()
            .filter(|(_, v1, v2)| !has(Version::V1, v1) && !v2.is_some_and(|v2| has(Version::V2, v2)))
            .filter(|(name, _, _)| *name != "devices" || !filters_work(self))
            .map(|(name, _, _)| *name)
            .collect()
    }

    /// What a container mounts to see them as the host does: directory below `/sys/fs/cgroup`
    /// (empty: that is the only one), kind of file system, options.
    #[must_use]
    pub fn mounts(&self) -> Vec<(String, &'static str, String)> {
        let single = self.hierarchies.len() == 1;
        let mount = |hierarchy: &Hierarchy| {
            let directory = hierarchy.dir.file_name().map(|name| name.to_string_lossy().into_owned());
            let directory = directory.filter(|_| !single).unwrap_or_default();
            match hierarchy.version {
                Version::V2 => (directory, "cgroup2", String::new()),
                Version::V1 if hierarchy.controllers.is_empty() => {
                    (directory.clone(), "cgroup", format!("none,name={directory}"))
                }
                Version::V1 => (directory, "cgroup", hierarchy.controllers.join(",")),
            }
        };
        self.hierarchies.iter().map(mount).collect()
    }

    pub(super) fn with(&self, controller: &str) -> Option<&Hierarchy> {
        let holds = |h: &&Hierarchy| h.controllers.iter().any(|name| name == controller);
        let first = |version| self.hierarchies.iter().filter(|h| h.version == version).find(holds);
        first(Version::V1).or_else(|| first(Version::V2))
    }

    /// The hierarchy of version 2.
    pub(super) fn unified(&self) -> Option<&Hierarchy> {
        self.hierarchies.iter().find(|h| h.version == Version::V2)
    }
}

/// Read `proc_pid_mountinfo(5)`. `controllers_of` tells those of the mount point of version 2.
fn parse(table: &str, controllers_of: impl Fn(&Path) -> Vec<String>) -> Vec<Hierarchy> {
    let mut found: Vec<Hierarchy> = Vec::new();
    for line in table.lines() {
        let Some((mount, kind)) = line.split_once(" - ") else { continue };
        let Some(dir) = mount.split(' ').nth(4) else { continue };
        let mut kind = kind.split(' ');
        let (version, options) = match (kind.next(), kind.nth(1)) {
            (Some("cgroup"), Some(options)) => (Version::V1, options),
            (Some("cgroup2"), _) => (Version::V2, ""),
            _ => continue,
        };
        let dir = PathBuf::from(unescape(dir));
        let controllers = match version {
            Version::V1 => v1_controllers(options),
            Version::V2 => controllers_of(&dir),
        };
        // The same tree can be mounted at several places; the first one counts. Named trees have no
        // controllers and are told apart by their directory.
        let known = found.iter().any(|h| {
            h.version == version
                && (version == Version::V2 || (!controllers.is_empty() && h.controllers == controllers))
        });
        if !known {
            found.push(Hierarchy { version, dir, controllers });
        }
    }
    found
}

/// The controllers among the options of a mount of version 1.
fn v1_controllers(options: &str) -> Vec<String> {
    const OPTIONS: [&str; 6] = ["rw", "ro", "xattr", "clone_children", "noprefix", "cpuset_v2_mode"];
    options
        .split(',')
        .filter(|option| !OPTIONS.contains(option) && !option.contains('='))
        .map(str::to_owned)
        .collect()
}

/// Undo the octal escapes of white space.
fn unescape(field: &str) -> String {
    field.replace("\\040", " ").replace("\\011", "\t").replace("\\012", "\n").replace("\\134", "\\")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
42 31 0:32 / /mnt/again rw,relatime - cgroup cgroup rw,memory
";

    #[test]
    fn hybrid() {
        let hierarchies = parse(HYBRID, |_| vec!["hugetlb".to_owned()]);
        let dirs: Vec<_> = hierarchies.iter().map(|h| h.dir.to_str().unwrap_or("")).collect();
        let base = "/sys/fs/cgroup";
        assert_eq!(
            dirs,
            ["cpu,cpuacct", "memory", "systemd", "unified"].map(|name| format!("{base}/{name}"))
        );
        assert_eq!(hierarchies[0].controllers, ["cpu", "cpuacct"]);
        assert!(hierarchies[2].controllers.is_empty());
        let layout = Layout { hierarchies: hierarchies.into() };
        assert_eq!(layout.version_of("cpuacct"), Some(Version::V1));
        assert_eq!(layout.version_of("hugetlb"), Some(Version::V2));
        assert_eq!(layout.version_of("pids"), None);
        let missing = layout.missing();
        assert_eq!(missing.iter().filter(|name| **name != "devices").count(), 3);
        assert!(["cpuset", "pids", "io"].iter().all(|name| missing.contains(name)));
    }

    #[test]
    fn version_2_alone() {
        let table = "25 22 0:22 / /sys/fs/cgroup\\040x rw shared:4 - cgroup2 cgroup2 rw,nsdelegate\n";
        let all = ["cpu", "cpuset", "memory", "pids", "io"];
        let hierarchies = parse(table, |_| all.map(str::to_owned).to_vec());
        assert_eq!(hierarchies[0].dir, Path::new("/sys/fs/cgroup x"));
        let layout = Layout { hierarchies: hierarchies.into() };
        assert_eq!(layout.missing(), ["devices"]);
        assert!(layout.unified().is_some());
    }

    #[test]
    fn this_host() {
        assert!(!Layout::detect().unwrap().hierarchies.is_empty());
    }
}
