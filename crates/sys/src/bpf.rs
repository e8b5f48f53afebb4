//! `bpf(2)`: programs that decide which devices a control group may use.

use crate::errno;
use rustix::io::Result;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// One instruction, the kernel's `struct bpf_insn`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Instruction {
    /// What is done.
    pub code: u8,
    /// The lower half is the destination register, the upper half the source.
    pub registers: u8,
    /// Distance of a jump in instructions, or offset of a load in bytes.
    pub offset: i16,
    /// A number.
    pub immediate: i32,
}

const PROG_LOAD: libc::c_int = 5;
const PROG_ATTACH: libc::c_int = 8;
const PROG_GET_FD_BY_ID: libc::c_int = 13;
const PROG_QUERY: libc::c_int = 16;
const PROG_TYPE_CGROUP_DEVICE: u32 = 15;
const ATTACH_CGROUP_DEVICE: u32 = 6;
const ALLOW_MULTI: u32 = 2;
const REPLACE: u32 = 4;
/// More programs than this on one group are not looked for.
const MOST: usize = 64;

#[repr(C)]
#[derive(Default)]
struct Load {
    prog_type: u32,
    insn_cnt: u32,
    insns: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log_buf: u64,
    kern_version: u32,
    prog_flags: u32,
    prog_name: [u8; 16],
}

#[repr(C)]
struct Attach {
    target_fd: u32,
    attach_bpf_fd: u32,
    attach_type: u32,
    attach_flags: u32,
    replace_bpf_fd: u32,
}

#[repr(C)]
struct GetFd {
    prog_id: u32,
    next_id: u32,
    open_flags: u32,
}

#[repr(C)]
struct Query {
    target_fd: u32,
    attach_type: u32,
    query_flags: u32,
    attach_flags: u32,
    prog_ids: u64,
    prog_cnt: u32,
    padding: u32,
}

/// The call itself.
///
/// # Safety
/// `attributes` must be what the kernel expects for `command`, and what they point at must live.
unsafe fn bpf<T>(command: libc::c_int, attributes: &mut T) -> Result<libc::c_long> {
    // SAFETY: the size is that of the value behind the pointer; the rest is the caller's promise.
    errno(unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<T>()) })
}

/// # Safety
/// As for [`bpf`], and the command returns a descriptor.
unsafe fn bpf_fd<T>(command: libc::c_int, attributes: &mut T) -> Result<OwnedFd> {
    // SAFETY: the caller's promise.
    let fd = unsafe { bpf(command, attributes) }?;
    let fd = RawFd::try_from(fd).map_err(|_| rustix::io::Errno::OVERFLOW)?;
    // SAFETY: the kernel has just made it, and nothing else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn number(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().unsigned_abs()
}

/// Load a program that filters the use of devices. `name`: at most 15 letters, digits and `_`.
///
/// # Errors
/// `EPERM` without `CAP_BPF`; `EINVAL` when the kernel does not accept the program.
pub fn load_device_filter(program: &[Instruction], name: &str) -> Result<OwnedFd> {
    let mut load = Load {
        prog_type: PROG_TYPE_CGROUP_DEVICE,
        insn_cnt: u32::try_from(program.len()).map_err(|_| rustix::io::Errno::TOOBIG)?,
        insns: program.as_ptr() as u64,
        license: c"Apache-2.0".as_ptr() as u64,
        ..Load::default()
    };
    for (to, from) in load.prog_name.iter_mut().take(15).zip(name.bytes()) {
        *to = from;
    }
    // SAFETY: the instructions and the license live through the call and have the length that is
    // given; the structure is the start of the kernel's.
    unsafe { bpf_fd(PROG_LOAD, &mut load) }
}

/// Put a program on a control group of version 2 (its directory), beside those that are there or
/// instead of one of them.
///
/// # Errors
/// `EINVAL` when the kernel has no such programs; `ENOENT` when `replaced` is not there.
pub fn attach_device_filter(
    cgroup: BorrowedFd<'_>,
    program: BorrowedFd<'_>,
    replaced: Option<BorrowedFd<'_>>,
) -> Result<()> {
    let mut attach = Attach {
        target_fd: number(cgroup),
        attach_bpf_fd: number(program),
        attach_type: ATTACH_CGROUP_DEVICE,
        attach_flags: if replaced.is_some() { ALLOW_MULTI | REPLACE } else { ALLOW_MULTI },
        replace_bpf_fd: replaced.map_or(0, number),
    };
    // SAFETY: only numbers are passed.
    unsafe { bpf(PROG_ATTACH, &mut attach) }.map(drop)
}

/// The programs that filter devices on a control group itself, without those above it.
///
/// # Errors
/// `EINVAL` when the kernel has no such programs; `EPERM`.
pub fn device_filters(cgroup: BorrowedFd<'_>) -> Result<Vec<OwnedFd>> {
    let mut ids = [0_u32; MOST];
    let mut query = Query {
        target_fd: number(cgroup),
        attach_type: ATTACH_CGROUP_DEVICE,
        query_flags: 0,
        attach_flags: 0,
        prog_ids: ids.as_mut_ptr() as u64,
        prog_cnt: MOST as u32,
        padding: 0,
    };
    // SAFETY: the array lives through the call and has room for as many numbers as are given.
    unsafe { bpf(PROG_QUERY, &mut query) }?;
    ids.iter()
        .take(query.prog_cnt as usize)
        .map(|id| {
            let mut get = GetFd { prog_id: *id, next_id: 0, open_flags: 0 };
            // SAFETY: only numbers are passed.
            unsafe { bpf_fd(PROG_GET_FD_BY_ID, &mut get) }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn what_is_no_program_is_refused() {
        let root = std::fs::File::open("/").unwrap();
        assert!(load_device_filter(&[], "empty").is_err());
        assert!(device_filters(root.as_fd()).is_err());
        assert!(attach_device_filter(root.as_fd(), root.as_fd(), None).is_err());
    }
}
