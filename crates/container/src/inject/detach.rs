//! Something that was mounted in a running container is taken away.

use super::{Door, identify, root, settle, tell};
use crate::Error;
use crate::enter::Child;
use crate::fault::{At, Fault};
use crate::place::{Links, Place};
use model::runtime::mounting::{MountIdentity, Unmounted};
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, openat, statat, unlinkat};
use rustix::io::Errno;
use rustix::mount::{UnmountFlags, unmount};
use rustix::process::fchdir;
use std::ffi::CString;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use sys::clone3::{Namespaces, clone3};

/// Which mount is meant.
#[derive(Clone, Copy, Debug)]
pub struct Mark<'a> {
    /// Where, relative to the root.
    pub target: &'a str,
    /// What must be found there.
    pub identity: MountIdentity,
    /// Remove the mount point if it is an empty file or directory.
    pub remove: bool,
}

/// Take a mount out of the container whose init is `pid` (which `pidfd` refers to), if it is the
/// one that is meant; who uses it goes on using it. What comes of it is sent on `answer`, an
/// [`UnmountResult`](model::runtime::mounting::UnmountResult).
///
/// # Errors
/// The request makes no sense, or there is no process for it.
pub fn detach(pid: i32, pidfd: BorrowedFd<'_>, mark: Mark<'_>, answer: &OwnedFd) -> Result<Child, Error> {
    let target = mark.target.trim_start_matches('/');
    let step = format!("unmount /{target}");
    let place =
        Place::new(target, Links::Inside).map_err(|error| Error::refused(step.clone(), error.to_string()))?;
    let door = Door::of(pid, pidfd)?;
    let child = clone3(Namespaces::NONE, None, || {
        let result = run(&door, &place, mark, &step, answer).map_err(Error::from);
        tell(answer, result)
    });
    child.map(Child::from).map_err(|errno| Error::system("clone a process", errno))
}

fn run<'a>(
    door: &Door<'_>,
    place: &Place,
    mark: Mark<'_>,
    step: &'a str,
    answer: &OwnedFd,
) -> Result<Unmounted, Fault<'a>> {
    settle(&[answer.as_fd(), door.pidfd])?;
    // The host's: what the container has mounted there must not be believed.
    let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let descriptors = openat(CWD, c"/proc/self/fd", path, Mode::empty()).at(step)?;
    door.enter(false)?;
    let root = root().at(step)?;
    let target = match place.open(root.as_fd()) {
        Ok(target) => target,
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(Unmounted::Absent),
        Err(errno) => return Err(Fault { step, errno }),
    };
    match identify(target.as_fd()).at(step)? {
        (_, false) => return Ok(Unmounted::Absent),
        (identity, true) if identity != mark.identity => return Ok(Unmounted::Other),
        _ => {}
    }
    // By number, which leads to what was looked at and to nothing else.
    fchdir(&descriptors).at(step)?;
    let number = CString::new(target.as_raw_fd().to_string()).unwrap_or_default();
    unmount(&number, UnmountFlags::DETACH).at(step)?;
    drop(target);
    if mark.remove {
        remove(place, root.as_fd());
    }
    Ok(Unmounted::Done)
}

/// Remove an empty mount point. One that is used for something else meanwhile stays.
fn remove(place: &Place, root: BorrowedFd<'_>) {
    let Ok((parent, name)) = place.parent(root) else { return };
    let Ok(stat) = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) else { return };
    let flags = match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => AtFlags::REMOVEDIR,
        FileType::RegularFile if stat.st_size == 0 => AtFlags::empty(),
        _ => return,
    };
    let _ = unlinkat(&parent, name, flags);
}
