//! Zombies: deleted devices and snapshots that others share data with. Each goes when the last of them
//! does, and what it was made of may follow. Nothing goes here that is not called a zombie.

use super::{State, is, names};
use crate::error::Error;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use tools::rbd::{Parent, Row};

/// How often and after how long a device is tried again that somebody still has.
const TRIES: u32 = 15;
const PAUSE: Duration = Duration::from_secs(1);

impl State {
    /// Removes a zombie in the background.
    pub(super) fn reap_later(self: &Arc<Self>, device: String) {
        let state = self.clone();
        self.removals.spawn(async move {
            if let Err(error) = state.reap(device.clone()).await {
                tracing::warn!(
                    device,
                    error = &error as &dyn std::error::Error,
                    "cannot remove a deleted volume; the next start tries again"
                );
            }
        });
    }

    /// Removes a zombie unless it has clones, and then those among its ancestors that were there for it.
    pub(super) async fn reap(&self, device: String) -> Result<(), Error> {
        let _turn = self.reaping.lock().await;
        let mut next = Some(device);
        while let Some(device) = next.take() {
            next = self.reap_one(&device).await?;
        }
        Ok(())
    }

    /// Returns a zombie that may follow.
    async fn reap_one(&self, device: &str) -> Result<Option<String>, Error> {
        let (info, snapshots) = tokio::try_join!(self.rbd.info(device), self.rbd.snapshots(device))?;
        let (Some(info), Some(snapshots)) = (info, snapshots) else { return Ok(None) };
        let mut left = false;
        for snapshot in snapshots {
            left |= !self.drop_snapshot(device, &snapshot.name, snapshot.protected).await?;
        }
        if left {
            return Ok(None);
        }
        let mut tries = 1;
        loop {
            // It may have had another name when it was mapped.
            for mapping in self.mappings().await?.into_iter().filter(|mapping| mapping.id == info.id) {
                self.unmap_path(&mapping.path, 1).await?;
            }
            let result = self.rbd.remove(device).await;
            if is(&result, Errno::NOENT) {
                break;
            }
            if !is(&result, Errno::BUSY) || tries == TRIES {
                result?;
                break;
            }
            tries += 1;
            tokio::time::sleep(PAUSE).await;
        }
        match info.parent {
            Some(parent) => self.follow(&parent).await,
            None => Ok(None),
        }
    }

    /// What was a device's parent may go. Returns it if it is a zombie.
    async fn follow(&self, parent: &Parent) -> Result<Option<String>, Error> {
        if parent.pool != self.rbd.pool {
            return Ok(None);
        }
        if parent.image.starts_with(names::ZOMBIE) {
            return Ok(Some(parent.image.clone()));
        }
        self.drop_if_zombie(&parent.image, &parent.snapshot).await.map(|()| None)
    }

    /// [`follow`](Self::follow), for a device that is no clone any more.
    pub(super) async fn leave(&self, parent: &Parent) -> Result<(), Error> {
        match self.follow(parent).await? {
            Some(zombie) => self.reap(zombie).await,
            None => Ok(()),
        }
    }

    pub(super) async fn drop_if_zombie(&self, device: &str, snapshot: &str) -> Result<(), Error> {
        if snapshot.starts_with(names::ZOMBIE) {
            self.drop_snapshot(device, snapshot, true).await?;
        }
        Ok(())
    }

    /// Removes a snapshot unless it has clones. False: it has.
    async fn drop_snapshot(&self, device: &str, snapshot: &str, protected: bool) -> Result<bool, Error> {
        if protected {
            let result = self.rbd.snap_unprotect(device, snapshot).await;
            if is(&result, Errno::BUSY) {
                return Ok(false);
            }
            if is(&result, Errno::NOENT) {
                return Ok(true);
            }
            result?;
        }
        let result = self.rbd.snap_remove(device, snapshot).await;
        if !is(&result, Errno::NOENT) {
            result?;
        }
        Ok(true)
    }

    /// Removes zombies that are there for nobody, which only a crash leaves behind.
    pub(super) async fn sweep(&self, idle: Idle) -> Result<(), Error> {
        for (device, snapshot) in idle.snapshots {
            let _turn = self.reaping.lock().await;
            self.drop_snapshot(&device, &snapshot, true).await?;
        }
        for device in idle.devices {
            self.reap(device).await?;
        }
        Ok(())
    }
}

/// Zombies without clones.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Idle {
    pub(super) devices: Vec<String>,
    /// Of devices that are no zombies.
    pub(super) snapshots: Vec<(String, String)>,
}

/// To be called before anybody makes anything: a copy in the making looks the same.
pub(super) fn idle(rows: &[Row], pool: &str) -> Idle {
    let parents = || rows.iter().filter_map(|row| row.parent.as_ref()).filter(|parent| parent.pool == pool);
    let cloned: BTreeSet<&str> = parents().map(|parent| parent.image.as_str()).collect();
    let snapshots: BTreeSet<(&str, &str)> =
        parents().map(|parent| (parent.image.as_str(), parent.snapshot.as_str())).collect();
    let mut idle = Idle::default();
    for row in rows {
        let device = row.image.as_str();
        match &row.snapshot {
            None if device.starts_with(names::ZOMBIE) && !cloned.contains(device) => {
                idle.devices.push(device.to_owned());
            }
            Some(snapshot)
                if snapshot.starts_with(names::ZOMBIE)
                    && !device.starts_with(names::ZOMBIE)
                    && !snapshots.contains(&(device, snapshot)) =>
            {
                idle.snapshots.push((device.to_owned(), snapshot.clone()));
            }
            _ => {}
        }
    }
    idle
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(image: &str, snapshot: Option<&str>, parent: Option<(&str, &str, &str)>) -> Row {
        let parent = parent.map(|(pool, image, snapshot)| Parent {
            pool: pool.to_owned(),
            image: image.to_owned(),
            snapshot: snapshot.to_owned(),
        });
        Row { image: image.to_owned(), snapshot: snapshot.map(str::to_owned), parent }
    }

    #[test]
    fn what_has_clones_stays_and_what_is_no_zombie_too() {
        let rows = [
            row("zombie_image_a", None, None),
            row("zombie_image_a", Some("readonly"), None),
            row("zombie_image_b", None, None),
            row("zombie_image_b", Some("readonly"), None),
            row("container_c1", None, Some(("rbd", "zombie_image_a", "readonly"))),
            row("container_c1", Some("snapshot_zombie_x"), None),
            row("container_c1", Some("zombie_snapshot_1"), None),
            row("container_c1", Some("zombie_snapshot_2"), None),
            row("container_c2", None, Some(("rbd", "container_c1", "zombie_snapshot_1"))),
            // A pool with the same names.
            row("elsewhere", None, Some(("other", "zombie_image_b", "readonly"))),
            row("custom_zombie_x", None, None),
        ];
        assert_eq!(
            idle(&rows, "rbd"),
            Idle {
                devices: vec!["zombie_image_b".into()],
                snapshots: vec![("container_c1".into(), "zombie_snapshot_2".into())],
            }
        );
    }
}
