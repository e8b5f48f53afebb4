//! Which ids of the host a container gets.

use super::owner::Owner;
use super::registry::{Entry, Registry};
use crate::Error;
use crate::platform::Platform;
use api::Config;
use api::instances::Instance;
use model::IdMap;
use model::config::{Effective, get, is_true};
use model::expand::Checked;
use model::idmap::{Allocation, MIN_IDS, Taken, for_container};

/// A container that is isolated keeps its ids until one of these changes.
const KEYS: [&str; 4] =
    ["security.idmap.base", "security.idmap.isolated", "security.idmap.size", "security.privileged"];
/// The first id of its own range.
const BASE: &str = "volatile.idmap.base";

impl Owner {
    /// The ids for the next start.
    pub(super) fn allocate_ids(&self, checked: &Checked) -> Result<Allocation, Error> {
        let kept = self.record.config.get(BASE).and_then(|base| base.parse().ok());
        let daemon = self.context.platform.idmap();
        let taken = taken(&self.context.registry, self.name(), daemon);
        for_container(daemon, &checked.config.idmapping, kept, &taken).map_err(Error::Idmap)
    }

    /// Gives up the range of a container whose keys about ids have changed: it gets another one at
    /// its next start. What runs keeps its ids until then.
    pub(super) async fn forget_ids(&mut self, before: &Instance, after: &Instance) -> Result<(), Error> {
        let changed = |key| get(&before.expanded_config, key) != get(&after.expanded_config, key);
        if !self.record.config.contains_key(BASE) || !KEYS.into_iter().any(changed) {
            return Ok(());
        }
        self.save_keys(Config::from([(BASE.to_owned(), String::new())])).await
    }
}

/// The ranges of all other containers.
fn taken(registry: &Registry, name: &str, daemon: Option<&IdMap>) -> Vec<Taken> {
    let others = registry.all();
    let others = others.iter().filter(|entry| entry.view().name != name);
    others.flat_map(|entry| [chosen(&entry.view()), running(entry, daemon)]).flatten().collect()
}

/// The ids that a container has, or gets at its next start: `Some(None)` for a privileged one, `None` when
/// nobody knows yet because its first start will choose a range.
pub(crate) fn map_of(
    registry: &Registry,
    platform: &Platform,
    entry: &Entry,
) -> Result<Option<Option<IdMap>>, Error> {
    if let Some(live) = entry.live() {
        return Ok(Some(live.idmap.clone()));
    }
    let view = entry.view();
    let config = Effective::parse(&view.expanded_config)?;
    if config.privileged {
        return Ok(Some(None));
    }
    let kept = view.config.get(BASE).and_then(|base| base.parse().ok());
    if config.idmapping.isolated && kept.is_none() && config.idmapping.base.is_none() {
        return Ok(None);
    }
    let taken = taken(registry, &view.name, platform.idmap());
    let allocation =
        for_container(platform.idmap(), &config.idmapping, kept, &taken).map_err(Error::Idmap)?;
    Ok(Some(Some(allocation.map)))
}

/// The range that an isolated container has been given.
fn chosen(view: &Instance) -> Option<Taken> {
    let config = &view.expanded_config;
    get(config, "security.idmap.isolated").filter(|value| is_true(value))?;
    let base = view.config.get(BASE)?.parse().ok()?;
    let size = get(config, "security.idmap.size").and_then(|size| size.parse().ok());
    Some(Taken { base, size: size.unwrap_or(MIN_IDS) })
}

/// The range that a running container has, which may be another one since it was started.
fn running(entry: &Entry, daemon: Option<&IdMap>) -> Option<Taken> {
    let live = entry.live()?;
    let map = live.idmap.as_ref()?;
    let shared = daemon?.uids.first()?;
    let end = u64::from(shared.host) + u64::from(shared.count);
    // What shares the daemon's whole map has no range of its own.
    if map.uids.iter().chain(&map.gids).any(|range| range.host == shared.host) {
        return None;
    }
    let own =
        map.uids.iter().chain(&map.gids).filter(|range| {
            range.host > shared.host && u64::from(range.host) + u64::from(range.count) <= end
        });
    let (mut first, mut last) = (u32::MAX, 0);
    for range in own {
        first = first.min(range.host);
        last = last.max(range.host + range.count);
    }
    (first < last).then(|| Taken { base: first, size: last - first })
}
