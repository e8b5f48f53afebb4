//! `/1.0/networks`.

use super::lists::{ListParams, answer, keep};
use crate::wire::sync_tagged;
use crate::wire::{Answer, Etag, IfMatch, Json, Params, Path, Refusal, created, done, sync, sync_bytes};
use api::networks::{Network, NetworksPost};
use axum::extract::State;
use instance::networks::Networks;

fn url(name: &str) -> String {
    format!("/1.0/networks/{name}")
}

fn tag(network: &Network) -> Result<Etag, Refusal> {
    Etag::of(&(&network.name, network.managed, &network.kind, &network.description, &network.config))
}

/// `GET` of the list.
pub(crate) async fn list(State(networks): State<Networks>, Params(params): Params<ListParams>) -> Answer {
    let mut list = networks.list().await?;
    keep(&params.filter, &mut list)?;
    answer(params.recursion, &list, |network| url(&network.name))
}

/// `POST` to the list: create.
pub(crate) async fn create(State(networks): State<Networks>, Json(post): Json<NetworksPost>) -> Answer {
    let url = url(&post.name);
    networks.create(post).await?;
    created(&url)
}

/// `GET` of one.
pub(crate) async fn get(State(networks): State<Networks>, Path(name): Path<String>) -> Answer {
    let network = networks.get(&name).await?;
    sync_tagged(sync_bytes(&network)?, &tag(&network)?)
}

/// `PUT` of one.
pub(crate) async fn put(
    State(networks): State<Networks>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(post): Json<NetworksPost>,
) -> Answer {
    update(&networks, &name, &expected, post, true).await
}

/// `PATCH` of one.
pub(crate) async fn patch(
    State(networks): State<Networks>,
    Path(name): Path<String>,
    expected: IfMatch,
    Json(post): Json<NetworksPost>,
) -> Answer {
    update(&networks, &name, &expected, post, false).await
}

async fn update(
    networks: &Networks,
    name: &str,
    expected: &IfMatch,
    post: NetworksPost,
    replace: bool,
) -> Answer {
    if expected.is_given() {
        expected.check(&tag(&networks.get(name).await?)?)?;
    }
    networks.update(name, post, replace).await?;
    done()
}

/// `DELETE` of one.
pub(crate) async fn delete(State(networks): State<Networks>, Path(name): Path<String>) -> Answer {
    networks.delete(&name).await?;
    done()
}

/// `GET …/state`.
pub(crate) async fn state(State(networks): State<Networks>, Path(name): Path<String>) -> Answer {
    sync(&networks.state(&name).await?)
}

/// `GET …/leases`.
pub(crate) async fn leases(State(networks): State<Networks>, Path(name): Path<String>) -> Answer {
    sync(&networks.leases(&name).await?)
}
