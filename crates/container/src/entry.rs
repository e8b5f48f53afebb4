//! What a cloned child does to become a process of a container: groups, ids, rights, descriptors.
//!
//! Runs between clone and exec: nothing here allocates.

use crate::fault::{At, Fault};
use rustix::fs::{CWD, Mode, OFlags, openat};
use rustix::io::{Errno, Result as IoResult};
use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, capability_is_in_bounding_set,
    remove_capability_from_bounding_set, set_capabilities, set_thread_groups, set_thread_res_gid,
    set_thread_res_uid,
};
use rustix::{process::Gid, process::Uid};
use std::ffi::CStr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

/// How many files a program may open unless somebody says otherwise: the soft limit with which the
/// kernel starts the host's own init, below the hard limit that is inherited.
pub(crate) fn usual_files() -> Rlimit {
    const SOFT: u64 = 1024;
    let limit = getrlimit(Resource::Nofile);
    Rlimit { current: Some(limit.maximum.map_or(SOFT, |most| most.min(SOFT))), ..limit }
}

/// Enter a control group of version 1 by its `tasks` file.
pub(crate) fn knock(door: &CStr) -> IoResult<()> {
    let file = openat(CWD, door, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
    rustix::io::write(&file, b"0").map(drop)
}

/// Hide memory and descriptors from every other process until a program is executed.
pub(crate) fn hide<'a>() -> Result<(), Fault<'a>> {
    set_dumpable_behavior(DumpableBehavior::NotDumpable).at("hide the process from tracers")
}

/// Root of the user namespace that the process is in, without supplementary groups.
pub(crate) fn become_root<'a>() -> Result<(), Fault<'a>> {
    become_group(0)?;
    become_user(0)
}

/// One group and no others.
pub(crate) fn become_group<'a>(gid: u32) -> Result<(), Fault<'a>> {
    let gid = Gid::from_raw(gid);
    set_thread_groups(&[]).at("leave supplementary groups")?;
    set_thread_res_gid(gid, gid, gid).at("set the group id")
}

/// A user. Leaving root takes the capabilities away.
pub(crate) fn become_user<'a>(uid: u32) -> Result<(), Fault<'a>> {
    let uid = Uid::from_raw(uid);
    set_thread_res_uid(uid, uid, uid).at("set the user id")
}

/// Take capabilities away from what is executed, for good, and let none be inherited.
///
/// The process itself keeps what it has until then, which it may still need: executing a program as
/// root gives what is in the bounding set, and as anybody else nothing.
pub(crate) fn drop_capabilities<'a>(numbers: &[u32]) -> Result<(), Fault<'a>> {
    const STEP: &str = "drop capabilities";
    for number in numbers {
        let capability = CapabilitySet::from_bits_retain(1_u64.checked_shl(*number).unwrap_or(0));
        // What this kernel does not know nobody has.
        if capability_is_in_bounding_set(capability) == Ok(true) {
            remove_capability_from_bounding_set(capability).at(STEP)?;
        }
    }
    let has = capabilities(None).at(STEP)?;
    let sets = CapabilitySets { inheritable: CapabilitySet::empty(), ..has };
    set_capabilities(None, sets).at(STEP)
}

/// Keep these capabilities alone, in a process of ours that executes nothing.
pub(crate) fn keep_capabilities<'a>(kept: CapabilitySet) -> Result<(), Fault<'a>> {
    const STEP: &str = "drop capabilities";
    let has = capabilities(None).at(STEP)?;
    let sets = CapabilitySets {
        effective: has.permitted & kept,
        permitted: has.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, sets).at(STEP)
}

/// Make these the standard streams.
pub(crate) fn streams<'a>(fds: [BorrowedFd<'_>; 3]) -> Result<(), Fault<'a>> {
    const STEP: &str = "set the standard streams";
    // A stream that has the number of another one would be overwritten before its turn.
    if fds.iter().any(|fd| fd.as_raw_fd() < 3) {
        return Err(Fault { step: STEP, errno: Errno::BADF });
    }
    rustix::stdio::dup2_stdin(fds[0]).at(STEP)?;
    rustix::stdio::dup2_stdout(fds[1]).at(STEP)?;
    rustix::stdio::dup2_stderr(fds[2]).at(STEP)
}

/// The working directory is inside the root: a directory that is not has no path.
pub(crate) fn check_cwd<'a>(step: &'a str) -> Result<(), Fault<'a>> {
    let mut buffer = [0_u8; 4096];
    let path = sys::getcwd::getcwd(&mut buffer).at(step)?;
    if path.first() == Some(&b'/') { Ok(()) } else { Err(Fault { step, errno: Errno::XDEV }) }
}

const CONFINE: &str = "set the AppArmor profile";

/// Where this process says what AppArmor profile the program that it executes gets.
pub(crate) fn label_file<'a>() -> Result<OwnedFd, Fault<'a>> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let proc = openat(CWD, c"/proc", flags, Mode::empty()).at(CONFINE)?;
    label_file_in(proc.as_fd())
}

/// [`label_file`] of a procfs that nobody else has changed.
pub(crate) fn label_file_in<'a>(proc: BorrowedFd<'_>) -> Result<OwnedFd, Fault<'a>> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC;
    openat(proc, c"thread-self/attr/apparmor/exec", flags, Mode::empty())
        .or_else(|_| openat(proc, c"thread-self/attr/exec", flags, Mode::empty()))
        .at(CONFINE)
}

/// Change to an AppArmor profile at exec; `command` is `exec <profile>`.
pub(crate) fn confine<'a>(label: &OwnedFd, command: &[u8]) -> Result<(), Fault<'a>> {
    rustix::io::write(label, command).at(CONFINE).map(drop)
}
