//! Volumes: datasets in the part of their kind.

use super::fill::{Copy, limits, properties};
use super::names::{self, snapshot, snapshot_part};
use super::rows::{Row, Tree};
use super::{State, mounts};
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::paths::{PRIVATE, mode};
use crate::volume::{Kind, Resized, Volume, VolumeSource};
use model::SnapshotName;
use rustix::fs::{CWD, Mode, mkdirat};
use std::path::Path;
use tools::zfs::{self, Below, Types};

/// Mode of the root directory of an empty container.
const ROOTFS: Mode = Mode::from_raw_mode(0o755);

/// How often a snapshot is looked for that was somewhere else a moment ago.
pub(super) const MOVES: u32 = 3;

/// A dataset with everything below it; empty if it is not there.
pub(super) async fn tree(dataset: &str) -> Result<Tree, Error> {
    let rows = zfs::list(dataset, Below::All, Types::WithSnapshots, &super::rows::PROPERTIES).await?;
    Ok(Tree::new(rows.unwrap_or_default().into_iter().filter_map(Row::parse)))
}

impl State {
    pub(super) async fn volumes(&self, kind: Kind) -> Result<Vec<Volume>, Error> {
        let (owner, below, types) = match kind {
            Kind::ContainerSnapshot => (Kind::Container, Below::All, Types::WithSnapshots),
            Kind::CustomSnapshot => (Kind::Custom, Below::All, Types::WithSnapshots),
            Kind::Image | Kind::Container | Kind::Custom => (kind, Below::Children, Types::Filesystems),
        };
        let rows = zfs::list(&self.names.part(owner.part()), below, types, &["name"]).await?;
        let names = rows.unwrap_or_default().into_iter().flatten();
        let mut volumes: Vec<Volume> = if kind.is_snapshot() {
            names.filter_map(|name| self.names.parse_snapshot(kind, &name)).collect()
        } else {
            names.filter_map(|name| self.names.parse(kind, &name)).collect()
        };
        volumes.sort();
        Ok(volumes)
    }

    /// A snapshot's own row; `None`: it is none, or not there.
    pub(super) async fn find(&self, volume: &Volume) -> Result<Option<Row>, Error> {
        let (Volume::ContainerSnapshot(_, name) | Volume::CustomSnapshot(_, name)) = volume else {
            return Ok(None);
        };
        Ok(tree(&self.names.volume(volume)).await?.find(name).cloned())
    }

    pub(super) async fn has(&self, volume: &Volume) -> Result<bool, Error> {
        if volume.kind().is_snapshot() {
            return Ok(self.find(volume).await?.is_some());
        }
        self.has_dataset(&self.names.volume(volume)).await
    }

    pub(super) async fn has_dataset(&self, dataset: &str) -> Result<bool, Error> {
        Ok(zfs::list(dataset, Below::Itself, Types::Filesystems, &["name"]).await?.is_some())
    }

    pub(super) async fn snapshots(&self, of: &Volume) -> Result<Vec<SnapshotName>, Error> {
        if of.snapshot_kind().is_none() {
            return Ok(Vec::new());
        }
        let rows = zfs::list(&self.names.volume(of), Below::All, Types::WithSnapshots, &["name"]).await?;
        let names = rows.unwrap_or_default().into_iter().flatten();
        let mut snapshots: Vec<SnapshotName> =
            names.filter_map(|name| names::parse_snapshot_part(name.split_once('@')?.1)).collect();
        snapshots.sort();
        Ok(snapshots)
    }

    pub(super) fn check_length(&self, volume: &Volume) -> Result<(), Error> {
        let excess = self.names.excess(volume);
        if excess == 0 {
            return Ok(());
        }
        let why = format!("on ZFS its name is {excess} bytes too long; give it a shorter one");
        Err(self.cannot(format!("have the {volume}"), why))
    }

