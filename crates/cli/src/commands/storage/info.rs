//! `lxc storage info`.

use crate::args::Format;
use crate::output::{self, object, sizes};
use crate::session::{Session, Target};
use crate::yaml;
use api::storage::{Pool, PoolResources};
use serde::Serialize;
use std::collections::BTreeMap;

/// What servers say of a pool that cannot be used.
const UNAVAILABLE: &str = "Unavailable";

/// All there is to know about a pool.
#[derive(Serialize)]
struct Known {
    #[serde(flatten)]
    pool: Pool,
    /// None: the pool is unavailable.
    #[serde(flatten)]
    resources: Option<PoolResources>,
}

pub(crate) async fn run(
    session: &Session,
    pool: &str,
    bytes: bool,
    format: Option<Format>,
) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(pool, "storage pool")?;
    let (pool, resources) = tokio::join!(client.pool(&name), client.pool_resources(&name));
    let mut pool = pool?.value;
    pool.used_by.sort_unstable();
    let resources = if pool.status == UNAVAILABLE { resources.ok() } else { Some(resources?) };
    let known = Known { pool, resources };
    match format {
        Some(format) => object::show(format, &known),
        None => Ok(output::print(&describe(known, bytes)?)?),
    }
}

fn describe(Known { pool, resources }: Known, bytes: bool) -> anyhow::Result<String> {
    let size = |count: u64| if bytes { count.to_string() } else { sizes::unsigned(count) };
    let mut info =
        BTreeMap::from([("description", pool.description), ("driver", pool.driver), ("name", pool.name)]);
    if let Some(resources) = resources {
        info.insert("space used", size(resources.space.used));
        info.insert("total space", size(resources.space.total));
    }
    if pool.status == UNAVAILABLE {
        info.insert("status", pool.status);
        info.insert("reason", pool.reason);
    }
    let mut used_by: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for url in &pool.used_by {
        // `/1.0/containers/c1`, `/1.0/storage-pools/p/volumes/custom/v`
        let path = url.split('?').next().unwrap_or_default();
        let mut segments = path.rsplit('/');
        if let (Some(name), Some(kind)) = (segments.next(), segments.next()) {
            used_by.entry(kind).or_default().push(name);
        }
    }
    used_by.values_mut().for_each(|names| names.sort_unstable());
    Ok(yaml::to_string(&BTreeMap::from([("info", info)]))?
        + &yaml::to_string(&BTreeMap::from([("used by", used_by)]))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pool_that_cannot_be_used_says_why() {
        let pool: Pool = serde_json::from_value(serde_json::json!({
            "name": "p", "driver": "btrfs", "status": "Unavailable", "reason": "no such device",
            "used_by": ["/1.0/storage-pools/p/volumes/custom/v", "/1.0/containers/b", "/1.0/containers/a"]
        }))
        .unwrap();
        let expected = "info:\n  description: \"\"\n  driver: btrfs\n  name: p\n  reason: no such device\n  \
                        status: Unavailable\nused by:\n  containers:\n  - a\n  - b\n  custom:\n  - v\n";
        assert_eq!(describe(Known { pool, resources: None }, false).unwrap(), expected);
    }
}
