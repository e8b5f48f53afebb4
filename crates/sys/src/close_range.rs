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

/// Close every descriptor from 3 on, except those in `keep` (at most eight of them).
///
/// For a cloned child alone, which leaves by executing a program or by `_exit`: the objects that
/// own the descriptors are still there and must not be dropped.
///
/// # Errors
/// `ENOSYS` before Linux 5.9; `EINVAL` when there are too many to keep.
pub fn close_all_but(keep: &[BorrowedFd<'_>]) -> Result<()> {
    let mut numbers = [u32::MAX; 8];
    if keep.len() > numbers.len() {
        return Err(rustix::io::Errno::INVAL);
    }
    for (slot, fd) in numbers.iter_mut().zip(keep) {
        *slot = fd.as_raw_fd().unsigned_abs();
    }
    numbers.sort_unstable();
    let mut first = 3;
    for number in numbers {
        if number < 3 {
            continue;
        }
        if number == u32::MAX {
            break;
        }
        range(first, number - 1)?;
        first = number + 1;
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
