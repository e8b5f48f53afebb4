//! What start, stop, restart and pause have in common.

use crate::session::{Session, Target, for_each};
use anyhow::{Context as _, ensure};
use api::StatusCode;
use api::instances::{Instance, StatePut};

/// Which containers, and what to do with them.
pub(crate) struct Change<'a> {
    /// For messages: "start".
    pub(crate) verb: &'a str,
    /// The containers; with `all` servers, the default one when there is none.
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
    let names = if change.all { all(session, change.names, eligible).await? } else { change.names.to_vec() };
    for_each(&names, change.verb, |name| one(session, name, &change.put, change.verb)).await
}

/// The containers of the default server, or of those that are named, that `eligible` picks.
async fn all(
    session: &Session,
    servers: &[String],
    eligible: impl Fn(&Instance) -> bool,
) -> anyhow::Result<Vec<String>> {
    let default = [String::new()];
    let mut names = Vec::new();
    for server in if servers.is_empty() { &default } else { servers } {
        let target = session.target(server)?;
        ensure!(
            target.name.is_empty(),
            "\"{server}\" is too much: with --all only servers are named, as foo:"
        );
        let containers = session.client(&target.remote)?.containers().await?;
        let picked = containers.into_iter().filter(&eligible);
        names.extend(picked.map(|container| format!("{server}{}", container.name)));
    }
    Ok(names)
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
