//! `close_range(2)`: a child starts with the descriptors that were meant for it.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

fn range(first: u32, last: u32) -> Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: no memory is involved. Whoever owns the descriptors in this process must never use
    // them again, which the documentation of the caller demands.
    errno(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

/// Close every descriptor from 3 on, except those in `keep`.
///
/// For a cloned child alone, which leaves by executing a program or by `_exit`: the objects that
/// own the descriptors are still there and must not be dropped.
///
/// # Errors
/// `ENOSYS` before Linux 5.9.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) -> Result<()> {
    let mut first = 3;
    // The next one to keep is searched each time, because a child has no memory to sort in.
    while let Some(next) = keep.iter().map(|fd| fd.as_raw_fd().unsigned_abs()).filter(|fd| *fd >= first).min()
    {
        range(first, next - 1)?;
        first = next + 1;
    }
    range(first, u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    #[test]
    fn only_the_kept_ones_stay() {
        let files: Vec<_> = (0..9).map(|_| std::fs::File::open("/").unwrap()).collect();
        let child = clone3(Namespaces::NONE, None, || {
            let keep = [files[5].as_fd(), files[2].as_fd()];
            if close_all_but(&keep).is_err() {
                return 1;
            }
            let open = |fd: &std::fs::File| rustix::io::fcntl_getfd(fd).is_ok();
            let right = files.iter().enumerate().all(|(n, fd)| open(fd) == (n == 2 || n == 5));
            if right { 0 } else { 2 }
        })
        .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(0)));
    }
}
