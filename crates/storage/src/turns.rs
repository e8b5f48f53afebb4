//! One change of a volume after the other.

use crate::volume::Volume;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Volumes that are being changed, each with a queue of those who want to change it next.
#[derive(Clone, Default)]
pub(crate) struct Turns {
    queues: Arc<Mutex<HashMap<Volume, Arc<Semaphore>>>>,
}

/// The turn of one caller; the next one's comes when this is dropped.
pub(crate) struct Turn {
    turns: Turns,
    volume: Volume,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for a turn at a volume.
    pub(crate) async fn take(&self, volume: &Volume) -> Turn {
        let queue = {
            let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
            queues.entry(volume.clone()).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
        };
        let mut turn = Turn { turns: self.clone(), volume: volume.clone(), permit: None };
        // Nobody closes a queue.
        turn.permit = queue.acquire_owned().await.ok();
        turn
    }

    /// Waits for turns at two volumes, in the same order whoever asks.
    pub(crate) async fn take_both(&self, one: &Volume, other: &Volume) -> (Turn, Option<Turn>) {
        if one == other {
            return (self.take(one).await, None);
        }
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        let first = self.take(first).await;
        (first, Some(self.take(second).await))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.permit.take());
        let mut queues = self.turns.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // One reference is the map's; who waits holds another.
        if queues.get(&self.volume).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.volume);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::VolumeName;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn volume(name: &str) -> Volume {
        Volume::Custom(VolumeName::parse(name).unwrap())
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_after_the_other_and_nothing_is_kept() {
        let (turns, inside) = (Turns::default(), Arc::new(AtomicUsize::new(0)));
        let mut tasks = tokio::task::JoinSet::new();
        for number in 0..40 {
            let (turns, inside) = (turns.clone(), inside.clone());
            tasks.spawn(async move {
                let (a, b) = (volume("a"), volume("b"));
                let turn = if number % 2 == 0 {
                    turns.take_both(&a, &b).await
                } else {
                    turns.take_both(&b, &a).await
                };
                assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                tokio::task::yield_now().await;
                inside.fetch_sub(1, Ordering::SeqCst);
                drop(turn);
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        let waiting = turns.take(&volume("a")).await;
        let late = tokio::time::timeout(std::time::Duration::from_millis(10), turns.take(&volume("a"))).await;
        assert!(late.is_err());
        drop(waiting);
        assert!(turns.queues.lock().unwrap().is_empty());
    }
}
