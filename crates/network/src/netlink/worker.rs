//! A thread that owns one netlink socket.

use super::{NetlinkError, Socket};
use std::sync::mpsc;
use tokio::sync::oneshot;

type Job = Box<dyn FnOnce(&mut Socket) + Send>;

/// Runs closures on its socket, one after the other. Ends when it is dropped.
pub(crate) struct Worker {
    jobs: mpsc::Sender<Job>,
}

impl Worker {
    /// Opens a socket in the caller's network namespace and starts the thread.
    pub(crate) fn start(name: &str) -> Result<Self, NetlinkError> {
        let mut socket = Socket::open()?;
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name(name.to_owned())
            .stack_size(512 << 10)
            .spawn(move || {
                for job in queue {
                    job(&mut socket);
                }
            })
            .map_err(|source| NetlinkError::Open { source })?;
        Ok(Self { jobs })
    }

    /// Runs `work` to its end, also when the caller stops waiting.
    ///
    /// # Errors
    /// Those of `work`, and [`NetlinkError::Closed`] when the thread is gone.
    pub(crate) async fn call<T, E>(
        &self,
        work: impl FnOnce(&mut Socket) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<NetlinkError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |socket| {
            // Nobody waiting any more is no reason not to have done it.
            let _ = answer.send(work(socket));
        });
        self.jobs.send(job).map_err(|_| NetlinkError::Closed)?;
        answered.await.map_err(|_| NetlinkError::Closed)?
    }
}
