//! The threads that read.

use crate::{Conn, Error, Result};
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, PoisonError};
use tokio::sync::oneshot;

/// A piece of work for whichever reader is free.
pub(crate) type Job = Box<dyn FnOnce(&Connection, &Path) + Send>;

/// Makes a job of a closure and of who waits for its outcome.
pub(crate) fn job<F, T, E>(work: F, reply: oneshot::Sender<Result<T, E>>) -> Job
where
    F: FnOnce(&Conn<'_>) -> Result<T, E> + Send + 'static,
    T: Send + 'static,
    E: From<Error> + Send + 'static,
{
    Box::new(move |sql, path| {
        let outcome = catch_unwind(AssertUnwindSafe(|| view(sql, path, work)))
            .unwrap_or_else(|_| Err(Error::Panicked.into()));
        if !sql.is_autocommit()
            && let Err(error) = sql.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a reading transaction could not be ended");
        }
        let _ = reply.send(outcome);
    })
}

/// In a transaction, so that several statements see the same state.
fn view<F, T, E>(sql: &Connection, path: &Path, work: F) -> Result<T, E>
where
    F: FnOnce(&Conn<'_>) -> Result<T, E>,
    E: From<Error>,
{
    sql.execute_batch("BEGIN DEFERRED").map_err(|e| Error::from(e).at(path))?;
    work(&Conn::new(sql))
}

/// Works until every sender is gone and the queue is empty.
pub(crate) fn run(sql: &Connection, path: &Path, queue: &Mutex<Receiver<Job>>) {
    loop {
        // Held only while waiting, so that the other thread takes the next job.
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            Ok(job) => job(sql, path),
            Err(_) => return,
        }
    }
}
