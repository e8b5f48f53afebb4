//! The log of the keeper, `keeper/keeper.log`: never larger than twice its limit, with its `.1`.
//!
//! There is no one to tell when it cannot be written; what is logged is for people, and the loop
//! goes on.

use rustix::fs::{Mode, OFlags, fstat, openat, renameat};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::time::{SystemTime, UNIX_EPOCH};

const NAME: &str = "keeper.log";
const OLD: &str = "keeper.log.1";
/// Size at which a new file is begun, in bytes.
const LIMIT: u64 = 512 * 1024;

/// The log.
#[derive(Debug)]
pub(crate) struct Journal {
    directory: OwnedFd,
    file: Option<OwnedFd>,
    size: u64,
}

impl Journal {
    pub(crate) fn open(directory: BorrowedFd<'_>) -> std::io::Result<Self> {
        let mut journal = Self { directory: directory.try_clone_to_owned()?, file: None, size: 0 };
        journal.reopen();
        Ok(journal)
    }

    fn reopen(&mut self) {
        let flags = OFlags::WRONLY | OFlags::APPEND | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        self.file = openat(&self.directory, NAME, flags, Mode::RUSR | Mode::WUSR).ok();
        let size = self.file.as_ref().and_then(|file| fstat(file).ok()).map_or(0, |stat| stat.st_size);
        self.size = u64::try_from(size).unwrap_or(0);
    }

    /// Adds a line.
    pub(crate) fn say(&mut self, text: &str) {
        if self.size > LIMIT {
            let _ = renameat(&self.directory, NAME, &self.directory, OLD);
            self.reopen();
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let line = format!("{} {}\n", stamp(now.as_secs()), text.replace('\n', " "));
        if let Some(file) = &self.file {
            let _ = rustix::io::write(file, line.as_bytes());
            self.size += line.len() as u64;
        }
    }
}

/// Seconds since 1970 as `2026-01-31T23:59:59Z`. The calendar is counted in eras of 400 years that
/// begin on the first of March, so that a leap day is the last of its year.
fn stamp(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::AsFd;

    #[test]
    fn dates_are_right_at_the_edges() {
        assert_eq!(stamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(stamp(951_782_399), "2000-02-28T23:59:59Z");
        assert_eq!(stamp(951_782_400), "2000-02-29T00:00:00Z");
        assert_eq!(stamp(951_868_800), "2000-03-01T00:00:00Z");
        assert_eq!(stamp(4_102_444_799), "2099-12-31T23:59:59Z");
    }

    #[test]
    fn the_log_stays_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let handle = std::fs::File::open(directory.path()).unwrap();
        let mut journal = Journal::open(handle.as_fd()).unwrap();
        let text = "x".repeat(10_000);
        for _ in 0..200 {
            journal.say(&text);
        }
        let size = |name| std::fs::metadata(directory.path().join(name)).unwrap().len();
        assert!(size(NAME) <= LIMIT + 20_000);
        assert!(size(OLD) <= LIMIT + 20_000);
    }
}
