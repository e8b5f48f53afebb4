//! Files with several names: the first name that is met has the content.

use rustix::fs::Stat;
use std::collections::HashMap;

/// How many bytes of names are remembered. Beyond that, a file appears with its content more than
/// once, which is larger and not wrong.
const MOST: usize = 64 * 1024 * 1024;

/// Names that were met of files that have others.
#[derive(Default)]
pub(super) struct HardLinks {
    /// By device and inode: the first name, and how many are still to come.
    seen: HashMap<(u64, u64), (Vec<u8>, u64)>,
    bytes: usize,
}

impl HardLinks {
    /// The first name of this file, if it has been met before.
    pub(super) fn first(&mut self, stat: &Stat) -> Option<Vec<u8>> {
        let identity = (stat.st_dev, stat.st_ino);
        if stat.st_nlink < 2 {
            return None;
        }
        let (name, left) = self.seen.get_mut(&identity)?;
        *left = left.saturating_sub(1);
        if *left > 0 {
            return Some(name.clone());
        }
        let (name, _) = self.seen.remove(&identity)?;
        self.bytes -= name.len();
        Some(name)
    }

    /// Remembers the first name of a file that has others.
    pub(super) fn remember(&mut self, stat: &Stat, name: impl FnOnce() -> Vec<u8>) {
        if stat.st_nlink < 2 || self.bytes > MOST {
            return;
        }
        let name = name();
        self.bytes += name.len();
        #[allow(clippy::useless_conversion)] // the type is another one on other machines
        self.seen.insert((stat.st_dev, stat.st_ino), (name, u64::from(stat.st_nlink) - 1));
    }
}
