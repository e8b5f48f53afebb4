//! Dying in the middle, for tests: a debug build ends as by `kill -9` at the step that a test asks for.

use std::sync::atomic::{AtomicU64, Ordering};

/// Steps that this process has come to.
static STEPS: AtomicU64 = AtomicU64::new(0);

/// A step that changes something outside of this process. In a debug build, the process dies here when
/// this is the one of the number in `LIGHTERVISOR_CRASH_AFTER`; the first one has number 1.
pub fn step() {
    if !cfg!(debug_assertions) {
        return;
    }
    let Some(last) = std::env::var("LIGHTERVISOR_CRASH_AFTER").ok().and_then(|last| last.parse::<u64>().ok())
    else {
        return;
    };
    if STEPS.fetch_add(1, Ordering::SeqCst) + 1 == last {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}
