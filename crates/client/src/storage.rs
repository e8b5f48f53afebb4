//! Storage pools.

use crate::{Client, Error, Pending, Tagged, encode_segment};
use api::storage::{Pool, PoolPut, PoolResources, PoolsPost};
use http::Method;

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
    pub async fn pool(&self, name: &str) -> Result<Tagged<Pool>, Error> {
        self.get_tagged(&at(name)).await
    }

    /// Space and inodes of a pool.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn pool_resources(&self, name: &str) -> Result<PoolResources, Error> {
        self.get(&format!("{}/resources", at(name))).await
    }

    /// Makes a pool. Servers may take their time for it.
    ///
    /// # Errors
    /// 400 for bad keys and sources, 409 when the name is taken.
    pub async fn create_pool(&self, post: &PoolsPost) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::POST, "/1.0/storage-pools", Some(post), None).await
    }

    /// Replaces what can be changed of a pool.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current, 400 for keys that cannot be changed.
    pub async fn put_pool(
        &self,
        name: &str,
        put: &PoolPut,
        etag: Option<&str>,
    ) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::PUT, &at(name), Some(put), etag).await
    }

    /// Deletes a pool in which nothing lives.
    ///
    /// # Errors
    /// 400 when something does.
    pub async fn delete_pool(&self, name: &str) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::DELETE, &at(name), None::<&()>, None).await
    }
}

/// The path of a pool.
pub(crate) fn at(name: &str) -> String {
    format!("/1.0/storage-pools/{}", encode_segment(name))
}
