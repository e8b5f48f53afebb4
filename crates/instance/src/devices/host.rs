//! What a part needs on the host: a node of its own, or a file system that is attached nowhere.

use super::part::{Node, Part, Source};
use crate::{Error, var};
use model::IdMap;
use model::runtime::devices::NodeKind;
use model::runtime::mounting::MountIdentity;
use model::runtime::spec::{Create, Mount, MountSource};
use rustix::fs::{
    AtFlags, CWD, FileType, Gid, Mode, OFlags, StatVfsMountFlags, Uid, chmodat, chownat, fstatvfs, makedev,
    mknodat, open,
};
use rustix::io::Errno;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// A part that can be mounted.
pub(super) struct Made {
    pub(super) mount: Mount,
    /// The mount itself, if the source is given.
    pub(super) fd: Option<OwnedFd>,
    pub(super) identity: MountIdentity,
    /// What was made on the host.
    pub(super) file: Option<PathBuf>,
}

/// For whom parts are made.
#[derive(Clone)]
pub(super) struct Owner {
    /// The container's directory below `devices`.
    pub(super) directory: PathBuf,
    /// Its ids; `None`: privileged.
    pub(super) idmap: Option<IdMap>,
}

/// Makes what a part needs.
pub(super) async fn make(owner: &Owner, device: &str, part: &Part) -> Result<Made, Error> {
    if let Source::Filesystem { device: path, read_only, shift } = &part.source {
        return filesystem(owner, device, &part.target, path, *read_only, *shift).await;
    }
    let (owner, device, part) = (owner.clone(), device.to_owned(), part.clone());
    tokio::task::spawn_blocking(move || match &part.source {
        Source::Node(node) => make_node(&owner, &device, &part.target, node),
        _ => bind(&owner, &device, &part),
    })
    .await
    .map_err(|_| Error::Shutdown)?
}

fn mount(target: &str, source: MountSource, create: Create, read_only: bool) -> Mount {
    Mount { source, target: target.to_owned(), create: Some(create), optional: false, read_only }
}

fn identity(path: &Path) -> Result<MountIdentity, Error> {
    let metadata = std::fs::metadata(path).map_err(|source| Error::Path {
        doing: "look at",
        path: path.to_owned(),
        source,
    })?;
    Ok(MountIdentity { dev: metadata.dev(), ino: metadata.ino() })
}

fn bind(owner: &Owner, device: &str, part: &Part) -> Result<Made, Error> {
    let Source::Path { path, directory, recursive, read_only, shift } = &part.source else {
        return Err(Error::Shutdown);
    };
    let idmapped = *shift && owner.idmap.is_some();
    if idmapped && !container::idmap::probe(path).map_err(Error::Probe)? {
        return Err(Error::CannotShift { device: device.to_owned(), path: path.clone() });
    }
    let create = if *directory { Create::Dir } else { Create::File };
    let source = MountSource::Bind { path: path.clone(), recursive: *recursive, idmapped };
    let mount = mount(&part.target, source, create, *read_only);
    Ok(Made { mount, fd: None, identity: identity(path)?, file: None })
}

async fn filesystem(
    owner: &Owner,
    device: &str,
    target: &str,
    path: &Path,
    read_only: bool,
    shift: bool,
) -> Result<Made, Error> {
    let kind = tools::blkid::filesystem(path).await.map_err(Error::Tool)?;
    let Some(kind) = kind else {
        return Err(Error::NoFilesystem { device: device.to_owned(), path: path.to_owned() });
    };
    let path = path.to_owned();
    let made = tokio::task::spawn_blocking(move || {
        let fd = container::block::filesystem(&path, &kind, read_only).map_err(Error::Mount)?;
        let stat =
            rustix::fs::fstat(&fd).map_err(|e| Error::Io { doing: "look at a mount", source: e.into() })?;
        Ok::<_, Error>((fd, MountIdentity { dev: stat.st_dev, ino: stat.st_ino }))
    });
    let (fd, identity) = made.await.map_err(|_| Error::Shutdown)??;
    let source = MountSource::Given { idmapped: shift && owner.idmap.is_some() };
    let mount = mount(target, source, Create::Dir, read_only);
    Ok(Made { mount, fd: Some(fd), identity, file: None })
}

