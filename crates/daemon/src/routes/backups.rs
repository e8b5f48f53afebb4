//! `…/backups`: no container has any yet.

use crate::wire::{Answer, Path, Refusal, sync};
use axum::extract::State;
use instance::instances::Instances;

/// `GET …/backups`: of a container that exists, none.
pub(crate) async fn list(State(instances): State<Instances>, Path(name): Path<String>) -> Answer {
    instances.get(&name)?;
    sync::<[&str]>(&[])
}

/// `GET …/backups/<b>`.
pub(crate) async fn get(
    State(instances): State<Instances>,
    Path((name, _)): Path<(String, String)>,
) -> Answer {
    instances.get(&name)?;
    Err(Refusal::not_found())
}

/// `POST …/backups`.
pub(crate) async fn create(State(instances): State<Instances>, Path(name): Path<String>) -> Answer {
    instances.get(&name)?;
    Err(Refusal::later("make backups"))
}
