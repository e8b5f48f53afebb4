//! Files of init in `/proc`, such as `oom_score_adj`, written from outside before it is executed.

use crate::Error;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, openat, openat2};

/// Write each value to the file of that name of a process, `proc_pid(5)`.
pub(super) fn apply(pid: i32, files: &[(String, String)]) -> Result<(), Error> {
    for (name, value) in files {
        let failed = |errno| Error::system(format!("set {name} of the first process"), errno);
        let path = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let dir = openat(CWD, format!("/proc/{pid}"), path, Mode::empty()).map_err(failed)?;
        let flags = OFlags::WRONLY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_XDEV;
        let file = openat2(&dir, name.as_str(), flags, Mode::empty(), resolve).map_err(failed)?;
        rustix::io::write(&file, value.as_bytes()).map_err(failed)?;
    }
    Ok(())
}
