//! Another configuration for a pool.

use super::{Held, Pools};
use crate::Error;
use crate::catalog::Stamp;
use api::storage::{PoolPatch, PoolPut};

impl Pools {
    /// Replaces everything that can be changed.
    ///
    /// # Errors
    /// Not found; unavailable; a bad key or value; keys that stay as they are.
    pub async fn update(&self, name: &str, put: PoolPut) -> Result<(), Error> {
        let held = self.held(name)?;
        let pool = self.usable(&held.record.name)?;
        let mut record = held.record.clone();
        let mut wanted = put.config;
        // Clients that send what they were shown without it mean no change.
        if let Some(initial) = record.config.get("volatile.initial_source") {
            wanted.entry("volatile.initial_source".to_owned()).or_insert_with(|| initial.clone());
        }
        let (pool, config) = pool.update(&record.config, &wanted).await?;
        record.config = config;
        record.description = put.description;
        let stored = record.clone();
        let write = self.store.write(move |tx| store::pools::update(tx, &stored).map(|()| Stamp::take()));
        let stamp = write.await?;
        self.table.insert(stamp, name, Held { record, pool, unavailable: None });
        Ok(())
    }

    /// Changes what is given; an empty value unsets a key.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn patch(&self, name: &str, patch: PoolPatch) -> Result<(), Error> {
        let held = self.held(name)?;
        let mut config = held.record.config.clone();
        config.extend(patch.config.unwrap_or_default());
        config.retain(|_, value| !value.is_empty());
        let description = patch.description.unwrap_or_else(|| held.record.description.clone());
        self.update(name, PoolPut { config, description }).await
    }
}
