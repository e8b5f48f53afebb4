//! Running containers hear of devices of the host that come and go.

use super::Instances;
use super::owner::{Owner, Request};
use crate::devices::{self, Running};
use api::Config;
use std::collections::BTreeSet;
use std::time::Duration;

/// What comes in several steps (a directory, a node, its owner) is looked at once.
const SETTLE: Duration = Duration::from_millis(50);

impl Instances {
    /// Tells the owners of containers that wait for devices, for as long as the daemon runs.
    pub(crate) async fn watch_devices(self) {
        let watch = devices::Watch::open();
        let context = &self.context;
        loop {
            let waiting: Vec<_> = context
                .registry
                .all()
                .into_iter()
                .filter(|entry| {
                    entry.live().is_some() && devices::any_dynamic(&entry.view().expanded_devices)
                })
                .collect();
            let paths: BTreeSet<_> =
                waiting.iter().flat_map(|entry| devices::awaited(&entry.view().expanded_devices)).collect();
            let paths = tokio::task::spawn_blocking(move || devices::Paths::watch(&paths));
            let Ok(paths) = paths.await else { return };
            for entry in waiting {
                entry.tell(Request::CatchUp).await;
            }
            tokio::select! {
                () = context.hotplug.notified() => {}
                () = watch.changed(&paths) => tokio::time::sleep(SETTLE).await,
            }
        }
    }
}

impl Owner {
    /// Makes the devices of a running container what they should be.
    pub(super) async fn catch_up(&mut self) {
        let Some(live) = self.entry().live() else { return };
        let context = self.context.clone();
        let (name, config) = (self.name().to_owned(), self.record.config.clone());
        let expanded = self.entry().view().expanded_devices.clone();
        let running = Running { context: &context, name: &name, live, config: &config, keys: Config::new() };
        devices::catch_up(&running, &expanded).await;
    }
}
