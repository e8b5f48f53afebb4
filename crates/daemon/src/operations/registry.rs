//! All operations, and the tasks that run them.

use super::operation::Holding;
use super::{Operation, Resources, Seats, Show, Sockets, Token};
use crate::events::Hub;
use api::StatusCode;
use futures_util::FutureExt as _;
use instance::Progress;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio_util::task::TaskTracker;

/// How long an operation can be asked about after its end.
const RETENTION: Duration = Duration::from_secs(5);
/// How long a token waits for its bearer.
const TOKEN_LIFE: Duration = Duration::from_secs(24 * 60 * 60);

/// What an operation says about itself before it runs.
pub(crate) struct Task {
    /// `Creating container` and its like.
    pub(crate) description: &'static str,
    /// What it is about.
    pub(crate) resources: Resources,
    /// Whether it can be given up; dropping the work undoes it.
    pub(crate) may_cancel: bool,
}

/// All operations. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Operations(Arc<Inner>);

struct Inner {
    all: Mutex<HashMap<String, Arc<Operation>>>,
    hub: Hub,
    tasks: TaskTracker,
}

/// Where work reports its progress before its operation exists.
#[derive(Clone, Default)]
pub(crate) struct Reporter(Arc<OnceLock<Arc<Operation>>>);

impl Reporter {
    /// What work is given.
    pub(crate) fn progress(&self) -> Progress {
        let reporter = self.clone();
        Progress::new(move |metadata| {
            if let Some(operation) = reporter.0.get() {
                operation.report(metadata);
            }
        })
    }
}

impl Operations {
    /// None yet; changes are published to `hub`.
    pub(crate) fn new(hub: Hub) -> Self {
        Self(Arc::new(Inner { all: Mutex::default(), hub, tasks: TaskTracker::new() }))
    }

    /// Runs work in the background, to its end whoever goes away.
    pub(crate) fn run<E>(
        &self,
        task: Task,
        work: impl Future<Output = Result<Option<Map<String, Value>>, E>> + Send + 'static,
    ) -> Arc<Operation>
    where
        E: std::error::Error + Send + 'static,
    {
        self.run_reporting(task, &Reporter::default(), |_| work)
    }

    /// Runs work that reports through `reporter` and may want to know its operation.
    pub(crate) fn run_reporting<E, W>(
        &self,
        task: Task,
        reporter: &Reporter,
        work: impl FnOnce(&Operation) -> W,
    ) -> Arc<Operation>
    where
        E: std::error::Error + Send + 'static,
        W: Future<Output = Result<Option<Map<String, Value>>, E>> + Send + 'static,
    {
        let operation = Operation::new(
            self.0.hub.clone(),
            task.description,
            task.resources,
            task.may_cancel,
            Holding::Nothing,
        );
        // A reporter belongs to one request, which makes one operation.
        let operation = Arc::clone(reporter.0.get_or_init(|| Arc::new(operation)));
        let work = work(&operation);
        self.spawn(&operation, work, true);
        operation
    }

