//! `/internal`: what the sub-commands of `lxd` ask for.

use super::server::ServerPage;
use crate::app::{Ending, Life, Phase};
use crate::wire::{Answer, Json, Refusal, done, sync};
use axum::extract::State;
use instance::instances::{Instances, RecoverRequest};
use serde::Deserialize;

/// `GET /internal/ready`: answers when what should run has been started.
pub(crate) async fn ready(State(life): State<Life>) -> Answer {
    match life.started().await {
        Phase::Stopping(_) => Err(Refusal::stopping()),
        Phase::Starting | Phase::Ready => done(),
    }
}

/// `PUT /internal/shutdown`: stop the containers, then the daemon. The connection closes at the end.
pub(crate) async fn shutdown(State(life): State<Life>) -> Answer {
    life.end(Ending::StopContainers);
    done()
}

/// `POST /internal/recover/validate`: what is on the pools and not in the database. Nothing is changed.
pub(crate) async fn recover_validate(
    State(instances): State<Instances>,
    Json(request): Json<RecoverRequest>,
) -> Answer {
    sync(&instances.unknown(&request).await?)
}

/// `POST /internal/recover/import`: takes all of that over that can be.
pub(crate) async fn recover_import(
    State(instances): State<Instances>,
    State(page): State<ServerPage>,
    Json(request): Json<RecoverRequest>,
) -> Answer {
    let recovered = instances.recover(&request).await;
    page.changed();
    sync(&recovered?)
}

/// The container to take over.
#[derive(Debug, Deserialize)]
pub(crate) struct Import {
    name: String,
    #[serde(default)]
    force: bool,
}

/// `POST /internal/containers`: takes one container over.
pub(crate) async fn import(
    State(instances): State<Instances>,
    State(page): State<ServerPage>,
    Json(import): Json<Import>,
) -> Answer {
    let imported = instances.import(&import.name, import.force).await;
    page.changed();
    imported?;
    done()
}
