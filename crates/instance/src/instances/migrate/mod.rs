//! Containers and snapshots that go to another server, or come from one.
//!
//! | file | what |
//! |---|---|
//! | [`peer`] | who connects to whom |
//! | [`offer`] | what is told about a container, and what is believed |
//! | [`send`], [`receive`] | the two sides |
//! | [`refresh`] | an earlier copy is brought up to date |
//! | [`hold`] | a container that stays as it is meanwhile |

mod hold;
mod offer;
mod peer;
mod receive;
mod refresh;
mod root;
mod send;

pub(crate) use hold::Hold;
pub(super) use peer::Peer;
pub use peer::StreamSender;
pub(super) use receive::{Received, receive};
pub(crate) use refresh::Fresh;
pub(super) use refresh::refresh;
pub(super) use root::fit_root;
pub use send::Departure;

use crate::Progress;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Least time between two reports.
const PACE: Duration = Duration::from_secs(1);

/// Tells how much of something has been carried, as `c1: 12.34MB (1.20MB/s)`.
struct Meter {
    progress: Progress,
    name: String,
    began: Instant,
    told: Mutex<Option<Instant>>,
}

impl Meter {
    fn new(progress: &Progress, name: &str) -> Self {
        let (progress, name) = (progress.clone(), name.to_owned());
        Self { progress, name, began: Instant::now(), told: Mutex::new(None) }
    }

    fn carried(&self, bytes: u64) {
        let Ok(mut told) = self.told.try_lock() else { return };
        if told.is_some_and(|told| told.elapsed() < PACE) {
            return;
        }
        *told = Some(Instant::now());
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let speed = (bytes as f64 / seconds) as u64;
        let text = format!("{}: {} ({}/s)", self.name, size(bytes), size(speed));
        self.progress.show("fs_progress", text);
    }
}

/// A number of bytes for people: `12.34MB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["kB", "MB", "GB", "TB", "PB", "EB"];
    if bytes < 1000 {
        return format!("{bytes}B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.2}{}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::size;

    #[test]
    fn sizes_for_people() {
        for (bytes, text) in
            [(0, "0B"), (999, "999B"), (1000, "1.00kB"), (12_340_000, "12.34MB"), (u64::MAX, "18.45EB")]
        {
            assert_eq!(size(bytes), text);
        }
    }
}