    pub(super) async fn make(
        &self,
        volume: &Volume,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        self.check_length(volume)?;
        if let Some(parent) = volume.parent() {
            return self.make_snapshot(volume, &parent, source).await;
        }
        self.expect_room(volume, source).await?;
        let alone = !matches!(source, VolumeSource::Volume { snapshots, .. } if !snapshots.is_empty());
        if alone && matches!(source, VolumeSource::Volume { .. }) && self.copies(source) == Copy::Clone {
            // A clone is there as a whole or not at all.
            let dataset = self.names.volume(volume);
            self.fill(&dataset, source, &properties(config), Copy::Clone)
                .await
                .map_err(|error| self.explain_new(error, volume))?;
            return self.make_mount_point(volume);
        }
        let dataset = self.names.temporary(volume.kind());
        if let Err(error) = self.make_as(&dataset, volume, source, config).await {
            self.bury(&dataset).await;
            return Err(self.explain_new(error, volume));
        }
        self.make_mount_point(volume)
    }

    /// Makes a volume under another name, and gives it its own when it is whole.
    async fn make_as(
        &self,
        dataset: &str,
        volume: &Volume,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        self.fill(dataset, source, &properties(config), self.copies(source)).await?;
        match source {
            VolumeSource::Empty | VolumeSource::Draft(_) => {
                let rootfs = matches!((source, volume), (VolumeSource::Empty, Volume::Container(_)));
                self.set_up(dataset, volume.kind(), rootfs).await?;
            }
            VolumeSource::Volume { volume: of, snapshots, .. } => {
                for name in snapshots {
                    let Some(from) = of.snapshot(name) else { continue };
                    self.copy_snapshot(dataset, name, &VolumeSource::still(from)).await?;
                }
            }
        }
        Ok(zfs::rename(dataset, &self.names.volume(volume)).await?)
    }

    /// Gives a new dataset's root directory its mode, and what an empty container has.
    pub(super) async fn set_up(&self, dataset: &str, kind: Kind, rootfs: bool) -> Result<(), Error> {
        let name = dataset.rsplit('/').next().unwrap_or(dataset);
        let path = self.paths.kind(kind).join(name);
        mounts::make(&path, PRIVATE)?;
        let done = self.set_up_at(dataset, &path, kind, rootfs).await;
        mounts::unmount(&path).await?;
        let _ = std::fs::remove_dir(&path);
        done
    }

    async fn set_up_at(&self, dataset: &str, path: &Path, kind: Kind, rootfs: bool) -> Result<(), Error> {
        self.mount_dataset(dataset, path).await?;
        mounts::set_mode(path, mode(kind))?;
        if rootfs {
            let rootfs = path.join("rootfs");
            mkdirat(CWD, &rootfs, Mode::RWXU).map_err(io_error("make", &rootfs))?;
            mounts::set_mode(&rootfs, ROOTFS)?;
        }
        Ok(())
    }

    pub(super) async fn mount_dataset(&self, dataset: &str, path: &Path) -> Result<(), Error> {
        if mounts::mount(dataset.to_owned(), path.to_owned(), false).await? {
            return Ok(());
        }
        Err(self.cannot(format!("mount {dataset}"), "ZFS does not know it".to_owned()))
    }

    /// A snapshot of the volume itself is one of its dataset; anything else gets a dataset below it.
    async fn make_snapshot(
        &self,
        volume: &Volume,
        parent: &Volume,
        source: &VolumeSource,
    ) -> Result<(), Error> {
        let (Volume::ContainerSnapshot(_, name) | Volume::CustomSnapshot(_, name)) = volume else {
            return Ok(());
        };
        let dataset = self.names.volume(parent);
        let tree = tree(&dataset).await?;
        if tree.dataset(&dataset).is_none() {
            return Err(self.no(parent));
        }
        if tree.find(name).is_some() {
            return Err(self.exists(volume));
        }
        let own = matches!(source, VolumeSource::Volume { volume: of, .. } if of == parent);
        let made = if own {
            self.take(&dataset, name).await
        } else {
            self.copy_snapshot(&dataset, name, source).await
        };
        made.map_err(|error| self.explain_new(error, volume))?;
        mounts::make(&self.paths.snapshots(parent), PRIVATE).map(drop)
    }

