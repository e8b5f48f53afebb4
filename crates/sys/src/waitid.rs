//! `waitid(2)` on a pidfd: how a child ended.

use rustix::io::{Errno, Result};
use rustix::process::{WaitId, WaitIdOptions, waitid};
use std::os::fd::BorrowedFd;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It returned this exit code.
    Code(i32),
    /// This signal killed it.
    Signal(i32),
}

impl Ended {
    /// As a shell gives it: the code, or 128 and the signal's number.
    #[must_use]
    pub fn shell_status(self) -> i32 {
        match self {
            Self::Code(code) => code,
            Self::Signal(signal) => 128 + signal,
        }
    }
}

fn once(pidfd: BorrowedFd<'_>, options: WaitIdOptions) -> Result<Option<Ended>> {
    loop {
        match waitid(WaitId::PidFd(pidfd), options | WaitIdOptions::EXITED) {
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
            Ok(None) => return Ok(None),
            Ok(Some(status)) => {
                return match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => Ok(Some(Ended::Code(code))),
                    (None, Some(signal)) => Ok(Some(Ended::Signal(signal))),
                    (None, None) => Err(Errno::IO),
                };
            }
        }
    }
}

/// Wait until a child has ended, and reap it.
///
/// # Errors
/// `ECHILD` when it is not a child of the caller or was reaped already.
pub fn wait(pidfd: BorrowedFd<'_>) -> Result<Ended> {
    once(pidfd, WaitIdOptions::empty())?.ok_or(Errno::IO)
}

/// Reap a child if it has ended; `None`: it still runs.
///
/// # Errors
/// As for [`wait`].
pub fn try_wait(pidfd: BorrowedFd<'_>) -> Result<Option<Ended>> {
    once(pidfd, WaitIdOptions::NOHANG)
}

/// How a child ended, leaving it to be reaped; `None`: it still runs.
///
/// # Errors
/// As for [`wait`].
pub fn peek(pidfd: BorrowedFd<'_>) -> Result<Option<Ended>> {
    once(pidfd, WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::pidfd::send_signal;
    use std::os::fd::AsFd;

    #[test]
    fn running_then_killed_then_gone() {
        let child = clone3(Namespaces::NONE, None, || {
            loop {
                rustix::event::pause();
            }
        })
        .unwrap();
        let pidfd = child.pidfd.as_fd();
        assert_eq!(try_wait(pidfd), Ok(None));
        send_signal(pidfd, libc::SIGKILL).unwrap();
        let mut poll = [rustix::event::PollFd::new(&pidfd, rustix::event::PollFlags::IN)];
        rustix::event::poll(&mut poll, None).unwrap();
        assert_eq!(peek(pidfd), Ok(Some(Ended::Signal(9))));
        assert_eq!(wait(pidfd), Ok(Ended::Signal(9)));
        assert_eq!(wait(pidfd), Err(Errno::CHILD));
        assert_eq!(Ended::Signal(9).shell_status(), 137);
    }
}
