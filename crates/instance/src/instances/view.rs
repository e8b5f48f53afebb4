//! A container as clients see it: its record, expanded, with its state.

use api::instances::Instance;
use model::expand::{Expanded, expand};
use model::state::InstanceState;
use std::sync::Arc;
use store::instances::Instance as Record;
use store::profiles::Profile;

/// Local configuration on top of these profiles.
pub(super) fn on_top(record: &Record, profiles: &[Arc<Profile>]) -> Expanded {
    expand((&record.config, &record.devices), profiles.iter().map(|p| (&p.config, &p.devices)))
}

/// The whole object.
pub(super) fn instance(record: &Record, profiles: &[Arc<Profile>], state: &InstanceState) -> Instance {
    let Expanded { config, devices } = on_top(record, profiles);
    let status = state.status();
    Instance {
        architecture: record.architecture.name().to_owned(),
        config: record.config.clone(),
        devices: record.devices.clone(),
        ephemeral: record.ephemeral,
        profiles: record.profiles.iter().map(ToString::to_string).collect(),
        stateful: record.stateful,
        description: record.description.clone(),
        created_at: record.created_at,
        expanded_config: config,
        expanded_devices: devices,
        name: record.name.to_string(),
        status: status.text().to_owned(),
        status_code: status,
        last_used_at: record.last_used_at,
        location: "none".to_owned(),
        kind: "container".to_owned(),
        project: "default".to_owned(),
    }
}
