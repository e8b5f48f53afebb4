//! Removes a tree, whatever a container has put there.

use super::TreeError;
use super::directory::{Position, list, open_child, open_root};
use super::workers::{self, Jobs};
use rustix::fs::{
    AtFlags, FileType, IFlags, Mode, OFlags, ioctl_getflags, ioctl_setflags, openat, renameat, unlinkat,
};
use rustix::io::Errno;
use std::ffi::{CStr, CString};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Directories deeper than this are moved up to the top first, so that no depth can exhaust
/// descriptors, and no path length matters.
const FLATTEN_BELOW: usize = 48;

/// Removes a directory and everything in it. One that is not there is fine.
///
/// # Errors
/// [`TreeError`]; part of the tree may be gone then. [`TreeError::MountPoint`]: nothing behind a
/// mount is touched.
pub fn remove_tree(path: &Path) -> Result<(), TreeError> {
    let io = |step| move |errno| TreeError::io(step, path.to_owned(), errno);
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io("remove")(Errno::INVAL));
    };
    let name =
        CString::new(std::os::unix::ffi::OsStrExt::as_bytes(name)).map_err(|_| io("remove")(Errno::INVAL))?;
    let parent_fd = match open_root(parent) {
        Ok(fd) => fd,
        Err(TreeError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let Some(root) = open_child(parent_fd.as_fd(), &name, &Position::root(parent))? else { return Ok(()) };
    let removal = Removal {
        top: reopen(&root).map_err(io("open"))?,
        moved: AtomicU64::new(0),
        failed: Mutex::new(None),
    };
    let root = Arc::new(Directory {
        fd: root,
        position: Position::root(path),
        parent: None,
        name: name.clone(),
        removal: &removal,
    });
    workers::run(Job::Open(root), |job, jobs| removal.job(job, jobs))?;
    if let Some(error) = removal.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(error);
    }
    remove_name(parent_fd.as_fd(), &name, AtFlags::REMOVEDIR).map_err(io("remove"))
}

struct Removal {
    /// The tree's own directory.
    top: OwnedFd,
    /// Names for directories that are moved there.
    moved: AtomicU64,
    /// The first directory that could not be removed after it was emptied.
    failed: Mutex<Option<TreeError>>,
}

/// A directory that is being emptied. Whoever lets go of it last removes it: that is after
/// everything in it has been removed.
struct Directory<'a> {
    fd: OwnedFd,
    position: Arc<Position>,
    parent: Option<Arc<Directory<'a>>>,
    name: CString,
    removal: &'a Removal,
}

impl Drop for Directory<'_> {
    fn drop(&mut self) {
        let Some(parent) = &self.parent else { return };
        match remove_name(parent.fd.as_fd(), &self.name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => {
                let mut failed = self.removal.failed.lock().unwrap_or_else(PoisonError::into_inner);
                failed.get_or_insert_with(|| self.position.own_error("remove", errno));
            }
        }
    }
}

enum Job<'a> {
    Open(Arc<Directory<'a>>),
    Below(Arc<Directory<'a>>, CString),
}

impl Removal {
    fn job<'a>(&'a self, job: Job<'a>, jobs: &Jobs<Job<'a>, TreeError>) -> Result<(), TreeError> {
        let directory = match job {
            Job::Open(directory) => directory,
            Job::Below(parent, name) => {
                let Some(fd) = open_child(parent.fd.as_fd(), &name, &parent.position)? else { return Ok(()) };
                let position = parent.position.child(&name)?;
                Arc::new(Directory { fd, position, parent: Some(parent), name, removal: self })
            }
        };
        for (name, kind) in list(&directory.fd, &directory.position)? {
            if kind == FileType::Directory {
                self.below(&directory, name, jobs)?;
                continue;
            }
            match remove_name(directory.fd.as_fd(), &name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(errno) => return Err(directory.position.error("remove", &name, errno)),
            }
        }
        Ok(())
    }

    fn below<'a>(
        &'a self,
        directory: &Arc<Directory<'a>>,
        name: CString,
        jobs: &Jobs<Job<'a>, TreeError>,
    ) -> Result<(), TreeError> {
        if directory.position.depth() < FLATTEN_BELOW {
            jobs.add(Job::Below(directory.clone(), name));
            return Ok(());
        }
        let mut top = directory;
        while let Some(parent) = &top.parent {
            top = parent;
        }
        let number = self.moved.fetch_add(1, Ordering::Relaxed);
        let moved = CString::new(format!(".deep-{}-{number}", std::process::id())).unwrap_or_default();
        match renameat(&directory.fd, name.as_c_str(), &self.top, moved.as_c_str()) {
            Ok(()) => jobs.add(Job::Below(top.clone(), moved)),
            // A name of ours is taken, or it cannot be moved: then it is removed where it is.
            Err(_) => jobs.add(Job::Below(directory.clone(), name)),
        }
        Ok(())
    }
}

/// Removes a name. What was made immutable or append-only, in a privileged container, is made
/// ordinary first.
fn remove_name(directory: BorrowedFd<'_>, name: &CStr, flags: AtFlags) -> Result<(), Errno> {
    match unlinkat(directory, name, flags) {
        Err(Errno::PERM) => {
            make_ordinary(directory, c".");
            make_ordinary(directory, name);
            unlinkat(directory, name, flags)
        }
        result => result,
    }
}

fn make_ordinary(directory: BorrowedFd<'_>, name: &CStr) {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    // If this does not work, the removal says why.
    if let Ok(file) = openat(directory, name, flags, Mode::empty())
        && let Ok(attributes) = ioctl_getflags(&file)
        && attributes.intersects(IFlags::IMMUTABLE | IFlags::APPEND)
    {
        let _ = ioctl_setflags(&file, attributes - (IFlags::IMMUTABLE | IFlags::APPEND));
    }
}

fn reopen(directory: &OwnedFd) -> Result<OwnedFd, Errno> {
    directory.try_clone().map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::MFILE))
}
