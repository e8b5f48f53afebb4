//! How often somebody may guess the trust password.
//!
//! A source of guesses is an address, or the whole /64 network of an IPv6 address, since one host can
//! have all of those. After a few wrong guesses it has to wait, each time twice as long. All sources
//! together have an allowance that refills slowly, so that many hosts are not faster than a few.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

/// Wrong guesses of a source that cost nothing yet.
const FREE: u32 = 3;
/// The first time of waiting.
const FIRST: Duration = Duration::from_secs(2);
/// The longest time of waiting; after it a source begins anew.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// Wrong guesses of all sources together, at once.
const ALLOWANCE: u32 = 100;
/// How long it takes until one more is allowed.
const REFILL: Duration = Duration::from_secs(6);
/// Sources that are remembered.
const SOURCES: usize = 1024;

struct Source {
    wrong: u32,
    last: Instant,
}

impl Source {
    /// How long it has to wait after its last guess.
    fn penalty(&self) -> Duration {
        match self.wrong.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(times) => FIRST.saturating_mul(1 << times.min(16)).min(LONGEST),
        }
    }
}

/// What was guessed lately.
pub struct Guesses {
    sources: HashMap<IpAddr, Source>,
    left: u32,
    refilled: Instant,
}

impl Guesses {
    /// Nothing yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { sources: HashMap::new(), left: ALLOWANCE, refilled: now }
    }

    /// Takes one guess, which counts as wrong until [`Guesses::right`] is called: guesses that are
    /// made at the same time count too.
    ///
    /// # Errors
    /// How long this source has to wait.
    pub fn take(&mut self, address: IpAddr, now: Instant) -> Result<(), Duration> {
        self.refill(now);
        let key = source(address);
        self.sources.retain(|_, source| now.saturating_duration_since(source.last) < LONGEST);
        if let Some(source) = self.sources.get(&key) {
            let wait = (source.last + source.penalty()).saturating_duration_since(now);
            if !wait.is_zero() {
                return Err(wait);
            }
        }
        if self.left == 0 || (self.sources.len() >= SOURCES && !self.sources.contains_key(&key)) {
            return Err(REFILL);
        }
        self.left -= 1;
        let source = self.sources.entry(key).or_insert(Source { wrong: 0, last: now });
        source.wrong = source.wrong.saturating_add(1);
        source.last = now;
        Ok(())
    }

    /// The last guess of a source was right.
    pub fn right(&mut self, address: IpAddr) {
        self.sources.remove(&source(address));
        self.left = (self.left + 1).min(ALLOWANCE);
    }

    fn refill(&mut self, now: Instant) {
        let passed = now.saturating_duration_since(self.refilled);
        let count = u32::try_from(passed.as_secs() / REFILL.as_secs()).unwrap_or(ALLOWANCE);
        if count > 0 {
            self.left = self.left.saturating_add(count).min(ALLOWANCE);
            self.refilled = now;
        }
    }
}

fn source(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn wrong_guesses_cost_more_and_more() {
        let start = Instant::now();
        let mut guesses = Guesses::new(start);
        for _ in 0..FREE {
            guesses.take(ip("10.0.0.1"), start).unwrap();
        }
        assert_eq!(guesses.take(ip("10.0.0.1"), start), Err(FIRST));
        assert_eq!(guesses.take(ip("::ffff:10.0.0.1"), start), Err(FIRST), "the same host");
        guesses.take(ip("10.0.0.2"), start).unwrap();
        guesses.take(ip("10.0.0.1"), start + FIRST).unwrap();
        assert_eq!(guesses.take(ip("10.0.0.1"), start + FIRST), Err(FIRST * 2));
        assert!(guesses.take(ip("10.0.0.1"), start + FIRST + LONGEST).is_ok());
    }

    #[test]
    fn who_was_right_begins_anew() {
        let start = Instant::now();
        let mut guesses = Guesses::new(start);
        for _ in 0..FREE {
            guesses.take(ip("10.0.0.1"), start).unwrap();
        }
        guesses.right(ip("10.0.0.1"));
        guesses.take(ip("10.0.0.1"), start).unwrap();
    }

    #[test]
    fn many_sources_are_not_faster_than_the_allowance() {
        let start = Instant::now();
        let mut guesses = Guesses::new(start);
        let mut allowed = 0;
        for host in 0..2000_u32 {
            let address = IpAddr::from(std::net::Ipv4Addr::from(0x0a00_0000 + host));
            allowed += u32::from(guesses.take(address, start).is_ok());
        }
        assert_eq!(allowed, ALLOWANCE);
        assert!(guesses.take(ip("11.0.0.1"), start + REFILL).is_ok());
        assert!(guesses.take(ip("11.0.0.2"), start + REFILL).is_err());
    }

    #[test]
    fn a_network_of_ipv6_is_one_source() {
        let start = Instant::now();
        let mut guesses = Guesses::new(start);
        for host in 0..FREE {
            guesses.take(ip(&format!("2001:db8::{host}")), start).unwrap();
        }
        assert!(guesses.take(ip("2001:db8::ffff"), start).is_err());
        assert!(guesses.take(ip("2001:db8:0:1::1"), start).is_ok());
    }
}
