//! How far a download is.

use crate::Progress;
use model::units::Bytes;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Least time between two reports.
const PACE: Duration = Duration::from_millis(250);

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Distance {
    /// `metadata`, `rootfs`; empty for an image of one file.
    pub(super) part: &'static str,
    /// Bytes.
    pub(super) done: u64,
    /// Bytes, if it is known.
    pub(super) total: Option<u64>,
    /// Bytes a second.
    pub(super) speed: u64,
}

impl Distance {
    /// Tells it in the operation's metadata.
    pub(super) fn show(self, progress: &Progress) {
        let speed = Bytes(self.speed).human(2);
        let how = match self.percent() {
            Some(percent) => format!("{percent}% ({speed}/s)"),
            None => format!("{} ({speed}/s)", Bytes(self.done).human(2)),
        };
        let text = if self.part.is_empty() { how } else { format!("{}: {how}", self.part) };
        let mut fields = serde_json::json!({
            "stage": "download", "part": self.part, "processed": self.done, "speed": self.speed
        });
        if let (Some(percent), Some(total)) = (self.percent(), self.total) {
            fields["percent"] = percent.into();
            fields["total"] = total.into();
            if let Some(seconds) = total.saturating_sub(self.done).checked_div(self.speed) {
                fields["seconds_left"] = seconds.into();
            }
        }
        let mut metadata = serde_json::Map::new();
        metadata.insert("download_progress".to_owned(), text.into());
        metadata.insert("progress".to_owned(), fields);
        progress.report(metadata);
    }

    fn percent(self) -> Option<u64> {
        let total = self.total.filter(|total| *total > 0)?;
        Some(self.done.min(total) * 100 / total)
    }
}

/// Where a download says how far it is.
#[derive(Clone)]
pub(super) struct Meter(pub(super) watch::Sender<Option<Distance>>);

impl Meter {
    /// What hears of one file's bytes.
    pub(super) fn part(&self, part: &'static str) -> impl FnMut(u64, Option<u64>) + Send + use<> {
        let (sender, began) = (self.0.clone(), Instant::now());
        let (mut told, mut first) = (None::<Instant>, None);
        move |done, total| {
            let begun = *first.get_or_insert(done);
            let last = total == Some(done);
            if told.is_some_and(|told| told.elapsed() < PACE) && !last {
                return;
            }
            told = Some(Instant::now());
            let seconds = began.elapsed().as_secs_f64().max(0.001);
            let speed = (done.saturating_sub(begun) as f64 / seconds) as u64;
            sender.send_replace(Some(Distance { part, done, total, speed }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[test]
    fn as_clients_know_it() {
        let seen = Arc::new(Mutex::new(serde_json::Map::new()));
        let progress = {
            let seen = Arc::clone(&seen);
            Progress::new(move |metadata| *seen.lock().unwrap() = metadata)
        };
        let distance =
            Distance { part: "rootfs", done: 42_000_000, total: Some(100_000_000), speed: 3_100_000 };
        distance.show(&progress);
        let shown = seen.lock().unwrap().clone();
        assert_eq!(shown["download_progress"], "rootfs: 42% (3.10MB/s)");
        assert_eq!(shown["progress"]["seconds_left"], 18);
        Distance { part: "", total: None, ..distance }.show(&progress);
        assert_eq!(seen.lock().unwrap()["download_progress"], "42.00MB (3.10MB/s)");
    }
}
