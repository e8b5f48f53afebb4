//! `/1.0/storage-pools/<pool>/volumes`.

use super::lists::{ListParams, answer, keep};
use crate::operations::{Operations, Task, volume};
use crate::wire::{
    Answer, Etag, IfMatch, Json, Params, Path, Refusal, accepted, created, done, sync, sync_bytes,
    sync_tagged,
};
use api::storage::{Volume, VolumePatch, VolumePost, VolumePut, VolumesPost};
use axum::extract::State;
use instance::volumes::{Creation, VolumeKind, Volumes};

/// Containers and images have plural names in URLs, custom volumes do not.
fn url(pool: &str, volume: &Volume) -> String {
    let kind = match volume.kind.as_str() {
        "container" => "containers",
        "image" => "images",
        other => other,
    };
    let all = format!("/1.0/storage-pools/{pool}/volumes/{kind}");
    match volume.name.split_once('/') {
        Some((name, snapshot)) => format!("{all}/{name}/snapshots/{snapshot}"),
        None => format!("{all}/{}", volume.name),
    }
}

fn custom(pool: &str, name: &str) -> String {
    format!("/1.0/storage-pools/{pool}/volumes/custom/{name}")
}

fn tag(volume: &Volume) -> Result<Etag, Refusal> {
    Etag::of(&(&volume.name, &volume.kind, &volume.config, &volume.description))
}

async fn check(
    volumes: &Volumes,
    place: (&str, VolumeKind, &str),
    expected: &IfMatch,
) -> Result<(), Refusal> {
    let (pool, kind, name) = place;
    if expected.is_given() {
        expected.check(&tag(&volumes.get(pool, kind, name).await?)?)?;
    }
    Ok(())
}

async fn listed(volumes: &Volumes, pool: &str, kind: Option<VolumeKind>, params: &ListParams) -> Answer {
    let mut list = volumes.list(pool, kind).await?;
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |volume| url(pool, volume))
}

/// `GET` of all.
pub(crate) async fn list(
    State(volumes): State<Volumes>,
    Path(pool): Path<String>,
    Params(params): Params<ListParams>,
) -> Answer {
    listed(&volumes, &pool, None, &params).await
}

/// `GET` of those of one kind.
pub(crate) async fn list_kind(
    State(volumes): State<Volumes>,
    Path((pool, kind)): Path<(String, String)>,
    Params(params): Params<ListParams>,
) -> Answer {
    listed(&volumes, &pool, Some(VolumeKind::parse(&kind)?), &params).await
}

/// `POST` to the list: create.
pub(crate) async fn create(
    State(volumes): State<Volumes>,
    State(operations): State<Operations>,
    Path(pool): Path<String>,
    Json(post): Json<VolumesPost>,
) -> Answer {
    make(&volumes, &operations, &pool, post).await
}

/// `POST` to the list of one kind.
pub(crate) async fn create_kind(
    State(volumes): State<Volumes>,
    State(operations): State<Operations>,
    Path((pool, kind)): Path<(String, String)>,
    Json(mut post): Json<VolumesPost>,
) -> Answer {
    post.kind = VolumeKind::parse(&kind)?.name().to_owned();
    make(&volumes, &operations, &pool, post).await
}

async fn make(volumes: &Volumes, operations: &Operations, pool: &str, post: VolumesPost) -> Answer {
    let name = post.name.clone();
    match volumes.create(pool, post).await? {
        Creation::Made => created(&custom(pool, &name)),
        Creation::Copy(work) => {
            let resources = volume(pool, &name);
            let task = Task { description: "Copying storage volume", resources, may_cancel: false };
            accepted(&operations.run(task, work))
        }
    }
}

/// `GET` of one.
pub(crate) async fn get(
    State(volumes): State<Volumes>,
    Path((pool, kind, name)): Path<(String, String, String)>,
) -> Answer {
    let volume = volumes.get(&pool, VolumeKind::parse(&kind)?, &name).await?;
    sync_tagged(sync_bytes(&volume)?, &tag(&volume)?)
}

/// `PUT` of one: replace everything that can be changed, or restore a snapshot.
pub(crate) async fn put(
    State(volumes): State<Volumes>,
    Path((pool, kind, name)): Path<(String, String, String)>,
    expected: IfMatch,
    Json(put): Json<VolumePut>,
) -> Answer {
    let kind = VolumeKind::parse(&kind)?;
    check(&volumes, (&pool, kind, &name), &expected).await?;
    if put.restore.is_empty() {
        volumes.update(&pool, kind, &name, put).await?;
    } else {
        volumes.restore(&pool, kind, &name, &put.restore).await?;
    }
    done()
}

/// `PATCH` of one: change what is given.
pub(crate) async fn patch(
    State(volumes): State<Volumes>,
    Path((pool, kind, name)): Path<(String, String, String)>,
    expected: IfMatch,
    Json(patch): Json<VolumePatch>,
) -> Answer {
    let kind = VolumeKind::parse(&kind)?;
    check(&volumes, (&pool, kind, &name), &expected).await?;
    volumes.patch(&pool, kind, &name, patch).await?;
    done()
}

/// `POST` to one: another name, or another pool.
pub(crate) async fn post(
    State(volumes): State<Volumes>,
    State(operations): State<Operations>,
    Path((pool, kind, name)): Path<(String, String, String)>,
    Json(post): Json<VolumePost>,
) -> Answer {
    let kind = VolumeKind::parse(&kind)?;
    if post.migration {
        return Err(Refusal::later("send storage volumes to other servers"));
    }
    if post.pool.is_empty() || post.pool == pool {
        volumes.rename(&pool, kind, &name, &post.name).await?;
        return created(&custom(&pool, &post.name));
    }
    let work = volumes.relocate(&pool, kind, &name, (&post.pool, &post.name))?;
    let task =
        Task { description: "Moving storage volume", resources: volume(&pool, &name), may_cancel: false };
    accepted(&operations.run(task, work))
}

/// `DELETE` of one.
pub(crate) async fn delete(
    State(volumes): State<Volumes>,
    Path((pool, kind, name)): Path<(String, String, String)>,
) -> Answer {
    volumes.delete(&pool, VolumeKind::parse(&kind)?, &name).await?;
    done()
}

/// `GET …/state`.
pub(crate) async fn state(
    State(volumes): State<Volumes>,
    Path((pool, kind, name)): Path<(String, String, String)>,
) -> Answer {
    sync(&volumes.state(&pool, VolumeKind::parse(&kind)?, &name).await?)
}
