//! Work that goes on in the background, and the wait for its end.

use crate::error::Error;
use std::sync::{Mutex, PoisonError};
use tokio::task::JoinHandle;

/// Work that goes on by itself, whoever began it.
#[derive(Default)]
pub(super) struct Background {
    running: Mutex<Vec<JoinHandle<()>>>,
}

impl Background {
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|task| !task.is_finished());
        running.push(tokio::spawn(work));
    }

    /// Waits for all that was begun so far.
    pub(super) async fn settle(&self) -> Result<(), Error> {
        let running = std::mem::take(&mut *self.running.lock().unwrap_or_else(PoisonError::into_inner));
        for task in running {
            task.await.map_err(|_| Error::ShuttingDown)?;
        }
        Ok(())
    }
}
