//! `…/snapshots`: what containers were.

use super::instances::prefix;
use super::lists::{ListParams, answer, keep};
use super::migration;
use crate::operations::{Operations, Reporter, Task, container};
use crate::wire::{Answer, Etag, IfMatch, Json, Params, Path, Refusal, accepted, sync_bytes, sync_tagged};
use api::instances::{InstancePost, Snapshot, SnapshotPut, SnapshotsPost};
use axum::extract::State;
use http::Uri;
use instance::instances::Instances;

fn tag(snapshot: &Snapshot) -> Result<Etag, Refusal> {
    Etag::of(&snapshot.expires_at)
}

fn task(description: &'static str, name: &str) -> Task {
    Task { description, resources: container(name), may_cancel: false }
}

/// `GET …/snapshots`.
pub(crate) async fn list(
    State(instances): State<Instances>,
    uri: Uri,
    Path(name): Path<String>,
    Params(params): Params<ListParams>,
) -> Answer {
    let mut list = instances.snapshots(&name)?;
    keep(&params.filter, &mut list)?;
    let prefix = prefix(&uri);
    answer(params.recursion, &list, |snapshot| {
        let own = snapshot.name.rsplit('/').next().unwrap_or_default();
        format!("/1.0/{prefix}/{name}/snapshots/{own}")
    })
}

/// `POST …/snapshots`: take one.
pub(crate) async fn create(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path(name): Path<String>,
    Json(post): Json<SnapshotsPost>,
) -> Answer {
    let work = instances.take_snapshot(&name, &post)?;
    accepted(&operations.run(task("Snapshotting container", &name), work))
}

/// `GET …/snapshots/<s>`.
pub(crate) async fn get(
    State(instances): State<Instances>,
    Path((name, snapshot)): Path<(String, String)>,
) -> Answer {
    let snapshot = instances.snapshot(&name, &snapshot)?;
    sync_tagged(sync_bytes(&snapshot)?, &tag(&snapshot)?)
}

/// `PUT …/snapshots/<s>`: when it is removed.
pub(crate) async fn put(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path((name, snapshot)): Path<(String, String)>,
    expected: IfMatch,
    Json(put): Json<SnapshotPut>,
) -> Answer {
    if expected.is_given() {
        expected.check(&tag(&instances.snapshot(&name, &snapshot)?)?)?;
    }
    let work = instances.update_snapshot(&name, &snapshot, &put)?;
    accepted(&operations.run(task("Updating snapshot", &name), work))
}

/// `PATCH …/snapshots/<s>`: the same, and nothing if nothing is said.
pub(crate) async fn patch(
    State(instances): State<Instances>,
    operations: State<Operations>,
    Path((name, snapshot)): Path<(String, String)>,
    expected: IfMatch,
    Json(patch): Json<serde_json::Map<String, serde_json::Value>>,
) -> Answer {
    let put = if patch.contains_key("expires_at") {
        serde_json::from_value(patch.into()).map_err(|error| Refusal::bad_request(error.to_string()))?
    } else {
        SnapshotPut { expires_at: instances.snapshot(&name, &snapshot)?.expires_at }
    };
    self::put(State(instances), operations, Path((name, snapshot)), expected, Json(put)).await
}

/// `POST …/snapshots/<s>`: another name, or to another server.
pub(crate) async fn rename(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path((name, snapshot)): Path<(String, String)>,
    Json(post): Json<InstancePost>,
) -> Answer {
    if post.migration {
        let reporter = Reporter::default();
        let departure = instances.send_snapshot(&name, &snapshot, &post, reporter.progress())?;
        return migration::depart(&operations, &reporter, departure, container(&name));
    }
    let work = instances.rename_snapshot(&name, &snapshot, &post.name)?;
    accepted(&operations.run(task("Renaming snapshot", &name), work))
}

/// `DELETE …/snapshots/<s>`.
pub(crate) async fn delete(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path((name, snapshot)): Path<(String, String)>,
) -> Answer {
    let work = instances.delete_snapshot(&name, &snapshot)?;
    accepted(&operations.run(task("Deleting snapshot", &name), work))
}
