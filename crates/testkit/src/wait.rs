//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// Ask until there is an answer, for at most 30 seconds.
///
/// # Panics
/// When there is none by then.
#[track_caller]
pub fn eventually<T>(what: &str, ask: impl FnMut() -> Option<T>) -> T {
    eventually_within(Duration::from_secs(30), what, ask)
}

/// Ask until there is an answer or the limit is over.
///
/// # Panics
/// When there is no answer by then.
#[track_caller]
pub fn eventually_within<T>(limit: Duration, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "still not so after {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