    /// Keeps what a source holds as a snapshot of a dataset. It is one as soon as it is there.
    pub(super) async fn copy_snapshot(
        &self,
        dataset: &str,
        name: &SnapshotName,
        source: &VolumeSource,
    ) -> Result<(), Error> {
        let shelf = names::shelf(dataset);
        let properties = properties(&VolumeConfig::default());
        let made = async {
            self.fill(&shelf, source, &properties, self.copies(source)).await?;
            self.take(&shelf, name).await
        };
        let made = made.await;
        if made.is_err() {
            self.bury(&shelf).await;
        }
        made
    }

    pub(super) async fn delete_volume(&self, volume: &Volume) -> Result<bool, Error> {
        self.unmount_volume(volume).await?;
        if volume.kind().is_snapshot() {
            return self.delete_snapshot(volume).await;
        }
        for path in mounts::below(&self.paths.snapshots(volume))? {
            mounts::unmount(&path).await?;
        }
        // Whatever it is the origin of, its name is free from here on.
        let found = match zfs::rename(&self.names.volume(volume), &self.names.ghost()).await {
            Ok(()) => true,
            Err(error) if zfs::missing(&error) => false,
            Err(error) => return Err(self.explain(error, || format!("delete the {volume}"))),
        };
        mounts::remove_empty(&self.paths.volume(volume));
        mounts::remove_empty(&self.paths.snapshots(volume));
        if found {
            self.sweep_later();
        }
        Ok(found)
    }

    /// One that something was made of is hidden, and goes with the last of that.
    async fn delete_snapshot(&self, volume: &Volume) -> Result<bool, Error> {
        let (Volume::ContainerSnapshot(_, name) | Volume::CustomSnapshot(_, name)) = volume else {
            return Ok(false);
        };
        let dataset = self.names.volume(volume);
        match zfs::destroy(&snapshot(&dataset, name)).await {
            Ok(()) => Ok(true),
            Err(error) if zfs::missing(&error) || zfs::has_dependents(&error) || zfs::busy(&error) => {
                self.hide_snapshot(&dataset, name).await
            }
            Err(error) => Err(self.explain(error, || format!("delete the {volume}"))),
        }
    }

    async fn hide_snapshot(&self, dataset: &str, name: &SnapshotName) -> Result<bool, Error> {
        let tree = tree(dataset).await?;
        let Some(row) = tree.find(name) else { return Ok(false) };
        let (hidden, _) = names::copy_of(row.dataset());
        zfs::rename(&row.name, &hidden).await?;
        match zfs::destroy_deferred(&hidden).await {
            // It is mounted somewhere: the next start removes it.
            Err(error) if zfs::busy(&error) => {}
            other => other?,
        }
        if row.dataset() != dataset {
            // Unless others are on that shelf, or something was made of it.
            let _ = zfs::destroy(row.dataset()).await;
        }
        Ok(true)
    }

    /// One rename each, so that a call that was interrupted was done or not done.
    pub(super) async fn rename(&self, old: &Volume, new: &Volume) -> Result<(), Error> {
        self.check_length(new)?;
        self.unmount_volume(old).await?;
        if let Some(parent) = old.parent() {
            return self.rename_snapshot(old, new, &parent).await;
        }
        for path in mounts::below(&self.paths.snapshots(old))? {
            mounts::unmount(&path).await?;
        }
        match zfs::rename(&self.names.volume(old), &self.names.volume(new)).await {
            Ok(()) => {}
            Err(error) if zfs::missing(&error) => {
                if !self.has(new).await? {
                    return Err(self.no(old));
                }
            }
            Err(error) if zfs::taken(&error) => {
                return Err(if self.has(old).await? { self.exists(new) } else { self.no(old) });
            }
            Err(error) => return Err(self.explain(error, || format!("rename the {old}"))),
        }
        mounts::remove_empty(&self.paths.volume(old));
        mounts::remove_empty(&self.paths.snapshots(old));
        self.make_mount_point(new)
    }

