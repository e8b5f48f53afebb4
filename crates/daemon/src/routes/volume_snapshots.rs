//! `/1.0/storage-pools/<pool>/volumes/<type>/<volume>/snapshots`.

use super::lists::{ListParams, answer, keep};
use crate::operations::{Operations, Task, volume};
use crate::wire::{Answer, Etag, IfMatch, Json, Params, Path, Refusal, accepted, sync_bytes, sync_tagged};
use api::storage::{VolumeSnapshot, VolumeSnapshotPost, VolumeSnapshotPut, VolumeSnapshotsPost};
use axum::extract::State;
use instance::volumes::{VolumeKind, Volumes};

type One = (String, String, String, String);

fn tag(snapshot: &VolumeSnapshot) -> Result<Etag, Refusal> {
    Etag::of(&(&snapshot.name, &snapshot.description, &snapshot.expires_at))
}

fn task(description: &'static str, pool: &str, name: &str) -> Task {
    Task { description, resources: volume(pool, name), may_cancel: false }
}

/// `GET` of the list.
pub(crate) async fn list(
    State(volumes): State<Volumes>,
    Path((pool, kind, name)): Path<(String, String, String)>,
    Params(params): Params<ListParams>,
) -> Answer {
    let mut list = volumes.snapshots(&pool, VolumeKind::parse(&kind)?, &name).await?;
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |snapshot| {
        let own = snapshot.name.rsplit('/').next().unwrap_or_default();
        format!("/1.0/storage-pools/{pool}/volumes/{kind}/{name}/snapshots/{own}")
    })
}

/// `POST` to the list: take one.
pub(crate) async fn create(
    State(volumes): State<Volumes>,
    State(operations): State<Operations>,
    Path((pool, kind, name)): Path<(String, String, String)>,
    Json(post): Json<VolumeSnapshotsPost>,
) -> Answer {
    let work = volumes.take_snapshot(&pool, VolumeKind::parse(&kind)?, &name, &post)?;
    accepted(&operations.run(task("Creating storage volume snapshot", &pool, &name), work))
}

/// `GET` of one.
pub(crate) async fn get(
    State(volumes): State<Volumes>,
    Path((pool, kind, name, snapshot)): Path<One>,
) -> Answer {
    let snapshot = volumes.snapshot(&pool, VolumeKind::parse(&kind)?, &name, &snapshot).await?;
    sync_tagged(sync_bytes(&snapshot)?, &tag(&snapshot)?)
}

/// `PUT` of one: its description, and when it is removed.
pub(crate) async fn put(
    State(volumes): State<Volumes>,
    State(operations): State<Operations>,
    Path((pool, kind, name, snapshot)): Path<One>,
    expected: IfMatch,
    Json(put): Json<VolumeSnapshotPut>,
) -> Answer {
    let kind = VolumeKind::parse(&kind)?;
    if expected.is_given() {
        expected.check(&tag(&volumes.snapshot(&pool, kind, &name, &snapshot).await?)?)?;
    }
    let work = volumes.update_snapshot(&pool, kind, &name, (&snapshot, put))?;
    accepted(&operations.run(task("Updating storage volume snapshot", &pool, &name), work))
}

/// `PATCH` of one: the same for what is given.
pub(crate) async fn patch(
    State(volumes): State<Volumes>,
    operations: State<Operations>,
    Path((pool, kind, name, snapshot)): Path<One>,
    expected: IfMatch,
    Json(patch): Json<serde_json::Map<String, serde_json::Value>>,
) -> Answer {
    let present = volumes.snapshot(&pool, VolumeKind::parse(&kind)?, &name, &snapshot).await?;
    let mut put = serde_json::Map::new();
    put.insert("description".to_owned(), present.description.into());
    put.insert(
        "expires_at".to_owned(),
        serde_json::to_value(present.expires_at).map_err(Refusal::unexpected)?,
    );
    put.extend(patch);
    let put = serde_json::from_value(put.into()).map_err(|error| Refusal::bad_request(error.to_string()))?;
    self::put(State(volumes), operations, Path((pool, kind, name, snapshot)), expected, Json(put)).await
}

/// `POST` to one: another name.
pub(crate) async fn rename(
    State(volumes): State<Volumes>,
    State(operations): State<Operations>,
    Path((pool, kind, name, snapshot)): Path<One>,
    Json(post): Json<VolumeSnapshotPost>,
) -> Answer {
    let work = volumes.rename_snapshot(&pool, VolumeKind::parse(&kind)?, &name, (&snapshot, &post.name))?;
    accepted(&operations.run(task("Renaming storage volume snapshot", &pool, &name), work))
}

/// `DELETE` of one.
pub(crate) async fn delete(
    State(volumes): State<Volumes>,
    State(operations): State<Operations>,
    Path((pool, kind, name, snapshot)): Path<One>,
) -> Answer {
    let work = volumes.delete_snapshot(&pool, VolumeKind::parse(&kind)?, &name, &snapshot)?;
    accepted(&operations.run(task("Deleting storage volume snapshot", &pool, &name), work))
}
