//! Deleting in two steps: a volume loses its name at once and its files afterwards.

use super::{rename_new, unused};
use crate::error::{Error, io_error};
use crate::paths::TRASH;
use crate::tree::{self, TreeError};
use rustix::io::Errno;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use tokio::task::JoinHandle;

/// Removals that go on in the background.
#[derive(Default)]
pub(super) struct Trash {
    running: Mutex<Vec<JoinHandle<Result<(), TreeError>>>>,
}

impl Trash {
    /// Takes a volume's name away and starts removing its files. False: there is no such volume.
    pub(super) fn take(&self, directory: &Path, volume: &Path, what: &str) -> Result<bool, Error> {
        let path = loop {
            let path = unused(directory, TRASH, what);
            match rename_new(volume, &path) {
                Ok(()) => break path,
                Err(Errno::NOENT) => return Ok(false),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(io_error("delete", volume)(errno)),
            }
        };
        let removal = tokio::task::spawn_blocking(move || remove(&path));
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|removal| !removal.is_finished());
        running.push(removal);
        Ok(true)
    }

    /// Waits for everything that was taken so far.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for removal in running {
            removal.await.map_err(|_| Error::ShuttingDown)??;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), TreeError> {
    tree::remove_tree(path).inspect_err(|error| {
        tracing::warn!(path = %path.display(), %error, "cannot remove a deleted volume; the next start tries again");
    })
}
