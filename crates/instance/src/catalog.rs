//! Small tables in memory, so that looking something up reads no database.
//!
//! The database is written first. Its writer does one change after the other, and each takes a
//! [`Stamp`] there; two changes of a row that arrive here in the wrong order are told apart by it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static CLOCK: AtomicU64 = AtomicU64::new(1);

/// When a change was written, in the order of the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stamp(u64);

impl Stamp {
    /// To be taken inside a write.
    pub(crate) fn take() -> Self {
        Self(CLOCK.fetch_add(1, Ordering::Relaxed))
    }
}

/// A row, or the place of one that is gone.
type Row<T> = (Stamp, Option<Arc<T>>);

/// Rows by name. Cheap to clone; no lock outlives a call.
pub(crate) struct Table<T>(Arc<RwLock<BTreeMap<String, Row<T>>>>);

impl<T> Clone for Table<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Table<T> {
    fn rows(&self) -> RwLockReadGuard<'_, BTreeMap<String, Row<T>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn rows_mut(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Row<T>>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// All rows by name.
    pub(crate) fn all(&self) -> Vec<Arc<T>> {
        self.rows().values().filter_map(|(_, row)| row.clone()).collect()
    }

    /// One row.
    pub(crate) fn get(&self, name: &str) -> Option<Arc<T>> {
        self.rows().get(name).and_then(|(_, row)| row.clone())
    }

    /// Adds or replaces a row, unless a later change is known already.
    pub(crate) fn insert(&self, stamp: Stamp, name: &str, row: T) {
        self.put(stamp, name, Some(Arc::new(row)));
    }

    /// Takes a row out, likewise.
    pub(crate) fn remove(&self, stamp: Stamp, name: &str) {
        self.put(stamp, name, None);
    }

    fn put(&self, stamp: Stamp, name: &str, row: Option<Arc<T>>) {
        let mut rows = self.rows_mut();
        if rows.get(name).is_none_or(|(known, _)| *known < stamp) {
            rows.insert(name.to_owned(), (stamp, row));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_comes_late_does_not_undo_a_later_one() {
        let table = Table::default();
        let (first, second, third) = (Stamp::take(), Stamp::take(), Stamp::take());
        table.insert(second, "a", 2);
        table.insert(first, "a", 1);
        assert_eq!(table.get("a").as_deref(), Some(&2));
        table.remove(third, "a");
        table.insert(second, "a", 2);
        assert!(table.get("a").is_none() && table.all().is_empty());
    }
}
