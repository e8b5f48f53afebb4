//! One volume per image and pool, however many ask for it at once.

use model::Fingerprint;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::OnceCell;

/// What asking for an image's volume did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// It was there.
    Present,
    /// It was made, by this call or by one that this call waited for.
    Made,
}

/// Images whose volumes are being made. The first to ask makes it, the others wait; when the first
/// fails or goes away, the next one tries.
#[derive(Default)]
pub(crate) struct ImageSlots {
    slots: Mutex<HashMap<Fingerprint, Arc<OnceCell<()>>>>,
}

impl ImageSlots {
    /// Runs `make` unless somebody else does or did while this was waiting.
    pub(crate) async fn once<E>(
        &self,
        fingerprint: &Fingerprint,
        make: impl Future<Output = Result<(), E>>,
    ) -> Result<(), E> {
        let slot = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.entry(fingerprint.clone()).or_default().clone()
        };
        let forget = Forget { slots: self, fingerprint };
        let result = slot.get_or_try_init(|| make).await.copied();
        drop(slot);
        drop(forget);
        result
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

/// Removes a slot when the last who needed it is gone, also when a future is dropped half-way.
struct Forget<'a> {
    slots: &'a ImageSlots,
    fingerprint: &'a Fingerprint,
}

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        let mut slots = self.slots.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // One reference is the map's. A dropped future may still hold one here; its slot is then
        // removed by whoever comes next.
        if slots.get(self.fingerprint).is_some_and(|slot| Arc::strong_count(slot) <= 1) {
            slots.remove(self.fingerprint);
        }
    }
}
