//! After a crash: what was half-made and what was half-deleted goes.

use super::trash::{HIDDEN_TEMPORARY, HIDDEN_TRASH};
use super::volume::names;
use super::{HALF_NAMED, State};
use crate::drivers::Repaired;
use crate::error::Error;
use crate::paths::{PARTS, TEMPORARY, TRASH};
use crate::pool::blocking;
use crate::volume::{Kind, Volume};
use std::path::PathBuf;
use std::sync::Arc;

impl State {
    pub(super) async fn repair(self: &Arc<Self>) -> Result<Repaired, Error> {
        let mut repaired = Repaired::default();
        for kind in [Kind::Container, Kind::Custom] {
            self.repair_half_named(kind, &mut repaired).await?;
        }
        let state = self.clone();
        let left = blocking(move || state.left_behind()).await?;
        for path in left {
            match self.remove(&path).await {
                Ok(()) => repaired.removed.push(path),
                Err(error) => repaired.failed.push((path, error)),
            }
        }
        Ok(repaired)
    }

    /// Takes back volumes that were killed while they and their snapshots were named: the snapshots
    /// first, for it is the volume that tells whose they are.
    async fn repair_half_named(&self, kind: Kind, repaired: &mut Repaired) -> Result<(), Error> {
        let directory = self.paths.kind(kind);
        let of = directory.clone();
        for name in blocking(move || names(&of)).await? {
            let own = name.strip_prefix(HALF_NAMED);
            let Some(volume) = own.and_then(|own| Volume::parse(kind, "", own)) else { continue };
            let path = directory.join(&name);
            let removed = match self.remove(&self.paths.snapshots(&volume)).await {
                Ok(()) => self.remove(&path).await,
                Err(error) => Err(error),
            };
            match removed {
                Ok(()) => repaired.removed.push(path),
                Err(error) => repaired.failed.push((path, error)),
            }
        }
        Ok(())
    }

    fn left_behind(&self) -> Result<Vec<PathBuf>, Error> {
        let is_left = |name: &str| name.starts_with(TEMPORARY) || name.starts_with(TRASH);
        self.forget_wholes()?;
        let mut left = Vec::new();
        for (part, _) in PARTS {
            let directory = self.paths.part(part);
            let holds_snapshots = Kind::ALL.iter().any(|kind| kind.is_snapshot() && kind.part() == part);
            for name in names(&directory)? {
                let path = directory.join(&name);
                if is_left(&name) {
                    left.push(path);
                    continue;
                }
                if !holds_snapshots || name.starts_with('.') {
                    continue;
                }
                let inner = names(&path)?;
                let is_left =
                    |name: &&String| name.starts_with(HIDDEN_TEMPORARY) || name.starts_with(HIDDEN_TRASH);
                left.extend(inner.iter().filter(is_left).map(|name| path.join(name)));
                if inner.is_empty() {
                    // The last one went, and the crash came.
                    let _ = std::fs::remove_dir(&path);
                }
            }
        }
        Ok(left)
    }
}
