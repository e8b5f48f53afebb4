//! What a container contributes to a program that is run in it.

use super::context::Context;
use super::registry::Entry;
use crate::Error;
use crate::compose::{dropped_capabilities, rlimit};
use crate::exec::Program;
use model::config::Effective;
use std::sync::Arc;

/// The container's side of an exec.
pub(super) fn of(context: &Arc<Context>, entry: &Entry) -> Result<Program, Error> {
    let view = entry.view();
    let live = entry.live().ok_or_else(|| Error::Gone { name: view.name.clone() })?;
    let config = Effective::parse(&view.expanded_config)?;
    Ok(Program {
        name: view.name.clone(),
        drop_capabilities: config.raw_lxc.capabilities.dropped(&dropped_capabilities(live.idmap.is_none())),
        live,
        rlimits: config.limits.kernel.iter().map(rlimit).collect(),
        seccomp: context.filters.program(&config)?,
        environment: config.environment.into_iter().collect(),
        keeper: context.keeper.clone(),
        sessions: context.sessions.clone(),
    })
}
