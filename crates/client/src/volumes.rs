//! Storage volumes and their snapshots.

use crate::storage::at as pool_at;
use crate::{Client, Error, Pending, Tagged, encode_segment};
use api::storage::{
    Volume, VolumePost, VolumePut, VolumeSnapshot, VolumeSnapshotPost, VolumeSnapshotPut,
    VolumeSnapshotsPost, VolumeState, VolumesPost,
};
use http::Method;

/// Which volume is meant.
#[derive(Clone, Copy, Debug)]
pub struct VolumePlace<'a> {
    /// The pool.
    pub pool: &'a str,
    /// `custom`, `container` or `image`.
    pub kind: &'a str,
    /// Its name.
    pub name: &'a str,
}

impl VolumePlace<'_> {
    fn path(self) -> String {
        let Self { pool, kind, name } = self;
        format!("{}/volumes/{}/{}", pool_at(pool), encode_segment(kind), encode_segment(name))
    }

    fn snapshots(self) -> String {
        format!("{}/snapshots", self.path())
    }

    fn snapshot(self, name: &str) -> String {
        format!("{}/snapshots/{}", self.path(), encode_segment(name))
    }
}

impl Client {
    /// What lives in a pool, of all kinds.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn volumes(&self, pool: &str) -> Result<Vec<Volume>, Error> {
        self.get(&format!("{}/volumes?recursion=1", pool_at(pool))).await
    }

    /// One volume.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn volume(&self, volume: VolumePlace<'_>) -> Result<Tagged<Volume>, Error> {
        self.get_tagged(&volume.path()).await
    }

    /// How much of a volume is used.
    ///
    /// # Errors
    /// 404 unknown, or a server that does not tell.
    pub async fn volume_state(&self, volume: VolumePlace<'_>) -> Result<VolumeState, Error> {
        self.get(&format!("{}/state", volume.path())).await
    }

    /// Makes a volume, empty or as a copy of another one.
    ///
    /// # Errors
    /// 400 for bad keys, 409 when the name is taken.
    pub async fn create_volume(&self, pool: &str, post: &VolumesPost) -> Result<Option<Pending>, Error> {
        let path = format!("{}/volumes/custom", pool_at(pool));
        self.perhaps_begin(Method::POST, &path, Some(post), None).await
    }

    /// Replaces what can be changed of a volume, or restores one of its snapshots.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current, 400 for keys that cannot be changed.
    pub async fn put_volume(
        &self,
        volume: VolumePlace<'_>,
        put: &VolumePut,
        etag: Option<&str>,
    ) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::PUT, &volume.path(), Some(put), etag).await
    }

    /// Gives a volume another name, or moves it to another pool.
    ///
    /// # Errors
    /// 400 when it is in use, 409 when the name is taken.
    pub async fn move_volume(
        &self,
        volume: VolumePlace<'_>,
        post: &VolumePost,
    ) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::POST, &volume.path(), Some(post), None).await
    }

    /// Deletes a volume with its snapshots.
    ///
    /// # Errors
    /// 400 when it is in use.
    pub async fn delete_volume(&self, volume: VolumePlace<'_>) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::DELETE, &volume.path(), None::<&()>, None).await
    }

    /// The snapshots of a volume.
    ///
    /// # Errors
    /// 404 unknown, or a server that has none.
    pub async fn volume_snapshots(&self, volume: VolumePlace<'_>) -> Result<Vec<VolumeSnapshot>, Error> {
        self.get(&format!("{}?recursion=1", volume.snapshots())).await
    }

    /// One snapshot of a volume.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn volume_snapshot(
        &self,
        volume: VolumePlace<'_>,
        snapshot: &str,
    ) -> Result<Tagged<VolumeSnapshot>, Error> {
        self.get_tagged(&volume.snapshot(snapshot)).await
    }

    /// Takes a snapshot of a volume.
    ///
    /// # Errors
    /// 409 when the name is taken.
    pub async fn take_volume_snapshot(
        &self,
        volume: VolumePlace<'_>,
        post: &VolumeSnapshotsPost,
    ) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::POST, &volume.snapshots(), Some(post), None).await
    }

    /// Changes what a snapshot of a volume is said to be, and when it is removed.
    ///
    /// # Errors
    /// 412 when `etag` is no longer current.
    pub async fn put_volume_snapshot(
        &self,
        volume: VolumePlace<'_>,
        snapshot: &str,
        put: &VolumeSnapshotPut,
        etag: Option<&str>,
    ) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::PUT, &volume.snapshot(snapshot), Some(put), etag).await
    }

    /// Gives a snapshot of a volume another name.
    ///
    /// # Errors
    /// 409 when the new name is taken.
    pub async fn rename_volume_snapshot(
        &self,
        volume: VolumePlace<'_>,
        snapshot: &str,
        new_name: &str,
    ) -> Result<Option<Pending>, Error> {
        let post = VolumeSnapshotPost { name: new_name.to_owned() };
        self.perhaps_begin(Method::POST, &volume.snapshot(snapshot), Some(&post), None).await
    }

    /// Removes a snapshot of a volume.
    ///
    /// # Errors
    /// 404 unknown.
    pub async fn delete_volume_snapshot(
        &self,
        volume: VolumePlace<'_>,
        snapshot: &str,
    ) -> Result<Option<Pending>, Error> {
        self.perhaps_begin(Method::DELETE, &volume.snapshot(snapshot), None::<&()>, None).await
    }
}
