//! What a child needs to build its container, made by the parent: host files are open, paths are cut
//! into pieces, so that the child only makes system calls.

use super::filesystem::NewFilesystem;
use super::{boot_id, staging};
use crate::Error;
use crate::place::{Links, Place};
use crate::tree::Tree;
use model::runtime::spec::{ContainerSpec, Create, Mount, MountSource, SysAccess};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use sys::execve::Strings;
use sys::mount_setattr::Change;

/// Most bytes of a seccomp program: 4096 instructions of eight bytes.
const SECCOMP_MOST: u64 = 4096 * 8;

/// A mount of the host that appears inside.
#[derive(Debug)]
pub(super) struct Bind {
    pub(super) tree: Tree,
    pub(super) idmapped: bool,
    /// Where the child takes it from instead, because it must stay read-only.
    pub(super) staged: Option<CString>,
}

/// What is mounted.
#[derive(Debug)]
pub(super) enum Source {
    Bind(Bind),
    New(NewFilesystem),
}

/// One mount and what it is called when it fails.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) source: Source,
    pub(super) place: Place,
    pub(super) create: Option<Create>,
    pub(super) optional: bool,
    pub(super) step: String,
}

/// A path that is changed where it is.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) place: Place,
    pub(super) step: String,
}

/// A file below `/proc/sys`.
#[derive(Debug)]
pub(super) struct Sysctl {
    /// Relative to `/proc/sys`.
    pub(super) path: CString,
    pub(super) value: String,
    pub(super) step: String,
}

/// An interface to set up.
#[derive(Debug)]
pub(super) struct Nic {
    pub(super) name: String,
    pub(super) step: String,
}

/// Everything.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) privileged: bool,
    /// How much of `/sys` can be written.
    pub(super) sys: SysAccess,
    pub(super) root: Bind,
    pub(super) root_read_only: bool,
    pub(super) hostname: String,
    pub(super) boot_id: String,
    pub(super) standard: Standard,
    pub(super) items: Vec<Item>,
    pub(super) masked: Vec<Spot>,
    pub(super) read_only: Vec<Spot>,
    pub(super) writable: Option<Spot>,
    pub(super) sysctls: Vec<Sysctl>,
    pub(super) nics: Vec<Nic>,
    pub(super) drop_capabilities: Vec<u32>,
    pub(super) apparmor: Option<String>,
    pub(super) seccomp: Option<Vec<u8>>,
    pub(super) personality: Option<u32>,
    pub(super) arguments: Strings,
    pub(super) environment: Strings,
    pub(super) execute: String,
}

/// File systems that every container has.
#[derive(Debug)]
pub(super) struct Standard {
    pub(super) proc: (NewFilesystem, Place),
    pub(super) sys: (NewFilesystem, Place),
    pub(super) dev: (NewFilesystem, Place),
    pub(super) shm: (NewFilesystem, Place),
    pub(super) mqueue: (NewFilesystem, Place),
    pub(super) devpts: (NewFilesystem, Place),
    /// What hides a directory.
    pub(super) empty: NewFilesystem,
    /// Where interfaces stay writable when the rest of `/sys` does not.
    pub(super) sys_net: Place,
    /// Devices of the host; empty for a privileged container, which makes its own.
    pub(super) nodes: Vec<(Tree, &'static CStr, &'static str)>,
}

/// Devices that every container has: name, major and minor number, step.
pub(super) const NODES: [(&CStr, u32, u32, &str); 6] = [
    (c"null", 1, 3, "make /dev/null"),
    (c"zero", 1, 5, "make /dev/zero"),
    (c"full", 1, 7, "make /dev/full"),
    (c"random", 1, 8, "make /dev/random"),
    (c"urandom", 1, 9, "make /dev/urandom"),
    (c"tty", 5, 0, "make /dev/tty"),
];

