//! After a crash: what was half-made and what was half-deleted goes.

use super::mounts::{make_directory, remove_directory};
use super::names::Device;
use super::{State, names, zombies};
use crate::block;
use crate::drivers::Repaired;
use crate::error::{Error, io_error};
use crate::paths::{PRIVATE, TEMPORARY};
use crate::pool::blocking;
use crate::volume::Volume;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use tools::rbd::Row;

impl State {
    pub(super) async fn repair(self: &Arc<Self>) -> Result<Repaired, Error> {
        let mut repaired = Repaired::default();
        self.unmount_drafts().await?;
        let rows = self.rbd.list_all().await?;
        for left in left_behind(&rows) {
            let path = PathBuf::from(&left.device);
            let mended = match &left.what {
                Left::Exchange(volume) => self.mend_exchange(volume).await.map(|()| true),
                Left::Move(from, to) => self.rename(from, to).await.map(|()| true),
                Left::Viewed(volume) => match self.unmount_volume(volume).await {
                    Ok(()) => self.retire_unless_used(&left.device).await,
                    Err(error) => Err(error),
                },
                Left::Garbage => self.retire_unless_used(&left.device).await,
            };
            match mended {
                Ok(true) => repaired.removed.push(path),
                Ok(false) => {}
                Err(error) => repaired.failed.push((path, error)),
            }
        }
        self.make_mount_points(&rows).await?;
        self.unmap_unused().await?;
        self.sweep_later(&rows);
        Ok(repaired)
    }

    /// Another host with the same OSD pool may be making it just now.
    async fn retire_unless_used(self: &Arc<Self>, device: &str) -> Result<bool, Error> {
        self.unmap(device).await?;
        if self.rbd.is_used(device).await? {
            return Ok(false);
        }
        self.retire(device).await
    }

    fn sweep_later(self: &Arc<Self>, rows: &[Row]) {
        let idle = zombies::idle(rows, &self.rbd.pool);
        let state = self.clone();
        self.removals.spawn(async move {
            if let Err(error) = state.sweep(idle).await {
                tracing::warn!(pool = %state.pool, error = &error as &dyn std::error::Error, "cannot remove deleted volumes; the next start tries again");
            }
        });
    }

    async fn unmount_drafts(&self) -> Result<(), Error> {
        let drafts = self.paths.drafts();
        let found = blocking(move || {
            let mut found = Vec::new();
            for entry in std::fs::read_dir(&drafts).map_err(io_error("read", &drafts))? {
                let entry = entry.map_err(io_error("read", &drafts))?;
                if entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
                    found.push(entry.path());
                }
            }
            Ok(found)
        });
        for path in found.await? {
            block::unmount(&path).await?;
            remove_directory(&path)?;
        }
        Ok(())
    }

    /// A pool that was used on another host has none here.
    async fn make_mount_points(&self, rows: &[Row]) -> Result<(), Error> {
        let volumes = rows.iter().filter(|row| row.snapshot.is_none()).map(|row| Device::parse(&row.image));
        let mut paths = Vec::new();
        for volume in volumes {
            match volume {
                Device::Volume(volume) if volume.parent().is_none() => paths.push(self.paths.volume(&volume)),
                _ => {}
            }
        }
        blocking(move || paths.iter().try_for_each(|path| make_directory(path, PRIVATE).map(drop))).await
    }

    /// Takes back from the kernel what nobody has mounted, in whichever mount namespace.
    async fn unmap_unused(&self) -> Result<(), Error> {
        // What is mounted here need not be tried: with many containers that would take its time.
        let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
        for mapping in self.mappings().await? {
            let mounted = mounts.contains(&format!(" {} ", mapping.path.display()));
            // The kernel keeps what is mounted elsewhere.
            if !mounted {
                self.unmap_path(&mapping.path, 1).await?;
            }
        }
        Ok(())
    }
}

/// A device that a crash left behind.
#[derive(Debug, PartialEq, Eq)]
struct LeftBehind {
    device: String,
    what: Left,
}

#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// It goes.
    Garbage,
    /// What a snapshot was looked at by.
    Viewed(Volume),
    /// What a volume was before it became something else, or did not.
    Exchange(Volume),
    /// The first volume was to be renamed to the second one.
    Move(Volume, Volume),
}

fn left_behind(rows: &[Row]) -> Vec<LeftBehind> {
    let snapshots: BTreeSet<(&str, &str)> =
        rows.iter().filter_map(|row| Some((row.image.as_str(), row.snapshot.as_deref()?))).collect();
    let devices: BTreeSet<&str> = rows.iter().map(|row| row.image.as_str()).collect();
    let has = |device: &str| devices.contains(device);
    let moved = |of: &Volume| {
        let from = |device: &str| matches!(Device::parse(device), Device::Moving(from, _) if from == *of);
        devices.iter().any(|device| from(device))
    };
    // Of a snapshot with a device of its own: an exchange that did not take place got no further, or a
    // copy, whose snapshots are made before it.
    let useless = |volume: &Volume, of: &Volume| {
        let device = names::device(of);
        snapshots.contains(&(device.as_str(), names::snapshot_of(volume).as_str()))
            || (!has(&device) && !has(&names::old(of)) && !moved(of))
    };
    let mut left = Vec::new();
    for row in rows.iter().filter(|row| row.snapshot.is_none()) {
        let what = match Device::parse(&row.image) {
            Device::Draft => Left::Garbage,
            Device::View(volume) => Left::Viewed(volume),
            Device::Old(volume) => Left::Exchange(volume),
            Device::Moving(from, to) => Left::Move(from, to),
            Device::Volume(volume) if volume.parent().is_some_and(|of| useless(&volume, &of)) => {
                Left::Garbage
            }
            _ => continue,
        };
        left.push(LeftBehind { device: row.image.clone(), what });
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::InstanceName;

    #[test]
    fn drafts_views_and_halves_of_exchanges_are_left_behind() {
        let row = |image: &str, snapshot: Option<&str>| Row {
            image: image.to_owned(),
            snapshot: snapshot.map(str::to_owned),
            parent: None,
        };
        let container = |name| Volume::Container(InstanceName::parse(name).unwrap());
        let rows = [
            row("lxd_rbd", None),
            row("tmp_1", None),
            row("tmp_1", Some("snapshot_a")),
            row("container_c1", None),
            row("container_c1", Some("snapshot_both")),
            row("snapshots_c1_both", None),
            row("snapshots_c1_only", None),
            row("staged_container_c1", None),
            row("old_container_c1", None),
            row("zombie_container_c2_1", None),
            row("vm-disk", None),
            // A copy that was not finished, an exchange and a move that will be.
            row("snapshots_c3_a", None),
            row("old_container_c4", None),
            row("snapshots_c4_a", None),
            row("moving_container_c5=container_c6", None),
            row("snapshots_c5_a", None),
        ];
        let left = |device: &str, what| LeftBehind { device: device.to_owned(), what };
        assert_eq!(
            left_behind(&rows),
            [
                left("tmp_1", Left::Garbage),
                left("snapshots_c1_both", Left::Garbage),
                left("old_container_c1", Left::Exchange(container("c1"))),
                left("snapshots_c3_a", Left::Garbage),
                left("old_container_c4", Left::Exchange(container("c4"))),
                left("moving_container_c5=container_c6", Left::Move(container("c5"), container("c6"))),
            ]
        );
    }
}
