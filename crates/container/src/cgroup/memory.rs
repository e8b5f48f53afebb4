//! How much memory a group may use, when it uses more already.

use super::files::{number, read, write, write_if_there};
use super::layout::Version;
use super::{Cgroup, Error};
use rustix::io::Errno;
use std::path::Path;

const LOW: &str = "memory.low";
/// Files whose value bounds what is in use now, and the file that tells what that is.
const BOUNDS: [(&str, &str); 3] = [
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
    ("memory.memsw.limit_in_bytes", "memory.memsw.usage_in_bytes"),
];

impl Cgroup {
    /// How much memory is left to the group when the host runs short, in bytes, as it was written.
    /// `None`: the host has no such thing, which version 1 calls a soft limit.
    #[must_use]
    pub fn protected_memory(&self) -> Option<u64> {
        let (Version::V2, dir) = self.dir_with("memory")? else { return None };
        let text = read(&dir.join(LOW))?;
        if text == "max" { Some(u64::MAX) } else { text.parse().ok() }
    }

    /// Leave this much memory to the group and those below, which share it by what was written for
    /// them.
    ///
    /// # Errors
    /// [`Error::File`].
    pub fn protect_memory(&self, bytes: u64) -> Result<(), Error> {
        match self.dir_with("memory") {
            Some((Version::V2, dir)) => write(&dir.join(LOW), &bytes.to_string()),
            _ => Ok(()),
        }
    }
}

/// Write a limit of memory, after taking back what the group does not need. Where more is needed
/// than allowed this fails, and nothing is killed. False: there is no such file.
pub(super) fn write_limit(dir: &Path, file: &str, value: &str) -> Result<bool, Error> {
    let usage = BOUNDS.iter().find(|(bound, _)| *bound == file).map(|(_, usage)| dir.join(usage));
    let limit = value.parse::<u64>().ok();
    if let (Some(usage), Some(limit)) = (&usage, limit)
        && file == "memory.max"
        && number(usage).is_some_and(|used| used > limit)
    {
        // Version 2 would kill until the rest fits. This bound takes back without killing.
        let high = dir.join("memory.high");
        write(&high, value)?;
        write(&high, "max")?;
        if let Some(used) = number(usage).filter(|used| *used > limit) {
            return Err(Error::MemoryInUse { limit, used });
        }
    }
    match (write_if_there(&dir.join(file), value), usage, limit) {
        (Err(Error::File { source, .. }), Some(usage), Some(limit))
            if Errno::from_io_error(&source) == Some(Errno::BUSY) =>
        {
            Err(Error::MemoryInUse { limit, used: number(&usage).unwrap_or(limit) })
        }
        (written, ..) => written,
    }
}
