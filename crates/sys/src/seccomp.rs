//! `seccomp(2)`: load a filter program.

use crate::errno;
use rustix::io::{Errno, Result};

/// Bytes of one instruction, `struct sock_filter`.
const INSTRUCTION: usize = 8;
/// Most instructions that the kernel takes, `BPF_MAXINSNS`.
const MOST: usize = 4096;

/// Load a program for the calling thread and everything that it executes. It is an array of
/// `struct sock_filter` in the machine's byte order.
///
/// # Errors
/// `EACCES` without `CAP_SYS_ADMIN` in the user namespace (no_new_privs is left alone); `EINVAL`
/// for a program that is malformed, empty or too long.
pub fn load(program: &[u8]) -> Result<()> {
    let count = program.len() / INSTRUCTION;
    if count == 0 || count > MOST || !program.len().is_multiple_of(INSTRUCTION) {
        return Err(Errno::INVAL);
    }
    let filter = libc::sock_fprog {
        len: u16::try_from(count).map_err(|_| Errno::INVAL)?,
        filter: program.as_ptr().cast_mut().cast(),
    };
    // SAFETY: `filter` describes `count` instructions inside `program`, which the kernel copies
    // byte by byte (so alignment does not matter) and never writes.
    errno(unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const filter) })
        .map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clone3::{Namespaces, clone3};
    use crate::waitid::{Ended, wait};
    use std::os::fd::AsFd;

    fn instruction(code: u16, jt: u8, jf: u8, k: u32) -> [u8; 8] {
        let mut bytes = [0; 8];
        bytes[..2].copy_from_slice(&code.to_ne_bytes());
        bytes[2] = jt;
        bytes[3] = jf;
        bytes[4..].copy_from_slice(&k.to_ne_bytes());
        bytes
    }

    #[test]
    fn a_refused_call_gives_its_error() {
        let program = [
            instruction(0x20, 0, 0, 0),
            instruction(0x15, 0, 1, libc::SYS_mkdir as u32),
            instruction(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | 95),
            instruction(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
        ]
        .concat();
        let child = clone3(Namespaces::USER, None, || {
            if load(&program).is_err() {
                return 1;
            }
            // SAFETY: the path is a C string.
            let made = errno(unsafe { libc::syscall(libc::SYS_mkdir, c"/".as_ptr(), 0) });
            i32::from(made != Err(Errno::OPNOTSUPP)) * 2
        })
        .unwrap();
        assert_eq!(wait(child.pidfd.as_fd()), Ok(Ended::Code(0)));
    }

    #[test]
    fn a_ragged_program_is_refused() {
        assert_eq!(load(&[]), Err(Errno::INVAL));
        assert_eq!(load(&[0; 12]), Err(Errno::INVAL));
    }
}
