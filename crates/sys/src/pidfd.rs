//! `pidfd_send_signal(2)` for any signal, and the `PIDFD_GET_INFO` ioctl of `pidfd_open(2)`.

use crate::errno;
use crate::waitid::Ended;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Send a signal by number, real-time signals included. 0 only asks whether the process is there.
///
/// # Errors
/// `ESRCH` when it has ended, `EINVAL` for a number that is no signal.
pub fn send_signal(pidfd: BorrowedFd<'_>, signal: i32) -> Result<()> {
    // SAFETY: no pointer is passed but the null siginfo that the call allows.
    errno(unsafe {
        libc::syscall(
            libc::SYS_pidfd_send_signal,
            pidfd.as_raw_fd(),
            signal,
            std::ptr::null::<libc::siginfo_t>(),
            0,
        )
    })
    .map(drop)
}

/// The kernel's `struct pidfd_info` as of its first version, 64 bytes.
#[repr(C)]
#[derive(Default)]
struct PidfdInfo {
    mask: u64,
    cgroupid: u64,
    ids: [u32; 11],
    exit_code: i32,
}

const INFO_EXIT: u64 = 1 << 3;
/// `_IOWR(0xff, 11, struct pidfd_info)`.
const PIDFD_GET_INFO: libc::c_ulong =
    (3 << 30) | ((size_of::<PidfdInfo>() as libc::c_ulong) << 16) | (0xff << 8) | 11;

/// How a process ended that was reaped already, or is somebody else's child. `None`: it has not
/// been reaped yet, or the kernel does not keep it (before 6.15).
///
/// # Errors
/// `ENOTTY`, `EINVAL` or `ESRCH` on kernels that do not know the call.
pub fn exit_info(pidfd: BorrowedFd<'_>) -> Result<Option<Ended>> {
    let mut info = PidfdInfo { mask: INFO_EXIT, ..PidfdInfo::default() };
    // SAFETY: the number says 64 bytes, which is what the pointer refers to.
    errno(libc::c_long::from(unsafe { libc::ioctl(pidfd.as_raw_fd(), PIDFD_GET_INFO as _, &raw mut info) }))?;
    if info.mask & INFO_EXIT == 0 {
        return Ok(None);
    }
    // The format is that of wait(2).
    let status = info.exit_code;
    Ok(Some(match status & 0x7f {
        0 => Ended::Code((status >> 8) & 0xff),
        signal => Ended::Signal(signal),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::wait;
    use rustix::io::Errno;
    use std::os::fd::AsFd;

    #[test]
    fn real_time_signals_and_the_end_afterwards() {
        let child = clone3(Namespaces::NONE, None, || {
            if crate::signals::reset().is_err() {
                return 1;
            }
            loop {
                rustix::event::pause();
            }
        })
        .unwrap();
        let pidfd = child.pidfd.as_fd();
        assert_eq!(send_signal(pidfd, 99), Err(Errno::INVAL));
        send_signal(pidfd, 37).unwrap();
        assert_eq!(wait(pidfd), Ok(Ended::Signal(37)));
        assert_eq!(send_signal(pidfd, 0), Err(Errno::SRCH));
        match exit_info(pidfd) {
            Ok(told) => assert_eq!(told, Some(Ended::Signal(37))),
            Err(error) => eprintln!("SKIP real_time_signals_and_the_end_afterwards: {error}"),
        }
    }
}