    /// Runs work that waits for a client's streams.
    ///
    /// # Errors
    /// There is no randomness for secrets.
    pub(crate) fn run_streaming<E, W>(
        &self,
        task: Task,
        streams: &[&'static str],
        work: impl FnOnce(Sockets) -> W,
    ) -> std::io::Result<Arc<Operation>>
    where
        E: std::error::Error + Send + 'static,
        W: Future<Output = Result<Option<Map<String, Value>>, E>> + Send + 'static,
    {
        let (seats, sockets) = Seats::new(streams, Show::Fds)?;
        let operation = Arc::new(Operation::new(
            self.0.hub.clone(),
            task.description,
            task.resources,
            task.may_cancel,
            Holding::Streams(seats),
        ));
        self.spawn(&operation, work(sockets), false);
        Ok(operation)
    }

    /// Makes a secret that lets its bearer in once, until then or until it is cancelled or too old.
    /// Its creator is told `details` and the `secret`.
    ///
    /// # Errors
    /// There is no randomness for the secret.
    pub(crate) fn issue(
        &self,
        description: &'static str,
        resources: Resources,
        details: Map<String, Value>,
    ) -> std::io::Result<Arc<Operation>> {
        self.issue_for(description, resources, details, Some(TOKEN_LIFE))
    }

    /// The same with a life of its own; `None` for no end.
    ///
    /// # Errors
    /// There is no randomness for the secret.
    pub(crate) fn issue_for(
        &self,
        description: &'static str,
        resources: Resources,
        details: Map<String, Value>,
        life: Option<Duration>,
    ) -> std::io::Result<Arc<Operation>> {
        let holding = Holding::Token(Token::new(details)?);
        let operation = Arc::new(Operation::new(self.0.hub.clone(), description, resources, true, holding));
        let work = async move {
            match life {
                Some(life) => tokio::time::sleep(life).await,
                None => std::future::pending().await,
            }
            Ok::<_, std::convert::Infallible>(None)
        };
        self.spawn(&operation, work, false);
        Ok(operation)
    }

    /// Takes the token that a secret opens, among those that are about the right thing. It ends; for a
    /// few seconds the same secret is still good.
    pub(crate) fn redeem(
        &self,
        secret: &str,
        about: impl Fn(&api::operations::Operation) -> bool,
    ) -> Option<Arc<Operation>> {
        let found = self.find_token(secret)?;
        let object = found.view();
        let good = about(&object) && found.token()?.take(object.status_code != StatusCode::Running);
        if good {
            // It is cancelled already when it is used for the second time.
            let _ = found.cancel();
        }
        good.then_some(found)
    }

    /// Runs work that reports through `reporter` and waits for the streams of another server.
    ///
    /// # Errors
    /// There is no randomness for secrets.
    pub(crate) fn run_migrating<E, W>(
        &self,
        task: Task,
        reporter: &Reporter,
        work: impl FnOnce(Sockets) -> W,
    ) -> std::io::Result<Arc<Operation>>
    where
        E: std::error::Error + Send + 'static,
        W: Future<Output = Result<Option<Map<String, Value>>, E>> + Send + 'static,
    {
        let (seats, sockets) = Seats::new(migration::STREAM_NAMES, Show::Names)?;
        let Task { description, resources, may_cancel } = task;
        let operation =
            Operation::new(self.0.hub.clone(), description, resources, may_cancel, Holding::Streams(seats));
        let operation = Arc::clone(reporter.0.get_or_init(|| Arc::new(operation)));
        self.spawn(&operation, work(sockets), false);
        Ok(operation)
    }

    /// The same for a token that lets in exactly once; what its creator was told.
    pub(crate) fn redeem_once(
        &self,
        secret: &str,
        about: impl Fn(&api::operations::Operation) -> bool,
    ) -> Option<Map<String, Value>> {
        let found = self.find_token(secret)?;
        let object = found.view();
        if object.status_code != StatusCode::Running || !about(&object) {
            return None;
        }
        let details = found.token()?.take_once()?.clone();
        // It runs, and somebody who cancels it at this moment does the same.
        let _ = found.cancel();
        Some(details)
    }

    fn find_token(&self, secret: &str) -> Option<Arc<Operation>> {
        let tokens: Vec<_> =
            self.all().values().filter(|operation| operation.token().is_some()).cloned().collect();
        // All are compared, so that the time does not tell which one it was.
        tokens.into_iter().fold(None, |found, operation| {
            if operation.token().is_some_and(|token| token.is(secret)) { Some(operation) } else { found }
        })
    }

    fn spawn<E: std::error::Error + Send + 'static>(
        &self,
        operation: &Arc<Operation>,
        work: impl Future<Output = Result<Option<Map<String, Value>>, E>> + Send + 'static,
        finish_first: bool,
    ) {
        self.all().insert(operation.id().to_owned(), Arc::clone(operation));
        operation.started();
        // Streams may last for ever, so a daemon that ends does not wait for them.
        let token = finish_first.then(|| self.0.tasks.token());
        let (operations, operation) = (self.clone(), Arc::clone(operation));
        tokio::spawn(async move {
            finish(&operation, work).await;
            drop(token);
            tokio::time::sleep(RETENTION).await;
            operations.all().remove(operation.id());
        });
    }

    /// An operation that runs or ended a few seconds ago.
    pub(crate) fn get(&self, id: &str) -> Option<Arc<Operation>> {
        self.all().get(id).cloned()
    }

    /// All of them, oldest first.
    pub(crate) fn list(&self) -> Vec<Arc<api::operations::Operation>> {
        let mut list: Vec<_> = self.all().values().map(|operation| operation.view()).collect();
        list.sort_by(|a, b| (a.created_at, &a.id).cmp(&(b.created_at, &b.id)));
        list
    }

    /// Waits until no work is left that would have to be repaired.
    pub(crate) async fn settle(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Arc<Operation>>> {
        // Nothing in a critical section can leave the map half-changed.
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs the work and records how it ended.
async fn finish<E: std::error::Error>(
    operation: &Operation,
    work: impl Future<Output = Result<Option<Map<String, Value>>, E>> + Send,
) {
    let mut work = Box::pin(AssertUnwindSafe(work).catch_unwind());
    let result = tokio::select! {
        result = &mut work => result,
        () = operation.cancel_asked() => {
            drop(work);
            operation.cancelled();
            return;
        }
    };
    match result {
        Ok(result) => {
            let result = result.map_err(|error| model::story(&error));
            if let Err(error) = &result {
                let description = &operation.view().description;
                tracing::info!(operation = operation.id(), description, error, "an operation failed");
            }
            operation.ended(result);
        }
        Err(panic) => {
            let reason = panic_text(panic.as_ref());
            tracing::error!(operation = operation.id(), reason, "an operation panicked");
            operation.ended(Err(format!("Internal error, please report it: {reason}")));
        }
    }
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    if let Some(text) = panic.downcast_ref::<&str>() {
        text
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text
    } else {
        "a panic without a message"
    }
}
