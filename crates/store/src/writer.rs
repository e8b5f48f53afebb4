//! The one thread that writes.
//!
//! It takes what waits in its queue, runs each piece of work in a savepoint of one transaction,
//! commits, and only then answers. Many containers that are made at the same time so cost one
//! flush of the disk, and a piece of work that fails undoes itself alone.

use crate::{Error, Result, Tx};
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use tokio::sync::oneshot;

/// So many pieces of work are committed together at most, so that the first need not wait long.
const BATCH: usize = 64;

/// A piece of work on its way through the writer.
pub(crate) trait Job: Send {
    /// True: the change has to be on the disk before the answer is given.
    fn durable(&self) -> bool;
    /// Does the work and keeps the outcome; true if it went well.
    fn run(&mut self, tx: &Tx<'_>) -> bool;
    /// Answers; `lost` is why what was done is gone after all.
    fn finish(self: Box<Self>, lost: Option<Error>);
}

/// Work, its outcome, and who waits for it.
pub(crate) struct Write<F, T, E> {
    pub(crate) work: Option<F>,
    pub(crate) outcome: Option<Result<T, E>>,
    pub(crate) durable: bool,
    pub(crate) reply: oneshot::Sender<Result<T, E>>,
}

impl<F, T, E> Job for Write<F, T, E>
where
    F: FnOnce(&Tx<'_>) -> Result<T, E> + Send,
    T: Send,
    E: From<Error> + Send,
{
    fn durable(&self) -> bool {
        self.durable
    }

    fn run(&mut self, tx: &Tx<'_>) -> bool {
        let Some(work) = self.work.take() else { return false };
        // A panic must not take the writer away from everybody else.
        let outcome =
            catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| Err(Error::Panicked.into()));
        self.outcome.insert(outcome).is_ok()
    }

    fn finish(self: Box<Self>, lost: Option<Error>) {
        let outcome = match (self.outcome, lost) {
            (Some(Ok(_)) | None, Some(error)) => Err(error.into()),
            (Some(outcome), _) => outcome,
            (None, None) => Err(Error::Closed.into()),
        };
        // Whoever asked may have gone away; the change stays.
        let _ = self.reply.send(outcome);
    }
}

/// Works until every sender is gone and the queue is empty, then folds the log into the file.
pub(crate) fn run(sql: &Connection, path: &Path, queue: &Receiver<Box<dyn Job>>) {
    let mut durable = true;
    while let Ok(first) = queue.recv() {
        let mut batch = vec![first];
        batch.extend(queue.try_iter().take(BATCH - 1));
        commit(sql, path, batch, &mut durable);
    }
    if let Err(error) = sql.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
        tracing::warn!(%error, "the database's log could not be folded into its file; it will be at the next start");
    }
}

/// One transaction for all of them.
fn commit(sql: &Connection, path: &Path, mut batch: Vec<Box<dyn Job>>, durable: &mut bool) {
    let outcome = flush_mode(sql, batch.iter().any(|job| job.durable()), durable)
        .and_then(|()| Ok(sql.execute_batch("BEGIN IMMEDIATE")?))
        .and_then(|()| batch.iter_mut().try_for_each(|job| in_savepoint(sql, job.as_mut())))
        .and_then(|()| Ok(sql.execute_batch("COMMIT")?));
    let lost = outcome.err().map(|error| Arc::new(error.at(path)));
    if let Some(error) = &lost {
        roll_back(sql);
        tracing::error!(%error, "a change of the database could not be committed");
    }
    for job in batch {
        job.finish(lost.clone().map(|source| Error::Lost { path: path.to_owned(), source }));
    }
}

/// Whether a commit waits for the disk. It can be set between transactions only.
fn flush_mode(sql: &Connection, wanted: bool, current: &mut bool) -> Result<()> {
    if wanted != *current {
        sql.pragma_update(None, "synchronous", if wanted { "FULL" } else { "NORMAL" })?;
        *current = wanted;
    }
    Ok(())
}

fn in_savepoint(sql: &Connection, job: &mut dyn Job) -> Result<()> {
    sql.execute_batch("SAVEPOINT job")?;
    if !job.run(&Tx::new(sql)) {
        sql.execute_batch("ROLLBACK TO job")?;
    }
    Ok(sql.execute_batch("RELEASE job")?)
}

fn roll_back(sql: &Connection) {
    // SQLite itself may have rolled back, as it does when the disk is full.
    if !sql.is_autocommit()
        && let Err(error) = sql.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a transaction could not be rolled back");
    }
}
