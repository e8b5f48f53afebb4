//! Which images containers are being made from, so that upkeep leaves those alone.

use model::names::Fingerprint;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often a used image is looked at by who wants to remove it.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// So many work with it.
    Held(usize),
    /// It is being removed.
    Leaving,
}

/// Images that are worked with, by fingerprint. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Uses(Arc<Mutex<BTreeMap<Fingerprint, Use>>>);

/// Keeps an image from being removed by upkeep.
#[derive(Debug)]
pub(crate) struct Hold(Uses, Fingerprint);

/// Keeps an image that is being removed from being used.
#[derive(Debug)]
pub(super) struct Leaving(Uses, Fingerprint);

impl Uses {
    /// Holds an image; `None` when it is being removed.
    pub(super) fn hold(&self, image: &Fingerprint) -> Option<Hold> {
        match self.all().entry(image.clone()).or_insert(Use::Held(0)) {
            Use::Leaving => return None,
            Use::Held(count) => *count += 1,
        }
        Some(Hold(self.clone(), image.clone()))
    }

    /// Begins to remove an image; `None` when it is used, or being removed already.
    pub(super) fn leave(&self, image: &Fingerprint) -> Option<Leaving> {
        let mut all = self.all();
        if all.contains_key(image) {
            return None;
        }
        all.insert(image.clone(), Use::Leaving);
        Some(Leaving(self.clone(), image.clone()))
    }

    /// Begins to remove an image when nobody uses it any more.
    pub(super) async fn left(&self, image: &Fingerprint) -> Leaving {
        loop {
            match self.leave(image) {
                Some(leaving) => return leaving,
                None => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<Fingerprint, Use>> {
        // Nothing in a critical section can leave the map half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Which image it is.
    pub(crate) fn fingerprint(&self) -> &Fingerprint {
        &self.1
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut all = self.0.all();
        match all.get_mut(&self.1) {
            Some(Use::Held(count)) if *count > 1 => *count -= 1,
            _ => drop(all.remove(&self.1)),
        }
    }
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.0.all().remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_is_used_or_removed_but_not_both() {
        let uses = Uses::default();
        let image = Fingerprint::parse(&"a".repeat(64)).unwrap();
        let (one, two) = (uses.hold(&image).unwrap(), uses.hold(&image).unwrap());
        assert!(uses.leave(&image).is_none());
        drop(one);
        assert!(uses.leave(&image).is_none());
        drop(two);
        let leaving = uses.leave(&image).unwrap();
        assert!(uses.hold(&image).is_none() && uses.leave(&image).is_none());
        drop(leaving);
        assert!(uses.hold(&image).is_some());
        assert!(uses.all().is_empty(), "nothing is remembered of what is over");
    }
}
