//! [`Keeper`]: a connection that is made again whenever it is lost.

use super::Error;
use super::connection::{Answer, Connection};
use super::spawn::{self, Greeting};
use model::runtime::protocol::{EventBody, RequestBody};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// Waits between attempts to come back grow from the first to the second.
const RETRY: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(5));

/// A handle on the keeper of a daemon directory. Cheap to clone; the connection ends with the last.
#[derive(Clone)]
pub struct Keeper {
    current: watch::Receiver<Option<Arc<Connection>>>,
}

/// What the keeper tells by itself, and what happens to the connection.
#[derive(Clone, Debug)]
pub enum Notice {
    /// Something happened to a container or a program in it.
    Event(EventBody),
    /// The connection is lost and being made again. Requests wait for it.
    Lost,
    /// The connection is there again: ask for the list, events may have been missed.
    Back {
        /// It is another process than before: programs started by `Exec` are no longer watched by
        /// anybody, their ends will not be reported.
        replaced: bool,
    },
}

impl Keeper {
    /// Connects to the keeper of the daemon directory `var`; if there is none, runs `program`; if
    /// it is another build than `program`, has it execute `program` in place.
    ///
    /// # Errors
    /// [`Error::Run`], [`Error::NotStarted`] or [`Error::Connect`].
    pub async fn connect_or_spawn(
        var: &Path,
        program: &Path,
    ) -> Result<(Self, mpsc::UnboundedReceiver<Notice>), Error> {
        let (notices, received) = mpsc::unbounded_channel();
        let greeting = spawn::establish(var, program).await?;
        let (publish, current) = watch::channel(Some(Arc::clone(&greeting.connection)));
        let supervisor =
            Supervisor { var: var.to_path_buf(), program: program.to_path_buf(), publish, notices };
        tokio::spawn(supervisor.run(greeting));
        Ok((Self { current }, received))
    }

    /// Asks over the connection there is, or the next one; `deadline` includes the wait for it.
    pub(super) async fn ask(
        &self,
        request: &'static str,
        body: RequestBody,
        descriptors: Vec<OwnedFd>,
        deadline: Duration,
    ) -> Result<Answer, Error> {
        let mut current = self.current.clone();
        // In a block of its own: what `wait_for` lends must not be held over the next await.
        let connection = {
            let waited = tokio::time::timeout(deadline, current.wait_for(Option::is_some)).await;
            match waited {
                Err(_) => return Err(Error::Deadline { request, after: deadline }),
                Ok(Err(_)) => return Err(Error::Lost { request }),
                Ok(Ok(connection)) => connection.clone(),
            }
        };
        match connection {
            Some(connection) => connection.ask(request, body, descriptors, deadline).await,
            None => Err(Error::Lost { request }),
        }
    }
}

/// The task behind all handles: reads, and reconnects.
struct Supervisor {
    var: PathBuf,
    program: PathBuf,
    publish: watch::Sender<Option<Arc<Connection>>>,
    notices: mpsc::UnboundedSender<Notice>,
}

impl Supervisor {
    async fn run(self, mut greeting: Greeting) {
        loop {
            let tell = |event| drop(self.notices.send(Notice::Event(event)));
            greeting.early.drain(..).for_each(tell);
            tokio::select! {
                error = greeting.connection.read(tell) => {
                    tracing::warn!(%error, keeper = greeting.pid, "connection to the keeper lost");
                }
                () = self.publish.closed() => return,
            }
            self.publish.send_replace(None);
            drop(self.notices.send(Notice::Lost));
            let before = greeting.pid;
            tokio::select! {
                again = self.reconnect() => greeting = again,
                () = self.publish.closed() => return,
            }
            let replaced = greeting.pid != before;
            tracing::info!(keeper = greeting.pid, replaced, "connected to the keeper again");
            self.publish.send_replace(Some(Arc::clone(&greeting.connection)));
            drop(self.notices.send(Notice::Back { replaced }));
        }
    }

    async fn reconnect(&self) -> Greeting {
        let mut pause = RETRY.0;
        loop {
            match spawn::establish(&self.var, &self.program).await {
                Ok(greeting) => return greeting,
                Err(error) => {
                    tracing::error!(error = &error as &dyn std::error::Error, "cannot reach the keeper");
                }
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(RETRY.1);
        }
    }
}
