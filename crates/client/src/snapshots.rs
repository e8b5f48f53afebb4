//! Snapshots of containers.

use crate::containers::at as container;
use crate::{Client, Error, Pending, Tagged, encode_segment};
use api::instances::{InstancePost, InstancePut, Snapshot, SnapshotPut, SnapshotsPost};
use http::{HeaderMap, Method};

impl Client {
    /// One snapshot.
    ///
    /// # Errors
    /// 404 when the container has none of this name.
    pub async fn snapshot(&self, name: &str, snapshot: &str) -> Result<Tagged<Snapshot>, Error> {
        self.get_tagged(&at(name, snapshot)).await
    }

    /// Takes a snapshot.
    ///
    /// # Errors
    /// 409 when the name is taken.
    pub async fn take_snapshot(&self, name: &str, request: &SnapshotsPost) -> Result<Pending, Error> {
        self.begin(Method::POST, &format!("{}/snapshots", container(name)), request, None).await
    }

    /// Says when a snapshot is removed.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current.
    pub async fn put_snapshot(
        &self,
        name: &str,
        snapshot: &str,
        put: &SnapshotPut,
        etag: Option<&str>,
    ) -> Result<Pending, Error> {
        self.begin(Method::PUT, &at(name, snapshot), put, etag).await
    }

    /// Gives a snapshot another name.
    ///
    /// # Errors
    /// 409 when the new name is taken.
    pub async fn rename_snapshot(
        &self,
        name: &str,
        snapshot: &str,
        new_name: &str,
    ) -> Result<Pending, Error> {
        let post = InstancePost { name: new_name.to_owned(), ..InstancePost::default() };
        self.begin(Method::POST, &at(name, snapshot), &post, None).await
    }

    /// Sends a snapshot to another server, or lets that one fetch it, as a container.
    ///
    /// # Errors
    /// 404 when the container has none of this name.
    pub async fn send_snapshot(
        &self,
        name: &str,
        snapshot: &str,
        post: &InstancePost,
    ) -> Result<Pending, Error> {
        self.begin(Method::POST, &at(name, snapshot), post, None).await
    }

    /// Removes a snapshot.
    ///
    /// # Errors
    /// 404 when the container has none of this name.
    pub async fn delete_snapshot(&self, name: &str, snapshot: &str) -> Result<Pending, Error> {
        self.begin_raw(Method::DELETE, &at(name, snapshot), HeaderMap::new(), crate::Body::empty()).await
    }

    /// Makes a container what one of its snapshots is.
    ///
    /// # Errors
    /// 404 when the container has none of this name.
    pub async fn restore(&self, name: &str, snapshot: &str, stateful: bool) -> Result<Pending, Error> {
        let put = InstancePut { restore: snapshot.to_owned(), stateful, ..InstancePut::default() };
        self.begin(Method::PUT, &container(name), &put, None).await
    }
}

fn at(name: &str, snapshot: &str) -> String {
    format!("{}/snapshots/{}", container(name), encode_segment(snapshot))
}
