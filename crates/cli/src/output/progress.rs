//! A line about progress, redrawn in place on standard error.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// Least time between two drawings.
const PACE: Duration = Duration::from_millis(100);

/// A line that is redrawn; silent when standard error is no terminal.
#[derive(Debug)]
pub(crate) struct Progress {
    shown: usize,
    enabled: bool,
    began: Instant,
    drawn: Option<Instant>,
}

impl Progress {
    pub(crate) fn new(quiet: bool) -> Self {
        let enabled = !quiet && io::stderr().is_terminal();
        Self { shown: 0, enabled, began: Instant::now(), drawn: None }
    }

    /// Whether anybody sees it.
    pub(crate) fn enabled(&self) -> bool {
        self.enabled
    }

    /// Shows a text.
    pub(crate) fn set(&mut self, text: &str) {
        if !self.enabled {
            return;
        }
        let pad = self.shown.saturating_sub(text.len());
        eprint!("\r{text}{}", " ".repeat(pad));
        let _ = io::stderr().flush();
        self.shown = text.len();
        self.drawn = Some(Instant::now());
    }

    /// Shows how much of a transfer is done, as `what: 42% (3.10MB/s)`.
    pub(crate) fn transfer(&mut self, what: &str, done: u64, total: Option<u64>) {
        if !self.enabled || self.drawn.is_some_and(|drawn| drawn.elapsed() < PACE) {
            return;
        }
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let speed = super::sizes::bytes((done as f64 / seconds) as i64);
        match total.filter(|&total| total > 0) {
            Some(total) => self.set(&format!("{what}: {}% ({speed}/s)", done * 100 / total)),
            None => {
                let done = super::sizes::bytes(i64::try_from(done).unwrap_or(i64::MAX));
                self.set(&format!("{what}: {done} ({speed}/s)"));
            }
        }
    }

    /// Wipes the line.
    pub(crate) fn clear(&mut self) {
        if self.shown > 0 {
            eprint!("\r{}\r", " ".repeat(self.shown));
            let _ = io::stderr().flush();
            self.shown = 0;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
