//! Into a container that runs.

use super::{Child, settle};
use crate::fault::{At, Fault};
use crate::report::{self, Heard};
use crate::{Error, entry, idmap};
use rustix::thread::{ThreadNameSpaceType, move_into_thread_name_spaces};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use sys::clone3::{Namespaces, clone3};

/// Run `child` in a process that sits in the user and mount namespaces of the container whose init
/// is `pid` (which `pidfd` refers to), as its root, with `/` as working directory. It has no
/// descriptors but 0, 1 and 2 (`/dev/null`) and `keep`; its exit code is what `child` returns.
///
/// # Errors
/// The step that failed; nothing is left then.
pub fn running<F: FnOnce(OwnedFd) -> i32>(
    pid: i32,
    pidfd: BorrowedFd<'_>,
    keep: OwnedFd,
    child: F,
) -> Result<Child, Error> {
    const STEP: &str = "look at the container's namespaces";
    let inode =
        |path: String| std::fs::metadata(path).map(|m| m.ino()).map_err(|e| Error::input_output(STEP, &e));
    let mut namespaces = ThreadNameSpaceType::MOUNT;
    if inode(format!("/proc/{pid}/ns/user"))? != inode("/proc/self/ns/user".to_owned())? {
        namespaces |= ThreadNameSpaceType::USER;
    }
    let null = null()?;
    let (line, childs) = report::line()?;
    let mut keep = Some(keep);
    let cloned = clone3(Namespaces::NONE, None, || {
        let inside = || -> Result<(), Fault<'_>> {
            let kept = keep.as_ref().map_or(null.as_fd(), AsFd::as_fd);
            sys::close_range::close_all_but(&[kept, childs.as_fd(), pidfd, null.as_fd()])
                .at("close descriptors")?;
            entry::hide()?;
            entry::streams([null.as_fd(); 3])?;
            move_into_thread_name_spaces(pidfd, namespaces).at("enter the namespaces")?;
            settle()?;
            sys::close_range::close_all_but(&[kept, childs.as_fd()]).at("close descriptors")
        };
        finish(&childs, inside(), keep.take(), child)
    })
    .map_err(|errno| Error::system("clone a process", errno))?;
    drop(childs);
    settled(&line, cloned)
}

/// The null device, numbered above the standard streams.
pub(super) fn null() -> Result<OwnedFd, Error> {
    std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")
        .map(OwnedFd::from)
        .map_err(|error| Error::input_output("open /dev/null", &error))
}

/// The child: say how it went, then run the caller's function.
pub(super) fn finish<F: FnOnce(OwnedFd) -> i32>(
    line: &OwnedFd,
    entered: Result<(), Fault<'_>>,
    keep: Option<OwnedFd>,
    child: F,
) -> i32 {
    const FAILED: i32 = 126;
    match (entered, keep) {
        (Ok(()), Some(keep)) => {
            report::executing(line.as_fd());
            // The line itself ends with the process: nothing is executed here that would close it.
            child(keep)
        }
        (Err(fault), _) => {
            report::fault(line.as_fd(), &fault);
            FAILED
        }
        (Ok(()), None) => FAILED,
    }
}

/// The parent: wait for what the child says.
pub(super) fn settled(line: &OwnedFd, child: sys::clone3::Child) -> Result<Child, Error> {
    match report::hear(line) {
        Ok(Heard::Executing) => Ok(child.into()),
        other => {
            idmap::reap(&child);
            match other {
                Ok(Heard::Fault(error)) | Err(error) => Err(error),
                Ok(_) => Err(Error::refused("enter the container", "the process ended too early")),
            }
        }
    }
}
