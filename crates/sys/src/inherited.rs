//! Descriptors that came through `execve(2)`, known by their numbers.

use rustix::io::{Errno, FdFlags, Result, fcntl_getfd, fcntl_setfd};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Lets a descriptor through the next `execve`; the result is its number.
///
/// # Errors
/// Those of `fcntl(2)`.
pub fn pass(fd: impl AsFd) -> Result<RawFd> {
    fcntl_setfd(&fd, FdFlags::empty())?;
    Ok(fd.as_fd().as_raw_fd())
}

/// Undoes [`pass`], when nothing was executed after all.
///
/// # Errors
/// Those of `fcntl(2)`.
pub fn keep(fd: impl AsFd) -> Result<()> {
    fcntl_setfd(&fd, FdFlags::CLOEXEC)
}

/// Takes ownership of a descriptor that the program before this one passed. Everything that Rust
/// opens is close-on-exec, and so is what was taken: hence each can be taken only once, and none
/// that has an owner already.
///
/// # Errors
/// `EBADF` for a number that is not open, is a standard stream, or was not passed.
pub fn take(number: RawFd) -> Result<OwnedFd> {
    if number < 3 {
        return Err(Errno::BADF);
    }
    // SAFETY: used for fcntl alone, which says EBADF if it is not open.
    let fd = unsafe { BorrowedFd::borrow_raw(number) };
    if fcntl_getfd(fd)?.contains(FdFlags::CLOEXEC) {
        return Err(Errno::BADF);
    }
    fcntl_setfd(fd, FdFlags::CLOEXEC)?;
    // SAFETY: it is open and was not close-on-exec until now, so nothing here owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::IntoRawFd;

    #[test]
    fn what_was_passed_is_taken_once() {
        let file = std::fs::File::open("/").unwrap();
        assert_eq!(take(file.as_raw_fd()).unwrap_err(), Errno::BADF);
        let number = pass(&file).unwrap();
        assert_eq!(number, file.into_raw_fd());
        let taken = take(number).unwrap();
        assert_eq!(take(number).unwrap_err(), Errno::BADF);
        drop(taken);
        assert_eq!(take(number).unwrap_err(), Errno::BADF);
        assert_eq!(take(1).unwrap_err(), Errno::BADF);
    }
}
