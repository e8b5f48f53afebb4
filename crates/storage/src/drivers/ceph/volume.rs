//! Volumes: which there are, made, renamed, measured.

use super::{State, is, names};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::{Error, io_error};
use crate::pool::blocking;
use crate::volume::{Kind, Volume, VolumeSource};
use model::SnapshotName;
use names::Device;
use rustix::io::Errno;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};
use tools::rbd::failed_with;

impl State {
    pub(super) async fn volumes(&self, kind: Kind) -> Result<Vec<Volume>, Error> {
        let of_kind = |volume: &Volume| volume.kind() == kind;
        let mut found = BTreeSet::new();
        if kind.is_snapshot() {
            for row in self.rbd.list_all().await? {
                let Device::Volume(volume) = Device::parse(&row.image) else { continue };
                let name = row.snapshot.as_deref().and_then(names::snapshot_name);
                found.extend(name.and_then(|name| volume.snapshot(&name)).filter(of_kind));
                found.extend(Some(volume).filter(of_kind));
            }
        } else {
            for name in self.rbd.list().await? {
                if let Device::Volume(volume) = Device::parse(&name) {
                    found.extend(Some(volume).filter(of_kind));
                }
            }
        }
        Ok(found.into_iter().collect())
    }

    pub(super) async fn has(&self, volume: &Volume) -> Result<bool, Error> {
        let device = names::device(volume);
        if let Some(of) = volume.parent() {
            let wanted = names::snapshot_of(volume);
            let snapshots = self.rbd.snapshots(&names::device(&of)).await?.unwrap_or_default();
            if snapshots.iter().any(|snapshot| snapshot.name == wanted) {
                return Ok(true);
            }
        }
        if self.images.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&device) {
            return Ok(true);
        }
        let info = self.rbd.info(&device).await?;
        if let (Some(info), Volume::Image(_)) = (&info, volume) {
            self.images.lock().unwrap_or_else(PoisonError::into_inner).insert(device, info.size);
        }
        Ok(info.is_some())
    }

    pub(super) async fn snapshots(&self, of: &Volume) -> Result<Vec<SnapshotName>, Error> {
        let Some(kind) = of.snapshot_kind() else { return Ok(Vec::new()) };
        let device = names::device(of);
        let (taken, devices) = tokio::try_join!(self.rbd.snapshots(&device), self.rbd.list())?;
        let taken = taken.unwrap_or_default();
        let mut found: BTreeSet<SnapshotName> =
            taken.iter().filter_map(|snapshot| names::snapshot_name(&snapshot.name)).collect();
        found.extend(own_snapshots(&devices, of, kind).filter_map(|volume| match volume {
            Volume::ContainerSnapshot(_, name) | Volume::CustomSnapshot(_, name) => Some(name),
            Volume::Image(_) | Volume::Container(_) | Volume::Custom(_) => None,
        }));
        Ok(found.into_iter().collect())
    }

    /// Makes of "no such thing", said by a program, that a volume is not there.
    pub(super) async fn expected<T>(
        &self,
        volume: &Volume,
        result: Result<T, impl Into<Error>>,
    ) -> Result<T, Error> {
        match result.map_err(Into::into) {
            Err(Error::Tool(error)) if failed_with(&error, Errno::NOENT) => {
                self.images.lock().unwrap_or_else(PoisonError::into_inner).remove(&names::device(volume));
                Err(self.none(volume))
            }
            result => result,
        }
    }

    pub(super) async fn make(
        self: &Arc<Self>,
        volume: &Volume,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        match (source, volume.parent()) {
            (VolumeSource::Volume { volume: of, .. }, Some(parent)) if *of == parent => {
                self.take_snapshot(&parent, volume).await
            }
            _ => {
                if volume.parent().is_none() {
                    self.make_mount_point(volume).await?;
                }
                let along = self.copy_snapshots(volume, source, config).await?;
                let made = self.build(&names::device(volume), volume, source, config).await;
                let made = self.blamed(volume, source, made).await;
                if made.is_err() {
                    self.forget(&along).await;
                }
                made
            }
        }
    }

    /// What was changed goes to the cluster first: the snapshot is of what is there.
    async fn take_snapshot(&self, parent: &Volume, volume: &Volume) -> Result<(), Error> {
        self.sync(self.paths.volume(parent)).await?;
        let result = self.rbd.snap_create(&names::device(parent), &names::snapshot_of(volume)).await;
        if is(&result, Errno::EXIST) {
            return Err(self.exists(volume));
        }
        self.expected(parent, result).await
    }

    /// Says whether the source is missing or the target is there.
    async fn blamed(
        &self,
        volume: &Volume,
        source: &VolumeSource,
        made: Result<(), Error>,
    ) -> Result<(), Error> {
        match (made, source) {
            (Err(Error::Tool(error)), _) if failed_with(&error, Errno::EXIST) => Err(self.exists(volume)),
            (result, VolumeSource::Volume { volume, .. }) => self.expected(volume, result).await,
            (result, _) => result,
        }
    }

    /// Copies the snapshots that come along with their volume, each as a device of its own.
    async fn copy_snapshots(
        self: &Arc<Self>,
        volume: &Volume,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Vec<String>, Error> {
        let VolumeSource::Volume { volume: of, snapshots, .. } = source else { return Ok(Vec::new()) };
        let mut made = Vec::new();
        for name in snapshots {
            let (Some(from), Some(to)) = (of.snapshot(name), volume.snapshot(name)) else { continue };
            let device = names::device(&to);
            let source = VolumeSource::still(from);
            let built = self.build(&device, &to, &source, config).await;
            if let Err(error) = self.blamed(&to, &source, built).await {
                self.forget(&made).await;
                return Err(error);
            }
            made.push(device);
        }
        Ok(made)
    }

    async fn forget(self: &Arc<Self>, devices: &[String]) {
        for device in devices {
            if let Err(error) = self.retire(device).await {
                tracing::warn!(
                    device,
                    error = &error as &dyn std::error::Error,
                    "cannot remove a snapshot of a volume that could not be made"
                );
            }
        }
    }

    /// The volume first, then snapshots with devices of their own: whoever finds the first done goes on
    /// with the second.
    pub(super) async fn rename(self: &Arc<Self>, old: &Volume, new: &Volume) -> Result<(), Error> {
        self.release(old).await?;
        if let (Some(of), Some(_)) = (old.parent(), new.parent()) {
            let device = names::device(&of);
            let (from, to) = (names::snapshot_of(old), names::snapshot_of(new));
            let result = self.rbd.snap_rename(&device, &from, &to).await;
            if is(&result, Errno::EXIST) {
                return Err(self.exists(new));
            }
            if !is(&result, Errno::NOENT) {
                return Ok(result?);
            }
        }
        let Some(kind) = old.snapshot_kind() else {
            self.rename_device(old, new).await?;
            return self.remove_mount_point(old).await;
        };
        let devices = self.rbd.list().await?;
        let (moving, mut snapshots) =
            (names::moving(old, new), own_snapshots(&devices, old, kind).peekable());
        let marked = devices.contains(&moving);
        // Snapshots without their volume would be taken for what is left of a copy.
        if snapshots.peek().is_some() && !marked {
            self.rbd.create(&moving, 0).await?;
        }
        let marked = marked || snapshots.peek().is_some();
        let renamed = self.rename_device(old, new).await;
        if renamed.is_ok() {
            self.make_mount_point(new).await?;
            self.remove_mount_point(old).await?;
            for snapshot in snapshots {
                if let Some(to) = renamed_with(&snapshot, new) {
                    self.release(&snapshot).await?;
                    self.rbd.rename(&names::device(&snapshot), &names::device(&to)).await?;
                }
            }
        }
        if marked {
            self.rbd.remove(&moving).await?;
        }
        renamed
    }

    async fn rename_device(&self, old: &Volume, new: &Volume) -> Result<(), Error> {
        let result = self.rbd.rename(&names::device(old), &names::device(new)).await;
        if is(&result, Errno::EXIST) {
            return Err(self.exists(new));
        }
        // It may have been done before.
        if is(&result, Errno::NOENT) {
            return if self.has(new).await? { Ok(()) } else { Err(self.none(old)) };
        }
        Ok(result?)
    }

    /// Bytes in use in a volume's file system, while it is mounted.
    pub(super) async fn usage(&self, volume: &Volume) -> Result<Option<u64>, Error> {
        let path = self.paths.volume(volume);
        blocking(move || {
            if !block::is_mounted(&path)? {
                return Ok(None);
            }
            let stat = rustix::fs::statvfs(&path).map_err(io_error("measure", path))?;
            Ok(Some(stat.f_blocks.saturating_sub(stat.f_bfree).saturating_mul(stat.f_frsize)))
        })
        .await
    }
}

/// Snapshots of a volume with devices of their own.
pub(super) fn own_snapshots<'a>(
    devices: &'a [String],
    of: &'a Volume,
    kind: Kind,
) -> impl Iterator<Item = Volume> + 'a {
    devices.iter().filter_map(move |device| match Device::parse(device) {
        Device::Volume(volume) if volume.kind() == kind && volume.parent().as_ref() == Some(of) => {
            Some(volume)
        }
        _ => None,
    })
}

/// A snapshot of another volume with the same name.
fn renamed_with(snapshot: &Volume, of: &Volume) -> Option<Volume> {
    match snapshot {
        Volume::ContainerSnapshot(_, name) | Volume::CustomSnapshot(_, name) => of.snapshot(name),
        Volume::Image(_) | Volume::Container(_) | Volume::Custom(_) => None,
    }
}
