//! Storage pools.

use crate::{Client, Error, encode_segment};
use api::storage::{Pool, PoolResources};

impl Client {
    /// All pools.
    ///
    /// # Errors
    /// As for every request.
    pub async fn pools(&self) -> Result<Vec<Pool>, Error> {
        self.get("/1.0/storage-pools?recursion=1").await
    }

    /// One pool.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn pool(&self, name: &str) -> Result<Pool, Error> {
        self.get(&format!("/1.0/storage-pools/{}", encode_segment(name))).await
    }

    /// Space and inodes of a pool.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn pool_resources(&self, name: &str) -> Result<PoolResources, Error> {
        self.get(&format!("/1.0/storage-pools/{}/resources", encode_segment(name))).await
    }
}
