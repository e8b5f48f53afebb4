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
    /// Bytes that must stay free on the file system it is unpacked to, or a twentieth of a small one.
    pub keep_free: u64,
}

impl Default for Limits {
    /// 64 GiB, files of up to 1 TiB with their holes, a million members, 256 MiB kept free.
    fn default() -> Self {
        Self { total_bytes: 64 << 30, file_bytes: 1 << 40, entries: 1_000_000, keep_free: 256 << 20 }
    }
}

impl Limits {
    /// The same on a file system of `size` bytes of which `free` are free.
    pub(super) fn on_disk(self, size: u64, free: u64) -> Self {
        // On a small disk, what is kept free elsewhere would be most of it.
        let usable = free.saturating_sub(self.keep_free.min(size / 20));
        Self { total_bytes: self.total_bytes.min(usable), ..self }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_is_nearly_full_is_left_alone() {
        let bytes =
            |size: u64, free: u64| Limits::default().on_disk(size << 20, free << 20).total_bytes >> 20;
        assert_eq!(bytes(100_000, 50_000), 50_000 - 256);
        assert_eq!(bytes(100_000, 200), 0);
        assert_eq!(bytes(1_000_000_000, 900_000_000), 64 << 10);
        // A small one can be used nearly up.
        assert_eq!(bytes(100, 20), 15);
        assert_eq!(bytes(100, 4), 0);
    }
}
