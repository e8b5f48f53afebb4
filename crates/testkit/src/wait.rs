//! Waiting for a condition, with a bound.

use std::time::{Duration, Instant};

/// How long to wait on this machine for what takes at most `limit` on others: that many times as long
/// as `LIGHTERVISOR_TEST_SLOW` says, for machines that are emulated.
#[must_use]
pub fn patience(limit: Duration) -> Duration {
    let factor = std::env::var("LIGHTERVISOR_TEST_SLOW").ok().and_then(|factor| factor.parse().ok());
    limit.saturating_mul(factor.unwrap_or(1).max(1))
}

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
    let limit = patience(limit);
    let end = Instant::now() + limit;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "still not so after {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
