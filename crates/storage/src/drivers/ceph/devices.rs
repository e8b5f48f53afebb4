//! Devices of the kernel: which ones there are, made and taken back.
//!
//! The kernel tells what is mapped in `/sys/bus/rbd/devices` (its
//! `Documentation/ABI/testing/sysfs-bus-rbd`), by the name that a device had when it was mapped: what was
//! renamed since is told apart by its id.

use super::{State, is};
use crate::block;
use crate::error::{Error, io_error};
use crate::pool::blocking;
use rustix::io::Errno;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

const DEVICES: &str = "/sys/bus/rbd/devices";
/// How often and after how long it is tried again to unmap what udev or somebody else looks at.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(100);
/// The kernel refuses to map what has more ancestors.
const ANCESTORS: usize = 16;

/// A device of the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mapping {
    /// `/dev/rbd<n>`
    pub(super) path: PathBuf,
    pub(super) name: String,
    pub(super) id: String,
}

/// What is mapped of a pool, its snapshots aside.
fn mappings(devices: &Path, fsid: &str, pool: &str) -> Result<Vec<Mapping>, Error> {
    let entries = match std::fs::read_dir(devices) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(io_error("read", devices)(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error("read", devices))?.path();
        // One that goes away meanwhile is none.
        let read = |file: &str| std::fs::read_to_string(path.join(file)).ok();
        let is = |file, value: &str| read(file).is_none_or(|text| text.trim_end_matches('\n') == value);
        let (Some(name), Some(number)) = (read("name"), path.file_name().and_then(|name| name.to_str()))
        else {
            continue;
        };
        if is("pool", pool) && is("pool_ns", "") && is("cluster_fsid", fsid) && is("current_snap", "-") {
            found.push(Mapping {
                path: PathBuf::from(format!("/dev/rbd{number}")),
                name: name.trim_end_matches('\n').to_owned(),
                id: read("image_id").unwrap_or_default().trim().to_owned(),
            });
        }
    }
    Ok(found)
}

impl State {
    pub(super) async fn fsid(&self) -> Result<&str, Error> {
        Ok(self.fsid.get_or_try_init(|| self.rbd.access.fsid()).await?)
    }

    /// What this host has mapped of the pool.
    pub(super) async fn mappings(&self) -> Result<Vec<Mapping>, Error> {
        // Nothing is mapped on a host that has not even loaded the kernel's module.
        if !Path::new(DEVICES).exists() {
            return Ok(Vec::new());
        }
        let (fsid, pool) = (self.fsid().await?.to_owned(), self.rbd.pool.clone());
        blocking(move || mappings(Path::new(DEVICES), &fsid, &pool)).await
    }

    /// What was mapped by this name.
    pub(super) async fn mapped(&self, device: &str) -> Result<Vec<Mapping>, Error> {
        let mut mappings = self.mappings().await?;
        mappings.retain(|mapping| mapping.name == device);
        Ok(mappings)
    }

    /// Maps a device, unless it is.
    pub(super) async fn map(&self, device: &str) -> Result<PathBuf, Error> {
        let mapped = self.mapped(device).await?;
        if !mapped.is_empty()
            && let Some(info) = self.rbd.info(device).await?
            && let Some(same) = mapped.into_iter().find(|mapping| mapping.id == info.id)
        {
            return Ok(same.path);
        }
        let result = self.rbd.map(device).await;
        if is(&result, Errno::INVAL) && self.ancestors(device).await? > ANCESTORS {
            self.part_from_ancestors(device).await?;
            return Ok(self.rbd.map(device).await?);
        }
        Ok(result?)
    }

    /// How many devices share their data with one because it was made of them, and they of each other.
    async fn ancestors(&self, device: &str) -> Result<usize, Error> {
        let (mut count, mut next) = (0, device.to_owned());
        while let Some(parent) = self.rbd.info(&next).await?.and_then(|info| info.parent) {
            count += 1;
            next = parent.image;
            if parent.pool != self.rbd.pool || count > 10 * ANCESTORS {
                break;
            }
        }
        Ok(count)
    }

