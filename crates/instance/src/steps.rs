//! Changes to the host as steps, each with its undo.
//!
//! A verb makes its steps through [`Steps`]; when one fails, or when the verb's future is dropped,
//! what was done is undone backwards. A `kill -9` between two steps is what the journal and the
//! repair at start-up are for; a debug build dies on purpose at the step named by
//! `LIGHTERVISOR_CRASH_AT`, so that a test can visit each of them.

use crate::Error;
use std::future::Future;
use std::pin::Pin;

type Undo = Pin<Box<dyn Future<Output = ()> + Send>>;

/// The steps of one verb on one thing.
pub(crate) struct Steps {
    subject: String,
    undo: Vec<(&'static str, Undo)>,
}

impl Steps {
    /// `subject` is what the verb works on, for error texts.
    pub(crate) fn new(subject: &str) -> Self {
        Self { subject: subject.to_owned(), undo: Vec::new() }
    }

    /// Does one step. A failure undoes the earlier ones and names this one.
    pub(crate) async fn run<T>(
        &mut self,
        step: &'static str,
        action: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        crash_at(step);
        match action.await {
            Ok(value) => Ok(value),
            Err(source) => {
                self.unwind().await;
                Err(Error::Step { step, subject: self.subject.clone(), source: Box::new(source) })
            }
        }
    }

    /// Says how the step that was just done is undone.
    pub(crate) fn undo(&mut self, step: &'static str, undo: impl Future<Output = ()> + Send + 'static) {
        self.undo.push((step, Box::pin(undo)));
    }

    /// The verb has succeeded: nothing is undone any more.
    pub(crate) fn keep(mut self) {
        self.undo.clear();
    }

    async fn unwind(&mut self) {
        while let Some((step, undo)) = self.undo.pop() {
            tracing::debug!(step, subject = %self.subject, "undoing");
            undo.await;
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        if undo.is_empty() {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                for (_, undo) in undo.into_iter().rev() {
                    undo.await;
                }
            });
        }
    }
}

/// In a debug build, dies as by `kill -9` when this is the step that a test asked for with
/// `LIGHTERVISOR_CRASH_AT`; the steps that there are get listed in the file `LIGHTERVISOR_STEPS`.
pub(crate) fn crash_at(step: &str) {
    if !cfg!(debug_assertions) {
        return;
    }
    if let Some(list) = std::env::var_os("LIGHTERVISOR_STEPS") {
        use std::io::Write as _;
        // Only a test reads it, and it notices a missing line.
        let _ = std::fs::File::options()
            .create(true)
            .append(true)
            .open(list)
            .and_then(|mut f| writeln!(f, "{step}"));
    }
    if std::env::var_os("LIGHTERVISOR_CRASH_AT").is_some_and(|at| at == step) {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{Arc, Mutex};

    #[tokio::test]
    async fn a_failure_undoes_backwards_and_names_the_step() {
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut steps = Steps::new("c1");
        for name in ["a", "b"] {
            steps.run(name, async { Ok(()) }).await.unwrap();
            let log = log.clone();
            steps.undo(name, async move { log.lock().unwrap().push(name) });
        }
        let error = steps.run("c", async { Err::<(), _>(Error::Shutdown) }).await.unwrap_err();
        assert_eq!(*log.lock().unwrap(), ["b", "a"]);
        assert!(error.to_string().contains("c1"), "{error}");
    }

    #[tokio::test]
    async fn dropped_steps_are_undone_and_kept_ones_are_not() {
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        for keep in [true, false] {
            let mut steps = Steps::new("c1");
            let tell = tell.clone();
            steps.undo("a", async move { tell.send(keep).unwrap() });
            if keep {
                steps.keep();
            }
        }
        drop(tell);
        assert_eq!(told.recv().await, Some(false));
        assert_eq!(told.recv().await, None);
    }
}
