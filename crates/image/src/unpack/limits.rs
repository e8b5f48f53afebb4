//! How much an archive may unpack to.

/// Bounds on what one image may become. They hold whatever the archive says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the uncompressed archive, all members together.
    pub total_bytes: u64,
    /// Size of one file, holes included.
    pub file_bytes: u64,
    /// Members.
    pub entries: u64,
    /// Bytes that must stay free on the file system it is unpacked to.
    pub keep_free: u64,
}

impl Default for Limits {
    /// 64 GiB, files of up to 1 TiB with their holes, a million members, 256 MiB kept free.
    fn default() -> Self {
        Self { total_bytes: 64 << 30, file_bytes: 1 << 40, entries: 1_000_000, keep_free: 256 << 20 }
    }
}

/// What was written so far, against the bounds.
#[derive(Debug)]
pub(super) struct Budget {
    limits: Limits,
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

impl Budget {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, entries: 0, bytes: 0 }
    }

    /// Counts one more member. `Err` is the bound.
    pub(super) fn entry(&mut self) -> Result<(), u64> {
        self.entries += 1;
        if self.entries > self.limits.entries { Err(self.limits.entries) } else { Ok(()) }
    }

    /// Checks the size of a file. `Err` is the bound.
    pub(super) fn file(&self, size: u64) -> Result<(), u64> {
        if size > self.limits.file_bytes { Err(self.limits.file_bytes) } else { Ok(()) }
    }

    /// Counts bytes written. The stream has its own bound, so there is none here.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }
}
