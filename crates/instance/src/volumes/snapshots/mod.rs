//! Snapshots of custom volumes: what a volume was, its files and its keys. Those of containers are
//! only looked at here.

mod create;
mod delete;
mod expiry;
mod rename;
mod restore;
mod update;

use super::catalog::Held;
use super::{Place, VolumeKind, Volumes, view};
use crate::Error;
use api::storage::VolumeSnapshot;
use std::sync::Arc;

/// What those say who want to change a container's snapshots here.
const OF_CONTAINERS: &str = "snapshots of containers are changed with their containers; images have none";

impl Volumes {
    /// The snapshots of a volume, oldest first.
    ///
    /// # Errors
    /// Not found.
    pub async fn snapshots(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
    ) -> Result<Vec<VolumeSnapshot>, Error> {
        match kind {
            VolumeKind::Custom => {
                let held = self.held(pool, name)?;
                Ok(held.snapshots.iter().map(|snapshot| view::snapshot(&held, snapshot)).collect())
            }
            VolumeKind::Image => self.get(pool, kind, name).await.map(|_| Vec::new()),
            VolumeKind::Container => {
                let volume = self.get(pool, kind, name).await?;
                let entry = self.inner.registry.get(name)?;
                let shown = |snapshot: &Arc<store::snapshots::Snapshot>| VolumeSnapshot {
                    config: volume.config.clone(),
                    description: snapshot.content.description.clone(),
                    name: format!("{name}/{}", snapshot.name),
                    content_type: volume.content_type.clone(),
                    created_at: snapshot.created_at,
                    expires_at: Some(snapshot.expires_at).filter(|time| time.is_set()),
                };
                Ok(entry.snapshots().iter().map(shown).collect())
            }
        }
    }

    /// One snapshot.
    ///
    /// # Errors
    /// Not found.
    pub async fn snapshot(
        &self,
        pool: &str,
        kind: VolumeKind,
        name: &str,
        snapshot: &str,
    ) -> Result<VolumeSnapshot, Error> {
        let full_name = format!("{name}/{snapshot}");
        let all = self.snapshots(pool, kind, name).await?;
        let found = all.into_iter().find(|snapshot| snapshot.name == full_name);
        found.ok_or_else(|| Error::not_found("Snapshot", &full_name))
    }

    fn held(&self, pool: &str, name: &str) -> Result<Arc<Held>, Error> {
        self.inner.pools.get(pool)?;
        self.inner.catalog.get(&Place::parse(pool, name)?)
    }

    /// Tells listeners that something happened to a snapshot.
    fn tell_snapshot(&self, action: &str, place: &Place, name: &str, old_name: Option<&str>) {
        let source = format!("{}/snapshots/{name}", place.url());
        self.tell_of(&format!("snapshot-{action}"), source, old_name.map(|old| ("old_name", old)));
    }
}
