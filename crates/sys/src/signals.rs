//! `rt_sigprocmask(2)` and `rt_sigaction(2)`: a clean slate for programs that are executed.

use crate::errno;
use rustix::io::Result;

/// Bytes of the kernel's signal set.
const SET_SIZE: usize = 8;

fn mask(how: i32, set: u64) -> Result<u64> {
    let mut old: u64 = 0;
    // SAFETY: both sets are eight bytes, as the size says, and live through the call.
    errno(unsafe { libc::syscall(libc::SYS_rt_sigprocmask, how, &raw const set, &raw mut old, SET_SIZE) })?;
    Ok(old)
}

/// The calling thread's blocked signals; bit 0 is signal 1.
///
/// # Errors
/// None that can happen.
pub fn blocked() -> Result<u64> {
    mask(libc::SIG_BLOCK, 0)
}

/// While it lives, every signal that can be blocked is blocked in the calling thread.
pub(crate) struct BlockAll {
    before: u64,
}

impl BlockAll {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { before: mask(libc::SIG_BLOCK, u64::MAX)? })
    }
}

impl Drop for BlockAll {
    fn drop(&mut self) {
        // The set came from the kernel; there is nothing to do if it is refused.
        let _ = mask(libc::SIG_SETMASK, self.before);
    }
}

/// The kernel's `struct sigaction` of the 64-bit architectures: handler, flags, restorer, mask.
/// All zero is the default action; architectures without a restorer take less.
#[repr(C)]
struct KernelAction([u64; 4]);

/// Give every signal its default action and block none.
///
/// For a child before it executes a program: ignored signals (Rust ignores `SIGPIPE`) and the
/// blocked set would be inherited by the program.
///
/// # Errors
/// None that can happen.
pub fn reset() -> Result<()> {
    let default = KernelAction([0; 4]);
    for signal in 1..=64 {
        if signal == libc::SIGKILL || signal == libc::SIGSTOP {
            continue;
        }
        // SAFETY: the action is larger than the kernel's, all zero, and lives through the call.
        errno(unsafe {
            libc::syscall(
                libc::SYS_rt_sigaction,
                signal,
                &raw const default,
                std::ptr::null_mut::<KernelAction>(),
                SET_SIZE,
            )
        })?;
    }
    mask(libc::SIG_SETMASK, 0).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    #[test]
    fn nothing_is_ignored_nor_blocked_after_reset() {
        let child = clone3(Namespaces::NONE, None, || {
            if reset().is_err() {
                return 1;
            }
            let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
            let zero = |key: &str| {
                status
                    .lines()
                    .any(|line| line.strip_prefix(key).is_some_and(|v| v.trim() == "0000000000000000"))
            };
            if zero("SigBlk:") && zero("SigIgn:") && zero("SigCgt:") { 0 } else { 2 }
        })
        .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(0)));
    }
}
