//! Pools that could not be used when the daemon started come back when what they are on does.

use super::{Held, Pools, mount};
use crate::catalog::Stamp;
use crate::instances::Instances;
use std::sync::Arc;
use std::time::Duration;
use store::journal::JournalId;

/// How often a pool that cannot be used is tried.
const PAUSE: Duration = Duration::from_secs(10);

impl Pools {
    /// Tries pools that cannot be used, for as long as the daemon runs. When one can be used again, what
    /// was `left` to repair because of it is repaired.
    pub(crate) async fn await_devices(self, instances: Instances, mut left: Vec<JournalId>) {
        loop {
            tokio::time::sleep(PAUSE).await;
            for held in self.table.all() {
                if held.unavailable.is_some() && self.try_again(&held).await {
                    left = instances.repair_rest(left).await;
                }
            }
        }
    }

    /// True: it can be used from now on.
    async fn try_again(&self, held: &Arc<Held>) -> bool {
        let stamp = Stamp::take();
        if mount(&held.pool).await.is_err() {
            // Why was told when the daemon started.
            return false;
        }
        let name = held.record.name.clone();
        tracing::info!(pool = %name, "the pool can be used again");
        let known = Held { record: held.record.clone(), pool: held.pool.clone(), unavailable: None };
        self.table.insert(stamp, name.as_str(), known);
        true
    }
}
