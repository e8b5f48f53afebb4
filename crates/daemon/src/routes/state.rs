//! `…/state`: what a container is doing, and telling it to do something else.

use crate::operations::{Operations, Task, container};
use crate::wire::{Answer, Json, Path, accepted, sync};
use api::instances::StatePut;
use axum::extract::State;
use instance::instances::Instances;

/// `GET …/state`.
pub(crate) async fn get(State(instances): State<Instances>, Path(name): Path<String>) -> Answer {
    sync(&instances.state(&name).await?)
}

/// `PUT …/state`.
pub(crate) async fn put(
    State(instances): State<Instances>,
    State(operations): State<Operations>,
    Path(name): Path<String>,
    Json(put): Json<StatePut>,
) -> Answer {
    let change = instances.change_state(&name, put).await?;
    let task = Task { description: change.description, resources: container(&name), may_cancel: false };
    accepted(&operations.run(task, change.work))
}
