//! A snapshot as clients see it.

use crate::instances::context::Context;
use crate::instances::registry::Entry;
use api::instances::Snapshot;
use model::expand::{Expanded, expand};
use store::snapshots::Snapshot as Record;

/// What a container's own configuration of that time comes to with its profiles of today.
pub(super) fn expanded(context: &Context, record: &Record) -> Expanded {
    let content = &record.content;
    let profiles = context.profiles.layers(&content.profiles);
    expand((&content.config, &content.devices), profiles.iter().map(|p| (&p.config, &p.devices)))
}

/// The whole object.
pub(super) fn snapshot(context: &Context, container: &str, record: &Record) -> Snapshot {
    let Expanded { config, devices } = expanded(context, record);
    let content = &record.content;
    Snapshot {
        name: format!("{container}/{}", record.name),
        architecture: content.architecture.name().to_owned(),
        config: content.config.clone(),
        created_at: record.created_at,
        devices: content.devices.clone(),
        ephemeral: content.ephemeral,
        expanded_config: config,
        expanded_devices: devices,
        last_used_at: record.last_used_at,
        profiles: content.profiles.iter().map(ToString::to_string).collect(),
        stateful: record.stateful,
        expires_at: record.expires_at,
    }
}

/// All of a container, oldest first.
pub(in crate::instances) fn all(context: &Context, entry: &Entry) -> Vec<Snapshot> {
    let container = entry.view().name.clone();
    entry.snapshots().iter().map(|record| snapshot(context, &container, record)).collect()
}
