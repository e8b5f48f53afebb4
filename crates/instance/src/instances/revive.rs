//! `boot.autorestart`: a container whose init fails is started again, but not for ever.

use model::runtime::protocol::Exit;
use std::time::{Duration, Instant};

/// How often within [`PERIOD`].
const OFTEN: usize = 10;
/// How long a start counts.
const PERIOD: Duration = Duration::from_secs(60);

/// When a container was started again by itself. Empty, and without memory, for nearly all.
#[derive(Debug, Default)]
pub(super) struct Revivals(Vec<Instant>);

impl Revivals {
    /// Notes another start, unless there were too many of late.
    pub(super) fn another(&mut self, now: Instant) -> bool {
        self.0.retain(|then| now.duration_since(*then) < PERIOD);
        if self.0.len() >= OFTEN {
            return false;
        }
        self.0.push(now);
        true
    }
}

/// Whether an end came unexpected. Powering off is a decision that is made inside, and of an end that
/// nobody watched it is not known what it was.
pub(super) fn unexpected(exit: Exit) -> bool {
    match exit {
        Exit::Code(_) | Exit::Signal(_) => true,
        Exit::Reboot | Exit::PowerOff | Exit::Unknown => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_in_a_minute() {
        let (mut revivals, began) = (Revivals::default(), Instant::now());
        let at = |seconds| began + Duration::from_secs(seconds);
        assert!((0..10).all(|n| revivals.another(at(n))));
        assert!(!revivals.another(at(10)) && !revivals.another(at(59)));
        assert!(revivals.another(at(60)), "the first one is forgotten");
        assert!(!revivals.another(at(60)));
        assert!((0..10).all(|_| revivals.another(at(1000))));
    }
}
