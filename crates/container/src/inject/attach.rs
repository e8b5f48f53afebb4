//! Something is mounted in a running container.

use super::{Door, identify, root, settle, tell};
use crate::Error;
use crate::enter::Child;
use crate::fault::{At, Fault};
use crate::place::{Links, Place, attach as attach_to};
use crate::start::staged_copy;
use crate::tree::Tree;
use model::runtime::mounting::Mounted;
use model::runtime::spec::{Create, Mount, MountSource};
use rustix::io::Errno;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use sys::clone3::{Namespaces, clone3};
use sys::mount_setattr::Change;

/// What is to be mounted, where, and how.
struct Job<'a> {
    door: Door<'a>,
    source: Source<'a>,
    place: Place,
    create: Option<Create>,
    read_only: bool,
    idmapped: bool,
    open: String,
    mount: String,
}

enum Source<'a> {
    Host { path: &'a Path, recursive: bool },
    Given(OwnedFd),
}

/// Mount something in the container whose init is `pid` (which `pidfd` refers to). `given` is the
/// mount if the source says so. What comes of it is sent on `answer`, a
/// [`MountResult`](model::runtime::mounting::MountResult).
///
/// # Errors
/// The request makes no sense, or there is no process for it.
pub fn attach(
    pid: i32,
    pidfd: BorrowedFd<'_>,
    mount: &Mount,
    given: Option<OwnedFd>,
    answer: &OwnedFd,
) -> Result<Child, Error> {
    let target = mount.target.trim_start_matches('/');
    let step = format!("mount /{target}");
    let refused = |reason: &str| Error::refused(step.clone(), reason);
    let place = Place::new(target, Links::Inside).map_err(|error| refused(&error.to_string()))?;
    let (source, idmapped, open) = match (&mount.source, given) {
        (MountSource::Bind { path, recursive, idmapped }, None) => {
            let source = Source::Host { path, recursive: *recursive };
            (source, *idmapped, format!("open {}", path.display()))
        }
        (MountSource::Given { idmapped }, Some(fd)) => (Source::Given(fd), *idmapped, step.clone()),
        (MountSource::Given { .. }, None) => return Err(refused("no mount came with the request")),
        _ => return Err(refused("this source can be mounted at start only")),
    };
    let door = Door::of(pid, pidfd)?;
    let Mount { create, read_only, .. } = *mount;
    let job = Job { door, source, place, create, read_only, idmapped, open, mount: step };
    let child = clone3(Namespaces::NONE, None, || {
        let result = job.run(answer).map_err(Error::from);
        tell(answer, result)
    });
    child.map(Child::from).map_err(|errno| Error::system("clone a process", errno))
}

impl Job<'_> {
    fn run(&self, answer: &OwnedFd) -> Result<Mounted, Fault<'_>> {
        let given = match &self.source {
            Source::Given(fd) => fd.as_fd(),
            Source::Host { .. } => answer.as_fd(),
        };
        let userns = self.door.userns.as_ref().map_or(answer.as_fd(), AsFd::as_fd);
        settle(&[answer.as_fd(), given, userns, self.door.pidfd])?;
        let tree = match &self.source {
            Source::Host { path, recursive } => Tree::of(path, *recursive).at(&self.open)?,
            Source::Given(fd) => Tree::given(fd.try_clone().map_err(|_| Errno::MFILE).at(&self.open)?),
        };
        let (tree, descended) = self.change(tree)?;
        self.door.enter(descended)?;
        let (target, made) = self.target()?;
        let (identity, _) = identify(tree.as_fd()).at(&self.mount)?;
        attach_to(tree.as_fd(), target.as_fd()).at(&self.mount)?;
        Ok(Mounted { identity, made })
    }

    /// Cut loose from the host, with mapped ids, read-only. True: that led into the container's user
    /// namespace.
    fn change(&self, tree: Tree) -> Result<(Tree, bool), Fault<'_>> {
        let userns = self.door.userns.as_ref().map(AsFd::as_fd);
        let idmap = if self.idmapped { userns } else { None };
        let change = Change { read_only: self.read_only, idmap, ..Change::default() };
        let step = if idmap.is_some() { "map the ids of the source" } else { &self.mount };
        tree.change(change).at(step)?;
        match userns {
            Some(userns) if self.read_only => {
                // The kernel locks the flags of what a less privileged mount namespace got as a copy
                // of another, and of none that is put into it later.
                staged_copy(&tree, || move_into_link_name_space(userns, Some(LinkNameSpaceType::User)))
                    .map(|copy| (copy, true))
                    .at(&self.mount)
            }
            _ => Ok((tree, false)),
        }
    }

    /// Where it goes, and whether that had to be made.
    fn target(&self) -> Result<(OwnedFd, bool), Fault<'_>> {
        let root = root().at("open the container's root")?;
        match (self.place.open(root.as_fd()), self.create) {
            (Ok(target), _) => Ok((target, false)),
            (Err(Errno::NOENT), Some(what)) => {
                let target = self.place.open_or_make(root.as_fd(), what);
                target.map(|target| (target, true)).at(&self.mount)
            }
            (Err(errno), _) => Err(Fault { step: &self.mount, errno }),
        }
    }
}