impl Plan {
    /// Open and prepare everything. `seccomp` is the program, if the specification wants one; `given`
    /// are the mounts that come from the caller, in the order of the specification.
    pub(super) fn new(
        spec: &ContainerSpec,
        seccomp: Option<OwnedFd>,
        given: Vec<OwnedFd>,
    ) -> Result<Self, Error> {
        let mut given = given.into_iter();
        let root = Bind {
            tree: open_root(&spec.rootfs.path)?,
            idmapped: spec.rootfs.idmapped && spec.idmap.is_some(),
            staged: None,
        };
        let mut items = Vec::new();
        for device in &spec.devices {
            let mount = Mount {
                source: MountSource::Bind { path: device.source.clone(), recursive: false, idmapped: false },
                target: device.target.clone(),
                create: Some(Create::File),
                optional: device.optional,
                read_only: false,
            };
            items.extend(item(&mount, spec.idmap.is_some(), items.len(), &mut given)?);
        }
        for mount in &spec.mounts {
            items.extend(item(mount, spec.idmap.is_some(), items.len(), &mut given)?);
        }
        let init = spec.init.first().map_or("", String::as_str);
        if !init.starts_with('/') {
            return Err(Error::refused("execute init", "the path of init is not absolute"));
        }
        let with_gid = spec.idmap.as_ref().is_none_or(|map| map.host_gid(5).is_some());
        Ok(Self {
            privileged: spec.idmap.is_none(),
            sys: spec.sys.unwrap_or(if spec.idmap.is_none() {
                SysAccess::Mixed
            } else {
                SysAccess::Writable
            }),
            root,
            root_read_only: spec.rootfs.read_only,
            hostname: spec.hostname.clone(),
            boot_id: boot_id::new()?,
            standard: Standard::new(spec.idmap.is_none(), with_gid)?,
            items,
            masked: spots("mask", &spec.masked)?,
            read_only: spots("make read-only", &spec.read_only)?,
            writable: spots("keep writable", spec.writable.as_slice())?.pop(),
            sysctls: spec.sysctls.iter().map(sysctl).collect::<Result<_, _>>()?,
            nics: spec
                .nics
                .iter()
                .map(|name| Nic { name: name.clone(), step: format!("set {name} up") })
                .collect(),
            drop_capabilities: spec.drop_capabilities.clone(),
            apparmor: spec.apparmor.as_ref().map(|profile| format!("exec {profile}")),
            seccomp: read_seccomp(spec.seccomp, seccomp)?,
            personality: spec.personality,
            arguments: strings("execute init", &spec.init)?,
            environment: strings("execute init", &spec.environment)?,
            execute: format!("execute {init}"),
        })
    }

    /// Mounts that come from the host, each with the step of changing it.
    pub(super) fn binds(&self) -> impl Iterator<Item = (&Bind, &str)> {
        let items = self.items.iter().filter_map(|item| match &item.source {
            Source::Bind(bind) => Some((bind, item.step.as_str())),
            Source::New(_) => None,
        });
        let root = if self.root.idmapped { "idmap rootfs" } else { "open rootfs" };
        std::iter::once((&self.root, root)).chain(items)
    }

    /// Descriptors that the child keeps.
    pub(super) fn descriptors(&self) -> Vec<BorrowedFd<'_>> {
        let nodes = self.standard.nodes.iter().map(|(tree, _, _)| tree.as_fd());
        self.binds().map(|(bind, _)| bind.tree.as_fd()).chain(nodes).collect()
    }
}

impl Standard {
    fn new(privileged: bool, tty_group: bool) -> Result<Self, Error> {
        let pts = if tty_group {
            "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5,max=1024"
        } else {
            "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,max=1024"
        };
        let mut nodes = Vec::new();
        if !privileged {
            for (name, _, _, step) in NODES {
                let path = Path::new("/dev").join(name.to_str().unwrap_or_default());
                let tree = Tree::of(&path, false)
                    .and_then(|tree| tree.change(Change::default()).map(|()| tree))
                    .map_err(|errno| Error::system(step, errno))?;
                nodes.push((tree, name, step));
            }
        }
        let strict = |kind, options, path| standard(kind, options, path, Links::Refused);
        Ok(Self {
            proc: strict("proc", "nosuid,nodev,noexec", "proc")?,
            sys: strict("sysfs", "nosuid,nodev,noexec", "sys")?,
            dev: strict("tmpfs", "nosuid,mode=755,size=512k", "dev")?,
            shm: strict("tmpfs", "nosuid,nodev,mode=1777", "dev/shm")?,
            mqueue: strict("mqueue", "nosuid,nodev,noexec", "dev/mqueue")?,
            devpts: strict("devpts", pts, "dev/pts")?,
            empty: standard("tmpfs", "ro,nosuid,nodev,noexec,size=4k", "x", Links::Refused)?.0,
            sys_net: place("sys/devices/virtual/net", Links::Refused, "mount /sys")?,
            nodes,
        })
    }
}

fn standard(kind: &str, options: &str, path: &str, links: Links) -> Result<(NewFilesystem, Place), Error> {
    let step = format!("mount /{path}");
    let new =
        NewFilesystem::new(kind, options).map_err(|error| Error::refused(step.clone(), error.to_string()))?;
    Ok((new, place(path, links, &step)?))
}

fn place(path: &str, links: Links, step: &str) -> Result<Place, Error> {
    Place::new(path, links).map_err(|error| Error::refused(step.to_owned(), error.to_string()))
}

fn open_root(path: &Path) -> Result<Tree, Error> {
    let step = || format!("open the root file system {}", path.display());
    if !path.is_absolute() {
        return Err(Error::refused(step(), "the path is not absolute"));
    }
    Tree::of(path, false).map_err(|errno| Error::system(step(), errno))
}

