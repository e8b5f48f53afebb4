//! Storage pools and their volumes.

use crate::Error;
use api::storage::{Pool, PoolResources, PoolsPost, Volume};

/// All pools. Cheap to clone.
#[derive(Clone)]
pub struct Pools {}

#[allow(clippy::unused_async)]
impl Pools {
    /// Every pool by name.
    #[must_use]
    pub fn list(&self) -> Vec<Pool> {
        unimplemented!()
    }

    /// One pool.
    ///
    /// # Errors
    /// Not found.
    pub fn get(&self, name: &str) -> Result<Pool, Error> {
        let _ = name;
        unimplemented!()
    }

    /// Makes a pool.
    ///
    /// # Errors
    /// The name is bad or taken; unknown driver; anything wrong with its configuration.
    pub async fn create(&self, post: PoolsPost) -> Result<(), Error> {
        let _ = post;
        unimplemented!()
    }

    /// Removes an empty pool.
    ///
    /// # Errors
    /// Not found; something lives there.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        let _ = name;
        unimplemented!()
    }

    /// Space and inodes.
    ///
    /// # Errors
    /// Not found.
    pub async fn resources(&self, name: &str) -> Result<PoolResources, Error> {
        let _ = name;
        unimplemented!()
    }

    /// What lives there.
    ///
    /// # Errors
    /// Not found.
    pub fn volumes(&self, name: &str) -> Result<Vec<Volume>, Error> {
        let _ = name;
        unimplemented!()
    }
}
