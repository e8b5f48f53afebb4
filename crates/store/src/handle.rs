//! The handle that the rest of the daemon holds.

use crate::writer::{self, Write};
use crate::{Conn, Error, Result, Tx, open, readers, schema};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

const READERS: usize = 2;
/// Records are small and statements shallow.
const STACK: usize = 512 * 1024;

/// The database. Copies are handles of the same one.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    /// `None` once closed.
    queues: Mutex<Option<Queues>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

#[derive(Clone)]
struct Queues {
    write: Sender<Box<dyn writer::Job>>,
    read: Sender<readers::Job>,
}

impl Store {
    /// Opens the file, making it (mode 0600) if it is not there, checks it and brings it to the
    /// newest schema. Blocks; call it before there is anybody to serve.
    ///
    /// # Errors
    /// [`Error::Open`], [`Error::Damaged`], [`Error::TooNew`], [`Error::Schema`],
    /// [`Error::Busy`], each naming the file.
    pub fn open(path: &Path) -> Result<Self> {
        let mut sql = open::writer(path)?;
        schema::update(&mut sql, path)?;
        let (write, jobs) = channel();
        let mut threads = vec![];
        let file = path.to_owned();
        threads.push(spawn("db-write", move || writer::run(&sql, &file, &jobs))?);

        let (read, jobs) = channel();
        let jobs = Arc::new(Mutex::new(jobs));
        for _ in 0..READERS {
            let (sql, file, jobs) = (open::reader(path)?, path.to_owned(), Arc::clone(&jobs));
            threads.push(spawn("db-read", move || readers::run(&sql, &file, &jobs))?);
        }
        let inner = Inner {
            path: path.to_owned(),
            queues: Mutex::new(Some(Queues { write, read })),
            threads: Mutex::new(threads),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Changes something. The future is ready when the change is on the disk, or when nothing was
    /// changed because the closure returned an error. The work is queued at once and is done even
    /// if the future is dropped.
    ///
    /// # Errors
    /// What the closure returns; [`Error::Lost`] if it went well and could not be kept;
    /// [`Error::Closed`] after [`Store::close`].
    pub fn write<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.enqueue(work, true)
    }

    /// As [`Store::write`], but does not wait for the disk: a power cut may lose the change.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn write_lazy<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        F: FnOnce(&Tx<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        self.enqueue(work, false)
    }

    /// As [`Store::write`], for closures that refuse with errors of their own.
    ///
    /// # Errors
    /// As [`Store::write`].
    pub fn try_write<T, E, F>(&self, work: F) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        self.enqueue(work, true)
    }

    /// Looks something up; the closure sees one state of the database throughout.
    ///
    /// # Errors
    /// What the closure returns; [`Error::Closed`] after [`Store::close`].
    pub fn read<T, F>(&self, work: F) -> impl Future<Output = Result<T>> + Send + use<T, F>
    where
        F: FnOnce(&Conn<'_>) -> Result<T> + Send + 'static,
        T: Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        if let Some(queues) = self.queues() {
            // Refused only when every reader is gone; the answer is then `Closed`.
            let _ = queues.read.send(readers::job(work, reply));
        }
        async move { outcome.await.unwrap_or(Err(Error::Closed)) }
    }

    /// Takes no more work, finishes what is queued, and closes the file. Blocks until then.
    /// Without it, what is queued when the process ends may be lost (what was answered is not).
    pub fn close(&self) {
        drop(self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner).take());
        let threads = std::mem::take(&mut *self.inner.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a thread of the database ended in a panic");
            }
        }
    }

    fn queues(&self) -> Option<Queues> {
        self.inner.queues.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn enqueue<T, E, F>(
        &self,
        work: F,
        durable: bool,
    ) -> impl Future<Output = Result<T, E>> + Send + use<T, E, F>
    where
        F: FnOnce(&Tx<'_>) -> Result<T, E> + Send + 'static,
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let (reply, outcome) = oneshot::channel();
        if let Some(queues) = self.queues() {
            let job = Write { work: Some(work), outcome: None, durable, reply };
            let _ = queues.write.send(Box::new(job));
        }
        async move { outcome.await.unwrap_or_else(|_| Err(Error::Closed.into())) }
    }
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>> {
    let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK);
    thread.spawn(work).map_err(|source| Error::Thread { source })
}
