//! `/1.0/storage-pools`.

use super::lists::{ListParams, answer, keep};
use super::server::ServerPage;
use crate::wire::{
    Answer, Etag, IfMatch, Json, Params, Path, Refusal, created, done, sync, sync_bytes, sync_tagged,
};
use api::storage::{Pool, PoolPatch, PoolPut, PoolsPost};
use axum::extract::State;
use instance::pools::Pools;

fn url(name: &str) -> String {
    format!("/1.0/storage-pools/{name}")
}

/// `GET` of the list.
pub(crate) async fn list(State(pools): State<Pools>, Params(params): Params<ListParams>) -> Answer {
    let mut list = pools.list();
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |pool| url(&pool.name))
}

/// `POST` to the list: create.
pub(crate) async fn create(
    State(pools): State<Pools>,
    State(page): State<ServerPage>,
    Json(post): Json<PoolsPost>,
) -> Answer {
    let url = url(&post.name);
    let result = pools.create(post).await;
    page.changed();
    result?;
    created(&url)
}

/// `GET` of one.
pub(crate) async fn get(State(pools): State<Pools>, Path(name): Path<String>) -> Answer {
    let pool = pools.get(&name)?;
    sync_tagged(sync_bytes(&pool)?, &tag(&pool)?)
}

/// `PUT` of one.
pub(crate) async fn put(
    State(pools): State<Pools>,
    State(page): State<ServerPage>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(put): Json<PoolPut>,
) -> Answer {
    expect(&pools, &name, &expected)?;
    let result = pools.update(&name, put).await;
    page.changed();
    result?;
    done()
}

/// `PATCH` of one.
pub(crate) async fn patch(
    State(pools): State<Pools>,
    State(page): State<ServerPage>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(patch): Json<PoolPatch>,
) -> Answer {
    expect(&pools, &name, &expected)?;
    let result = pools.patch(&name, patch).await;
    page.changed();
    result?;
    done()
}

fn expect(pools: &Pools, name: &str, expected: &IfMatch) -> Result<(), Refusal> {
    if expected.is_given() { expected.check(&tag(&pools.get(name)?)?) } else { Ok(()) }
}

fn tag(pool: &Pool) -> Result<Etag, Refusal> {
    Etag::of(&(&pool.name, &pool.driver, &pool.config))
}

/// `DELETE` of one.
pub(crate) async fn delete(
    State(pools): State<Pools>,
    State(page): State<ServerPage>,
    Path(name): Path<String>,
) -> Answer {
    let result = pools.delete(&name).await;
    page.changed();
    result?;
    done()
}

/// `GET …/resources`.
pub(crate) async fn resources(State(pools): State<Pools>, Path(name): Path<String>) -> Answer {
    sync(&pools.resources(&name).await?)
}
