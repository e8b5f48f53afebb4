//! `/internal`: what the sub-commands of `lxd` ask for.

use crate::app::{Ending, Life, Phase};
use crate::wire::{Answer, Refusal, done};
use axum::extract::State;

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