/// Makes a node in the container's directory, or takes the host's where none can be made (in a
/// user namespace).
fn make_node(owner: &Owner, device: &str, target: &str, node: &Node) -> Result<Made, Error> {
    let path = owner.directory.join(format!("unix.{device}.{}", target.replace('/', "-")));
    let failed = |errno: Errno| Error::Path {
        doing: "make the device node",
        path: path.clone(),
        source: errno.into(),
    };
    let directory = open_directory(&owner.directory)?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(Error::Path { doing: "remove", path, source: error });
        }
        _ => {}
    }
    let kind = match node.kind {
        NodeKind::Char => FileType::CharacterDevice,
        NodeKind::Block => FileType::BlockDevice,
    };
    let made = mknodat(CWD, &path, kind, Mode::empty(), makedev(node.major, node.minor));
    let source = match (made, &node.host) {
        (Ok(()), _) => {
            let (uid, gid) = owner_of(owner, device, node)?;
            chownat(CWD, &path, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW).map_err(failed)?;
            chmodat(CWD, &path, Mode::from_raw_mode(node.mode), AtFlags::empty()).map_err(failed)?;
            if fstatvfs(&directory).map_err(failed)?.f_flag.contains(StatVfsMountFlags::NODEV) {
                return Err(Error::NoDev { path: owner.directory.clone() });
            }
            path.clone()
        }
        (Err(Errno::PERM), Some(host)) => host.clone(),
        (Err(errno), _) => return Err(failed(errno)),
    };
    let identity = identity(&source)?;
    let file = (source == path).then_some(path);
    let source = MountSource::Bind { path: source, recursive: false, idmapped: false };
    Ok(Made { mount: mount(target, source, Create::File, false), fd: None, identity, file })
}

fn open_directory(path: &Path) -> Result<OwnedFd, Error> {
    var::directory(path, 0o711)?;
    open(path, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::Path { doing: "open", path: path.to_owned(), source: errno.into() })
}

/// The host's ids for the owner that the node has inside.
fn owner_of(owner: &Owner, device: &str, node: &Node) -> Result<(Uid, Gid), Error> {
    let (uid, gid) = match &owner.idmap {
        None => (Some(node.uid), Some(node.gid)),
        Some(map) => (map.host_uid(node.uid), map.host_gid(node.gid)),
    };
    match (uid, gid) {
        (Some(uid), Some(gid)) => Ok((Uid::from_raw(uid), Gid::from_raw(gid))),
        _ => Err(Error::UnmappedOwner { device: device.to_owned(), uid: node.uid, gid: node.gid }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

    fn node() -> Node {
        Node { kind: NodeKind::Char, major: 1, minor: 5, uid: 7, gid: 8, mode: 0o640, host: None }
    }

    #[tokio::test]
    async fn a_node_belongs_to_whom_it_belongs_inside() {
        if !rustix::process::geteuid().is_root() {
            eprintln!("SKIP a_node_belongs_to_whom_it_belongs_inside: needs root");
            return;
        }
        let temp = tempfile::tempdir().unwrap();
        let idmap = Some(IdMap::contiguous(100_000, 1000));
        let owner = Owner { directory: temp.path().join("c1"), idmap };
        let part = Part { target: "dev/a/zero".to_owned(), source: Source::Node(node()) };
        let made = make(&owner, "z", &part).await.unwrap();
        let path = owner.directory.join("unix.z.dev-a-zero");
        assert_eq!(made.file.as_ref(), Some(&path));
        let metadata = std::fs::metadata(&path).unwrap();
        assert!(metadata.file_type().is_char_device());
        assert_eq!((metadata.uid(), metadata.gid()), (100_007, 100_008));
        assert_eq!(metadata.permissions().mode() & 0o7777, 0o640);
        assert_eq!((metadata.rdev(), made.identity.ino), (makedev(1, 5), metadata.ino()));
        let outside = Node { uid: 5000, ..node() };
        let part = Part { source: Source::Node(outside), ..part };
        let said = make(&owner, "z", &part).await.err().unwrap().to_string();
        assert!(said.contains("5000"), "{said}");
    }
}
