//! What start, stop, restart and pause have in common.

use crate::session::{Session, Target, for_each};
use anyhow::Context as _;
use api::StatusCode;
use api::instances::{Instance, StatePut};

/// Which containers, and what to do with them.
pub(crate) struct Change<'a> {
    /// For messages: "start".
    pub(crate) verb: &'a str,
    /// The containers; with `all` those of the default server instead.
    pub(crate) names: &'a [String],
    pub(crate) all: bool,
    pub(crate) put: StatePut,
}

/// Changes the state of several containers at once. With `all`, those that `eligible` picks.
pub(crate) async fn run(
    session: &Session,
    change: Change<'_>,
    eligible: impl Fn(&Instance) -> bool,
) -> anyhow::Result<()> {
    let names = if change.all {
        let containers = session.server(None)?.containers().await?;
        containers.into_iter().filter(eligible).map(|container| container.name).collect()
    } else {
        change.names.to_vec()
    };
    for_each(&names, change.verb, |name| one(session, name, &change.put, change.verb)).await
}

async fn one(session: &Session, text: String, put: &StatePut, verb: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(&text, "container")?;
    let change = async { super::wait(session, &client.set_state(&name, put).await?, verb).await };
    match change.await {
        Ok(_) => Ok(()),
        // The container's own failure may have more to tell in its log; a refusal has not.
        Err(error @ client::Error::Operation { .. }) => Err(error).with_context(|| {
            format!("Cannot {verb} {name} (try `lxc info --show-log {text}` for more info)")
        }),
        Err(error) => Err(error.into()),
    }
}

/// True for what a stop can be asked of.
pub(crate) fn is_up(container: &Instance) -> bool {
    container.status_code != StatusCode::Stopped
}
