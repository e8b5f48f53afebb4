//! Stop every process of a container where it is, and let them go on.

use super::layout::Version;
use super::{Cgroup, Error, files};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What freezes. Version 2 is taken where it can be: frozen processes can be killed there.
struct Freezer {
    control: PathBuf,
    version: Version,
}

impl Freezer {
    fn request(&self, frozen: bool) -> Result<(), Error> {
        let value = match (self.version, frozen) {
            (Version::V1, true) => "FROZEN",
            (Version::V1, false) => "THAWED",
            (Version::V2, true) => "1",
            (Version::V2, false) => "0",
        };
        files::write(&self.control, value)
    }

    /// Whether every process is as requested.
    fn reached(&self, frozen: bool) -> bool {
        match self.version {
            Version::V1 => {
                let want = if frozen { "FROZEN" } else { "THAWED" };
                files::read(&self.control).is_some_and(|state| state == want)
            }
            Version::V2 => {
                let events = self.control.with_file_name("cgroup.events");
                files::keyed(&events, "frozen") == Some(u64::from(frozen))
            }
        }
    }
}

impl Cgroup {
    fn freezer(&self) -> Result<Freezer, Error> {
        if let Some(dir) = self.unified_dir() {
            let control = dir.join("cgroup.freeze");
            if control.exists() {
                return Ok(Freezer { control, version: Version::V2 });
            }
        }
        match self.dir_with("freezer") {
            Some((version, dir)) => Ok(Freezer { control: dir.join("freezer.state"), version }),
            None => Err(Error::NoFreezer),
        }
    }

    fn change(&self, frozen: bool, action: &'static str, limit: Duration) -> Result<(), Error> {
        let freezer = self.freezer()?;
        let began = Instant::now();
        freezer.request(frozen)?;
        let mut pause = Duration::from_micros(100);
        while !freezer.reached(frozen) {
            if began.elapsed() >= limit {
                return Err(Error::TimedOut { action, waited: limit });
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(20));
            if freezer.version == Version::V1 {
                // A process that was made meanwhile is only caught by asking again.
                freezer.request(frozen)?;
            }
        }
        Ok(())
    }

    /// Stop every process, and wait until all stand still, at most `limit`. When it takes longer,
    /// the request stays; thaw to take it back.
    ///
    /// # Errors
    /// [`Error::TimedOut`], [`Error::NoFreezer`], [`Error::File`].
    pub fn freeze(&self, limit: Duration) -> Result<(), Error> {
        self.change(true, "freezing", limit)
    }

    /// Let every process go on.
    ///
    /// # Errors
    /// As for [`Cgroup::freeze`].
    pub fn thaw(&self, limit: Duration) -> Result<(), Error> {
        self.change(false, "thawing", limit)
    }

    /// Whether the container was asked to stand still, completely or not.
    ///
    /// # Errors
    /// [`Error::NoFreezer`], [`Error::File`] when the groups are gone.
    pub fn frozen(&self) -> Result<bool, Error> {
        let freezer = self.freezer()?;
        let state = std::fs::read_to_string(&freezer.control)
            .map_err(|source| files::failed("read", &freezer.control, source))?;
        Ok(match freezer.version {
            Version::V1 => state.trim() != "THAWED",
            Version::V2 => state.trim() == "1",
        })
    }
}
