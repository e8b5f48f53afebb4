//! The AppArmor profile of a container: at its start, while it runs, and when it is gone.

use super::owner::Owner;
use crate::Error;
use crate::apparmor::{Choice, Wish};
use api::instances::Instance;
use model::config::raw_lxc::ApparmorProfile;
use model::config::{Effective, get};

/// Keys that change the profile of a container that runs.
const LIVE: [&str; 2] = ["raw.apparmor", "security.nesting"];

/// What a configuration wants; `privileged` is what the container is, or is about to be.
pub(super) fn wish(config: &Effective, privileged: bool) -> Wish {
    let raw = &config.raw_lxc.apparmor;
    let lines: Vec<&str> =
        std::iter::once(config.raw_apparmor.as_str()).chain(raw.raw.iter().map(String::as_str)).collect();
    Wish {
        privileged,
        nesting: config.nesting || raw.nesting,
        raw: lines.join("\n"),
        choice: match &raw.profile {
            ApparmorProfile::Generated => Choice::Generated,
            ApparmorProfile::Named(name) => Choice::Named(name.clone()),
            ApparmorProfile::Unchanged => Choice::Unchanged,
        },
    }
}

impl Owner {
    /// Gives a running container the rules that its configuration says now.
    pub(super) async fn follow_apparmor(&self, before: &Instance, after: &Instance) -> Result<(), Error> {
        let changed = |key| get(&before.expanded_config, key) != get(&after.expanded_config, key);
        let Some(live) = self.entry().live().filter(|_| LIVE.into_iter().any(changed)) else {
            return Ok(());
        };
        let config = Effective::parse(&after.expanded_config)?;
        self.context.apparmor.load(self.name(), &wish(&config, live.idmap.is_none())).await.map(drop)
    }
}
