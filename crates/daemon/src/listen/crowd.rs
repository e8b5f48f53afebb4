//! How many connections of strangers there may be: in all, and from one address.
//!
//! Whoever is not trusted, or not known yet because the handshake is not done, counts. So strangers
//! cannot use up the daemon's memory and descriptors.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

/// All of them.
const ALL: usize = 256;
/// Those of one address.
const OF_ONE: usize = 64;

/// The strangers that are connected. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// The place of one of them; free again when dropped.
pub(super) struct Place {
    crowd: Crowd,
    address: IpAddr,
}

impl Crowd {
    /// A place for one more, if there is room.
    pub(super) fn enter(&self, address: IpAddr) -> Option<Place> {
        let mut present = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = present.values().sum::<usize>() >= ALL;
        if full || present.get(&address).is_some_and(|count| *count >= OF_ONE) {
            return None;
        }
        *present.entry(address).or_default() += 1;
        Some(Place { crowd: self.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut present = self.crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = present.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_fill_the_place() {
        let crowd = Crowd::default();
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let mut places: Vec<_> = (0..OF_ONE).map(|_| crowd.enter(address(1)).unwrap()).collect();
        assert!(crowd.enter(address(1)).is_none());
        assert!(crowd.enter(address(2)).is_some());
        places.pop();
        assert!(crowd.enter(address(1)).is_some());
        for n in 3..100 {
            places.extend(std::iter::from_fn(|| crowd.enter(address(n))));
        }
        assert_eq!(places.len(), ALL);
        drop(places);
        assert!(crowd.0.lock().unwrap().is_empty());
    }
}
