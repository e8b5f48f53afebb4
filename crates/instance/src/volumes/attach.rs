//! Volumes in running containers: mounted in their pool for as long as a container has them.

use super::catalog::Held;
use super::{Place, Volumes};
use crate::Error;
use model::IdMap;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use storage::Mounted;

/// Which running containers have which volumes, one entry for each device.
#[derive(Clone, Default)]
pub(crate) struct Attachments(Arc<Mutex<HashMap<Place, Vec<String>>>>);

/// A volume that a container has: it stays mounted until this is dropped.
pub(crate) struct Attached {
    attachments: Attachments,
    place: Place,
    container: String,
    shift: bool,
    path: PathBuf,
    _mounted: Mounted,
}

impl Attached {
    /// Where its files are.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the mount in the container has to map ids: the files have the container's own.
    pub(crate) fn shift(&self) -> bool {
        self.shift
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let mut all = self.attachments.all();
        let Some(containers) = all.get_mut(&self.place) else { return };
        if let Some(at) = containers.iter().position(|name| *name == self.container) {
            containers.swap_remove(at);
        }
        if containers.is_empty() {
            all.remove(&self.place);
        }
    }
}

impl Attachments {
    fn all(&self) -> MutexGuard<'_, HashMap<Place, Vec<String>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The containers that have a volume, each once.
    pub(super) fn of(&self, place: &Place) -> Vec<String> {
        let mut containers = self.all().get(place).cloned().unwrap_or_default();
        containers.sort();
        containers.dedup();
        containers
    }

    fn add(&self, held: &Held, container: &str, shift: bool, mounted: Mounted) -> Attached {
        self.all().entry(held.place.clone()).or_default().push(container.to_owned());
        Attached {
            attachments: self.clone(),
            place: held.place.clone(),
            container: container.to_owned(),
            shift,
            path: mounted.path().to_owned(),
            _mounted: mounted,
        }
    }
}

impl Volumes {
    /// Gives a container a volume: with files that belong to its users, who have these ids of the host
    /// (`None`: it is privileged).
    ///
    /// # Errors
    /// It is not there; others use it who have other ids.
    pub(crate) async fn attach(
        &self,
        place: &Place,
        container: &str,
        idmap: Option<&IdMap>,
    ) -> Result<Attached, Error> {
        {
            let _turn = self.inner.turns.shared(place).await;
            let held = self.inner.catalog.get(place)?;
            if held.fits(idmap)? {
                return self.hold(&held, container).await;
            }
        }
        let _turn = self.inner.turns.alone(place).await;
        let held = self.inner.catalog.get(place)?;
        if !held.fits(idmap)? {
            self.same_ids(&held, container, idmap)?;
            self.change_ids(&held, idmap).await?;
        }
        let held = self.inner.catalog.get(place)?;
        self.hold(&held, container).await
    }

    /// Keeps a volume mounted that a container has already.
    pub(crate) async fn attach_again(&self, place: &Place, container: &str) -> Result<Attached, Error> {
        let held = self.inner.catalog.get(place)?;
        self.hold(&held, container).await
    }

    /// A volume's files, for as long as the result lives.
    pub(crate) async fn mount(&self, place: &Place) -> Result<Mounted, Error> {
        let held = self.inner.catalog.get(place)?;
        let pool = self.inner.pools.usable(&place.pool)?;
        Ok(pool.mount_volume(&place.volume(), &held.config(&pool)?).await?)
    }

    async fn hold(&self, held: &Held, container: &str) -> Result<Attached, Error> {
        let mounted = self.mount(&held.place).await?;
        Ok(self.inner.attachments.add(held, container, held.is_shifted(), mounted))
    }
}