    /// Copies what a device shares with its ancestors.
    async fn part_from_ancestors(&self, device: &str) -> Result<(), Error> {
        let parent = self.rbd.info(device).await?.and_then(|info| info.parent);
        self.rbd.flatten(device).await?;
        if let Some(parent) = parent {
            self.leave(&parent).await?;
        }
        Ok(())
    }

    /// Takes what was mapped by this name back from the kernel. False: something still uses it, and keeps
    /// it until it ends or the next start.
    pub(super) async fn unmap(&self, device: &str) -> Result<bool, Error> {
        let mut free = true;
        for mapping in self.mapped(device).await? {
            free &= self.unmap_path(&mapping.path, TRIES).await?;
        }
        Ok(free)
    }

    /// [`unmap`](Self::unmap) of one device.
    pub(super) async fn unmap_path(&self, path: &Path, tries: u32) -> Result<bool, Error> {
        for left in (0..tries).rev() {
            let result = self.rbd.unmap(path).await;
            if !is(&result, Errno::BUSY) {
                // Somebody else did it.
                return if path.exists() { Ok(result.map(|()| true)?) } else { Ok(true) };
            }
            if left > 0 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(false)
    }

    /// [`unmap`](Self::unmap), for those who must be sure that nobody writes to a device any more.
    pub(super) async fn unmap_for_good(&self, device: &str) -> Result<(), Error> {
        if self.unmap(device).await? {
            return Ok(());
        }
        let why = "something still uses its files; stop that and try again".to_owned();
        Err(self.cannot(format!("change {device}"), why))
    }

    /// Mounts a device.
    pub(super) async fn mount_device(
        &self,
        device: &str,
        target: &Path,
        options: Option<&str>,
        read_only: bool,
    ) -> Result<(), Error> {
        let path = self.map(device).await?;
        if let Err(error) = block::mount(&path, target, options, read_only).await {
            self.unmap_or_warn(device).await;
            return Err(error.into());
        }
        Ok(())
    }

    /// Unmounts a device and takes it back from the kernel, as soon as nobody uses it.
    pub(super) async fn unmount_device(&self, device: &str, target: &Path) -> Result<(), Error> {
        block::unmount(target).await?;
        if !self.unmap(device).await? {
            tracing::warn!(
                device,
                "something still uses an unmounted volume; the next start frees its device"
            );
        }
        Ok(())
    }

    pub(super) async fn unmap_or_warn(&self, device: &str) {
        if let Err(error) = self.unmap(device).await {
            tracing::warn!(
                device,
                error = &error as &dyn std::error::Error,
                "cannot take a device from the kernel"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_other_clusters_pools_and_snapshots_are_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let rows = [
            ("0", "rbd", "container_c1", "-", "", "f1", "a1"),
            ("1", "other", "container_c1", "-", "", "f1", "a2"),
            ("2", "rbd", "container_c1", "snapshot_s", "", "f1", "a3"),
            ("3", "rbd", "container_c1", "-", "ns", "f1", "a4"),
            ("4", "rbd", "container_c1", "-", "", "f2", "a5"),
            ("11", "rbd", "custom_a b", "-", "", "f1", "a6"),
        ];
        for (number, pool, name, snapshot, space, fsid, id) in rows {
            let path = dir.path().join(number);
            std::fs::create_dir(&path).unwrap();
            let files = [("pool", pool), ("name", name), ("current_snap", snapshot), ("pool_ns", space)];
            for (file, text) in files.into_iter().chain([("cluster_fsid", fsid), ("image_id", id)]) {
                std::fs::write(path.join(file), format!("{text}\n")).unwrap();
            }
        }
        let mut found = mappings(dir.path(), "f1", "rbd").unwrap();
        found.sort_by(|a, b| a.id.cmp(&b.id));
        let mapping = |path, name: &str, id: &str| Mapping {
            path: PathBuf::from(path),
            name: name.to_owned(),
            id: id.to_owned(),
        };
        assert_eq!(
            found,
            [mapping("/dev/rbd0", "container_c1", "a1"), mapping("/dev/rbd11", "custom_a b", "a6")]
        );
        assert_eq!(mappings(&dir.path().join("none"), "f1", "rbd").unwrap(), []);
    }
}
