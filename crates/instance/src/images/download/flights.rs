//! One download for everybody who waits for the same image.
//!
//! A download is a task of its own, which ends early when nobody waits for it any more. So whoever asked
//! first can give up without taking it away from the others.

use super::meter::{Distance, Meter};
use crate::{Error, Progress};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::watch;
use tokio::task::AbortHandle;

type Outcome = Option<Result<(), Arc<Error>>>;

/// Downloads under way, by fingerprint. Cheap to clone.
#[derive(Clone, Default)]
pub(in crate::images) struct Flights(Arc<Mutex<HashMap<String, Weak<Flight>>>>);

struct Flight {
    distance: watch::Receiver<Option<Distance>>,
    outcome: watch::Receiver<Outcome>,
    task: AbortHandle,
}

impl Drop for Flight {
    fn drop(&mut self) {
        // Nobody waits any more. A task that has ended is not touched by it.
        self.task.abort();
    }
}

impl Flights {
    /// Waits for the download with this key, which is begun if there is none. Who has waited for
    /// somebody else's that failed begins one of its own.
    pub(super) async fn share<W>(
        &self,
        key: &str,
        progress: &Progress,
        begin: impl Fn(Meter) -> W,
    ) -> Result<(), Error>
    where
        W: Future<Output = Result<(), Error>> + Send + 'static,
    {
        for _ in 0..2 {
            let (flight, mine) = self.board(key, &begin);
            match flight.wait(progress).await {
                Ok(()) => return Ok(()),
                Err(error) if mine => return Err(Error::Shared(error)),
                Err(error) => tracing::debug!(key, error = %error.story(), "another's download failed"),
            }
        }
        let (flight, _) = self.board(key, &begin);
        flight.wait(progress).await.map_err(Error::Shared)
    }

    /// The download under way, or a new one.
    fn board<W>(&self, key: &str, begin: impl Fn(Meter) -> W) -> (Arc<Flight>, bool)
    where
        W: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flights.retain(|_, flight| flight.strong_count() > 0);
        if let Some(flight) = flights.get(key).and_then(Weak::upgrade)
            && flight.outcome.borrow().is_none()
        {
            return (flight, false);
        }
        let (sender, distance) = watch::channel(None);
        let (tell, outcome) = watch::channel(None);
        let work = begin(Meter(sender));
        let task = tokio::spawn(async move {
            let result = work.await.map_err(Arc::new);
            tell.send_replace(Some(result));
        });
        let flight = Arc::new(Flight { distance, outcome, task: task.abort_handle() });
        flights.insert(key.to_owned(), Arc::downgrade(&flight));
        (flight, true)
    }
}

impl Flight {
    async fn wait(&self, progress: &Progress) -> Result<(), Arc<Error>> {
        let (mut distance, mut outcome) = (self.distance.clone(), self.outcome.clone());
        distance.mark_changed();
        loop {
            tokio::select! {
                biased;
                ended = outcome.wait_for(Option::is_some) => {
                    return match ended {
                        Ok(ended) => Outcome::clone(&ended).unwrap_or(Ok(())),
                        // It panicked, which is in the log.
                        Err(_) => Err(Arc::new(Error::Shutdown)),
                    };
                }
                Ok(()) = distance.changed() => {
                    let now = *distance.borrow_and_update();
                    if let Some(now) = now {
                        now.show(progress);
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};
    use tokio::sync::Notify;

    struct Count(Arc<AtomicU32>);
    impl Drop for Count {
        fn drop(&mut self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// Gives every task that is ready its turn.
    async fn settle() {
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn one_download_for_all_that_outlives_who_began_it() {
        let (flights, go) = (Flights::default(), Arc::new(Notify::new()));
        let (begun, ended) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let wait = || {
            let (flights, go) = (flights.clone(), go.clone());
            let (begun, ended) = (begun.clone(), ended.clone());
            tokio::spawn(async move {
                let begin = |_| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    let (go, count) = (go.clone(), Count(ended.clone()));
                    async move {
                        go.notified().await;
                        drop(count);
                        Ok(())
                    }
                };
                flights.share("a", &Progress::ignore(), begin).await
            })
        };
        let (first, second) = (wait(), wait());
        settle().await;
        first.abort();
        settle().await;
        assert_eq!((begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)), (1, 0));
        go.notify_one();
        second.await.unwrap().unwrap();
        // When all give up, it ends.
        let third = wait();
        settle().await;
        third.abort();
        settle().await;
        assert_eq!((begun.load(Ordering::SeqCst), ended.load(Ordering::SeqCst)), (2, 2));
    }

    #[tokio::test]
    async fn who_waited_for_a_failure_tries_again() {
        let (flights, go) = (Flights::default(), Arc::new(Notify::new()));
        let begun = Arc::new(AtomicU32::new(0));
        let wait = || {
            let (flights, go, begun) = (flights.clone(), go.clone(), begun.clone());
            tokio::spawn(async move {
                let begin = |_| {
                    let number = begun.fetch_add(1, Ordering::SeqCst);
                    let go = go.clone();
                    async move {
                        if number > 0 {
                            return Ok(());
                        }
                        go.notified().await;
                        Err(Error::Shutdown)
                    }
                };
                flights.share("a", &Progress::ignore(), begin).await
            })
        };
        let (first, second) = (wait(), wait());
        settle().await;
        go.notify_one();
        assert!(first.await.unwrap().is_err());
        second.await.unwrap().unwrap();
        assert_eq!(begun.load(Ordering::SeqCst), 2);
    }
}