    async fn rename_snapshot(&self, old: &Volume, new: &Volume, parent: &Volume) -> Result<(), Error> {
        let (
            Volume::ContainerSnapshot(_, from) | Volume::CustomSnapshot(_, from),
            Volume::ContainerSnapshot(_, to) | Volume::CustomSnapshot(_, to),
        ) = (old, new)
        else {
            return Err(self.no(old));
        };
        let tree = tree(&self.names.volume(parent)).await?;
        match (tree.find(from), tree.find(to)) {
            (None, Some(_)) => Ok(()),
            (None, None) => Err(self.no(old)),
            (Some(_), Some(_)) => Err(self.exists(new)),
            (Some(row), None) => {
                let renamed = format!("{}@{}", row.dataset(), snapshot_part(to));
                Ok(zfs::rename(&row.name, &renamed).await?)
            }
        }
    }

    /// What links to a volume leads somewhere also while it is not mounted.
    pub(super) fn make_mount_point(&self, volume: &Volume) -> Result<(), Error> {
        mounts::make(&self.paths.volume(volume), PRIVATE).map(drop)
    }

    pub(super) async fn mount_volume(&self, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.volume(volume);
        if crate::block::is_mounted(&path)? {
            return Ok(());
        }
        let dataset = self.names.volume(volume);
        let (name, read_only) = match volume {
            Volume::ContainerSnapshot(_, name) | Volume::CustomSnapshot(_, name) => {
                (snapshot(&dataset, name), true)
            }
            Volume::Image(_) => (dataset, true),
            Volume::Container(_) | Volume::Custom(_) => (dataset, false),
        };
        if let Some(parent) = volume.parent() {
            mounts::make(&self.paths.snapshots(&parent), PRIVATE)?;
        }
        let made = mounts::make(&path, PRIVATE)?;
        let mut mounted = mounts::mount(name, path.clone(), read_only).await?;
        // A restore that goes on meanwhile may move snapshots to another dataset of their volume.
        for _ in 0..MOVES {
            if mounted {
                return Ok(());
            }
            let Some(row) = self.find(volume).await? else { break };
            mounted = mounts::mount(row.name, path.clone(), true).await?;
        }
        if mounted {
            return Ok(());
        }
        if made {
            let _ = std::fs::remove_dir(&path);
        }
        Err(self.no(volume))
    }

    /// The mount point of a snapshot goes, too.
    pub(super) async fn unmount_volume(&self, volume: &Volume) -> Result<(), Error> {
        let path = self.paths.volume(volume);
        mounts::unmount(&path).await?;
        if volume.kind().is_snapshot() {
            let _ = std::fs::remove_dir(&path);
        }
        Ok(())
    }

    pub(super) async fn resize(&self, volume: &Volume, config: &VolumeConfig) -> Result<Resized, Error> {
        if volume.kind().is_snapshot() || matches!(volume, Volume::Image(_)) {
            return Ok(Resized::Now);
        }
        match zfs::set(&self.names.volume(volume), &limits(config)).await {
            Ok(()) => Ok(Resized::Now),
            Err(error) if zfs::missing(&error) => Err(self.no(volume)),
            Err(error) if zfs::full(&error) => {
                let why = "it holds more than that, with its snapshots unless zfs.use_refquota is true; remove something first";
                Err(self.cannot(format!("make the {volume} smaller"), why.to_owned()))
            }
            Err(error) => Err(error.into()),
        }
    }

    pub(super) async fn usage(&self, volume: &Volume) -> Result<Option<u64>, Error> {
        let name = match self.find(volume).await? {
            Some(row) => row.name,
            None if volume.kind().is_snapshot() => return Err(self.no(volume)),
            None => self.names.volume(volume),
        };
        let rows = zfs::list(&name, Below::Itself, Types::WithSnapshots, &["used", "referenced", "refquota"])
            .await?;
        let Some(row) = rows.and_then(|rows| rows.into_iter().next()) else { return Err(self.no(volume)) };
        let number = |at: usize| row.get(at).and_then(|field| field.parse::<u64>().ok());
        // Snapshots count where they count for the size.
        let limited = number(2).is_some_and(|limit| limit > 0);
        Ok(if limited { number(1) } else { number(0) })
    }
}
