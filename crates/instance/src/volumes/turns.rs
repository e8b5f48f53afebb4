//! Who may do something to a volume: many who only look at its files or mount it, or one who changes it.

use super::Place;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};

/// Volumes that somebody does something to.
#[derive(Clone, Default)]
pub(crate) struct Turns(Arc<Mutex<HashMap<Place, Weak<RwLock<()>>>>>);

/// The turn of one who leaves the files as they are.
pub(super) type Shared = OwnedRwLockReadGuard<()>;
/// The turn of one who is alone with the volume.
pub(super) type Alone = OwnedRwLockWriteGuard<()>;

impl Turns {
    fn lock(&self, place: &Place) -> Arc<RwLock<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(lock) = locks.get(place).and_then(Weak::upgrade) {
            return lock;
        }
        locks.retain(|_, lock| lock.strong_count() > 0);
        let lock = Arc::new(RwLock::new(()));
        locks.insert(place.clone(), Arc::downgrade(&lock));
        lock
    }

    /// Waits until nobody changes a volume.
    pub(super) async fn shared(&self, place: &Place) -> Shared {
        self.lock(place).read_owned().await
    }

    /// Waits until nobody else does anything to a volume.
    pub(super) async fn alone(&self, place: &Place) -> Alone {
        self.lock(place).write_owned().await
    }

    /// The same for two volumes, in the same order whoever asks.
    pub(super) async fn both_alone(&self, one: &Place, other: &Place) -> (Alone, Option<Alone>) {
        if one == other {
            return (self.alone(one).await, None);
        }
        let (first, second) = if one < other { (one, other) } else { (other, one) };
        let first = self.alone(first).await;
        (first, Some(self.alone(second).await))
    }

    /// For a copy: shared with others at the source, alone at the target, which is another one.
    pub(super) async fn copy(&self, source: &Place, target: &Place) -> (Shared, Alone) {
        if source < target {
            let source = self.shared(source).await;
            (source, self.alone(target).await)
        } else {
            let target = self.alone(target).await;
            (self.shared(source).await, target)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn who_changes_a_volume_is_alone_and_nothing_is_kept() {
        let turns = Turns::default();
        let (v, w) = (Place::parse("p", "v").unwrap(), Place::parse("p", "w").unwrap());
        let soon = Duration::from_millis(10);
        let one = turns.shared(&v).await;
        let copy = tokio::time::timeout(soon, turns.copy(&v, &w)).await.expect("they share the source");
        assert!(tokio::time::timeout(soon, turns.alone(&v)).await.is_err());
        assert!(tokio::time::timeout(soon, turns.both_alone(&w, &v)).await.is_err());
        drop((one, copy));
        let alone = tokio::time::timeout(soon, turns.both_alone(&w, &v)).await.expect("nobody is there");
        assert!(tokio::time::timeout(soon, turns.shared(&w)).await.is_err());
        drop(alone);
        drop(turns.alone(&Place::parse("p", "x").unwrap()).await);
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
