//! Files with several names: the first name that is met copies, the others become links to it.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Device and inode number.
type Identity = (u64, u64);
/// Where the copy is, once there is one.
type Slot = Arc<Mutex<Option<PathBuf>>>;

/// What was copied so far, of files with several names.
#[derive(Default)]
pub(super) struct HardLinks {
    seen: Mutex<HashMap<Identity, Slot>>,
}

/// Holds others who met the same file until it is copied.
pub(super) struct Turn {
    slot: Slot,
}

impl HardLinks {
    pub(super) fn turn(&self, identity: Identity) -> Turn {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Turn { slot: seen.entry(identity).or_default().clone() }
    }
}

impl Turn {
    /// The copy's path, or the duty to make it. Nobody who holds this waits for anybody else.
    pub(super) fn take(&self) -> MutexGuard<'_, Option<PathBuf>> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