/// `None`: the source is missing, which is allowed.
fn item(
    mount: &Mount,
    mapped: bool,
    number: usize,
    given: &mut impl Iterator<Item = OwnedFd>,
) -> Result<Option<Item>, Error> {
    let target = mount.target.trim_start_matches('/');
    let step = format!("mount /{target}");
    let source = match &mount.source {
        MountSource::Bind { path, recursive, .. } | MountSource::Restricted { path, recursive, .. } => {
            let tree = match Tree::of(path, *recursive) {
                Ok(tree) => tree,
                Err(Errno::NOENT | Errno::NOTDIR) if mount.optional => return Ok(None),
                Err(errno) => {
                    return Err(Error::system(format!("open {}", path.display()), errno));
                }
            };
            let (idmapped, change) = changes(&mount.source);
            if let Some(change) = change {
                tree.change(change).map_err(|errno| Error::system(step.clone(), errno))?;
            }
            Source::Bind(bind(tree, mount, idmapped && mapped, mapped, number)?)
        }
        MountSource::Given { idmapped } => {
            let fd = given.next().ok_or_else(|| Error::refused(step.clone(), "no mount came with it"))?;
            Source::Bind(bind(Tree::given(fd), mount, *idmapped && mapped, mapped, number)?)
        }
        MountSource::Filesystem { kind, options } => {
            let read_only = if mount.read_only { ",ro" } else { "" };
            let new = NewFilesystem::new(kind, &format!("{options}{read_only}"))
                .map_err(|error| Error::refused(step.clone(), error.to_string()))?;
            Source::New(new)
        }
    };
    let place = place(target, Links::Inside, &step)?;
    Ok(Some(Item { source, place, create: mount.create, optional: mount.optional, step }))
}

fn bind(tree: Tree, mount: &Mount, idmapped: bool, mapped: bool, number: usize) -> Result<Bind, Error> {
    let staged = if mount.read_only && mapped { Some(staging::path(number)?) } else { None };
    if mount.read_only && !mapped {
        // A privileged container's root can change that: it is the host's.
        let change = Change { read_only: true, ..Change::default() };
        tree.change(change).map_err(|errno| Error::system(format!("mount /{}", mount.target), errno))?;
    }
    Ok(Bind { tree, idmapped, staged })
}

/// Whether a bind mount maps ids, and how it differs from its source.
fn changes(source: &MountSource) -> (bool, Option<Change<'static>>) {
    match *source {
        MountSource::Restricted { no_suid, no_dev, no_exec, .. } => {
            (false, Some(Change { no_suid, no_dev, no_exec, ..Change::default() }))
        }
        MountSource::Bind { idmapped, .. } | MountSource::Given { idmapped } => (idmapped, None),
        MountSource::Filesystem { .. } => (false, None),
    }
}

fn spots(verb: &str, paths: &[String]) -> Result<Vec<Spot>, Error> {
    paths
        .iter()
        .map(|path| {
            let step = format!("{verb} /{}", path.trim_start_matches('/'));
            Ok(Spot { place: place(path, Links::Inside, &step)?, step })
        })
        .collect()
}

fn sysctl((name, value): &(String, String)) -> Result<Sysctl, Error> {
    let step = format!("set sysctl {name}");
    // As sysctl(8) reads it: with dots between the parts unless there are slashes.
    let path = if name.contains('/') { name.clone() } else { name.replace('.', "/") };
    let plain = path.split('/').all(|part| !part.is_empty() && part != "." && part != "..");
    let path = CString::new(path);
    match path {
        Ok(path) if plain => Ok(Sysctl { path, value: value.clone(), step }),
        _ => Err(Error::refused(step, "this is no name of a sysctl")),
    }
}

fn strings(step: &'static str, list: &[String]) -> Result<Strings, Error> {
    Strings::new(list).map_err(|error| Error::refused(step, error.to_string()))
}

/// The seccomp program that came with the request.
pub(crate) fn read_seccomp(wanted: bool, fd: Option<OwnedFd>) -> Result<Option<Vec<u8>>, Error> {
    const STEP: &str = "read the seccomp program";
    match (wanted, fd) {
        (false, _) => Ok(None),
        (true, None) => Err(Error::refused(STEP, "none came with the request")),
        (true, Some(fd)) => {
            let file = std::fs::File::from(fd);
            let failed = |error: std::io::Error| Error::input_output(STEP, &error);
            let size = file.metadata().map_err(failed)?.len().min(SECCOMP_MOST + 1);
            let mut program = vec![0; usize::try_from(size).unwrap_or(0)];
            // The file is shared by everybody who loads this program, and so is its offset.
            file.read_exact_at(&mut program, 0).map_err(failed)?;
            Ok(Some(program))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_sysctls() {
        let path = |name: &str| sysctl(&(name.to_owned(), "1".to_owned())).map(|s| s.path);
        assert_eq!(path("net.ipv4.ip_forward"), Ok(c"net/ipv4/ip_forward".to_owned()));
        assert_eq!(
            path("net/ipv4/conf/eth0.5/forwarding"),
            Ok(c"net/ipv4/conf/eth0.5/forwarding".to_owned())
        );
        for name in ["", "..", "../../etc/passwd", "net//x", "a/./b"] {
            assert!(path(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_seccomp_program_must_come_if_it_is_wanted() {
        assert_eq!(read_seccomp(false, None), Ok(None));
        assert!(read_seccomp(true, None).is_err());
        let fd = sys::memfd::sealed("seccomp", &[1, 2, 3]).unwrap();
        assert_eq!(read_seccomp(true, Some(fd)), Ok(Some(vec![1, 2, 3])));
    }
}
