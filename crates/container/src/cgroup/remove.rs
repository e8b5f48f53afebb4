//! Remove the groups of a container with whatever it made below them.

use super::files::{children, failed};
use super::{Cgroup, Error};
use rustix::io::Errno;
use std::path::Path;
use std::time::{Duration, Instant};

impl Cgroup {
    /// Remove the groups and those below. While processes are going away they are tried again, for
    /// at most `limit`. Groups that are not there are no error. The group above goes as well when it
    /// is empty.
    ///
    /// # Errors
    /// [`Error::File`], when processes remain.
    pub fn remove(&self, limit: Duration) -> Result<(), Error> {
        let began = Instant::now();
        let mut pause = Duration::from_micros(200);
        loop {
            let mut result = Ok(());
            for hierarchy in self.layout.hierarchies.iter() {
                let removed = remove_tree(&self.dir(hierarchy));
                result = result.and(removed);
            }
            if result.is_ok() || began.elapsed() >= limit {
                self.remove_above();
                return result;
            }
            std::thread::sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The daemon's own group is of no use without containers; if it has others, this fails.
    fn remove_above(&self) {
        let Some((above, _)) = self.path.rsplit_once('/') else { return };
        for hierarchy in self.layout.hierarchies.iter() {
            let _ = std::fs::remove_dir(hierarchy.dir.join(above));
        }
    }
}

fn remove_tree(dir: &Path) -> Result<(), Error> {
    match std::fs::remove_dir(dir) {
        Ok(()) => return Ok(()),
        Err(source) => match Errno::from_io_error(&source) {
            Some(Errno::NOENT) => return Ok(()),
            // Has children, or processes.
            Some(Errno::BUSY | Errno::NOTEMPTY) => {}
            _ => return Err(failed("remove", dir, source)),
        },
    }
    for child in children(dir) {
        remove_tree(&child)?;
    }
    match std::fs::remove_dir(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(failed("remove", dir, source)),
        _ => Ok(()),
    }
}
