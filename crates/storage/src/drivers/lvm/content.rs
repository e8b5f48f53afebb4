//! Where the content of new volumes comes from: nowhere, a snapshot of another volume, or its files.

use super::pool::make_directory;
use super::{EXTENT, Lvm, names};
use crate::block;
use crate::config::{Filesystem, VolumeConfig};
use crate::error::{Error, io_error};
use crate::pool::blocking;
use crate::tree::{self, CopyOptions, Reflink};
use crate::volume::{Draft, Kind, Resized, Volume, VolumeSource};
use model::SnapshotName;
use rustix::fs::{CWD, Mode, OFlags, fchmod, openat, statvfs, syncfs};
use std::path::Path;
use tools::RunError;
use tools::lvm::{Lvm as Tool, Snapshot};

/// Mode of the root directory of an empty container.
const ROOTFS: Mode = Mode::from_raw_mode(0o755);

impl Lvm {
    /// Makes a container's or custom volume, or a snapshot.
    pub(super) async fn make_volume(
        &self,
        volume: &Volume,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        self.name(volume)?;
        match source {
            VolumeSource::Volume { volume: of, snapshots, running } => {
                if volume.parent().as_ref() == Some(&of)
                    || (self.thin.is_some() && volume.kind().is_snapshot())
                {
                    self.take_snapshot(volume, &of).await?;
                } else if self.thin.is_none() || !self.clone_of(volume, &of, &snapshots, config).await? {
                    self.copy_of(volume, &of, &snapshots, running, config).await?;
                }
            }
            VolumeSource::Empty => {
                let draft = self.make_draft(VolumeSource::Empty, config).await?;
                if volume.kind() == Kind::Container {
                    let rootfs = draft.path.join("rootfs");
                    let made = blocking(move || make_directory(&rootfs, ROOTFS)).await;
                    self.or_discard(&draft, made).await?;
                }
                let finished = self.finish_draft(draft.clone(), volume).await;
                self.or_discard(&draft, finished).await?;
            }
            VolumeSource::Draft(_) => {
                let draft = self.make_draft(source, config).await?;
                let finished = self.finish_draft(draft.clone(), volume).await;
                self.or_discard(&draft, finished).await?;
            }
        }
        self.make_mount_point(volume).await
    }

    /// Gives a draft up if something with it failed.
    async fn or_discard<T>(&self, draft: &Draft, result: Result<T, Error>) -> Result<T, Error> {
        if result.is_err()
            && let Err(error) = self.discard_draft(draft.clone()).await
        {
            tracing::warn!(pool = %self.pool, error = &error as &dyn std::error::Error, "cannot remove a half-made volume; the next start will");
        }
        result
    }

    /// Makes an empty file system; its device is active then.
    pub(super) async fn make_empty(
        &self,
        tool: &Tool,
        name: &str,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let filesystem = self.filesystem(config);
        block::MountOptions::parse(filesystem, self.options(config))?;
        let size = self.size(config);
        let made = tool.create(&self.group, self.thin.as_deref(), name, size.0, None).await;
        if let Err(error) = made {
            return Err(self.explain(tool, error, None, size.0).await);
        }
        Ok(block::make(&self.device(name), filesystem, self.thin.is_some()).await?)
    }

    /// A snapshot of a volume, or with a thin pool of whatever.
    async fn take_snapshot(&self, snapshot: &Volume, of: &Volume) -> Result<(), Error> {
        let tool = self.tool().await?;
        let (name, origin) = (self.name(snapshot)?, self.name(of)?.name);
        block::flush_btrfs(&self.paths.volume(of)).await?;
        if self.thin.is_some() {
            let made =
                tool.snapshot(&self.group, &origin, &name.name, Snapshot::ThinReadOnly, name.tag.as_deref());
            return match made.await {
                Ok(()) => Ok(()),
                Err(error) => Err(self.why_no_snapshot(&tool, error, snapshot, of, EXTENT).await),
            };
        }
        let list = self.list(&tool).await?;
        let Some(found) = list.iter().find(|volume| volume.name == origin) else {
            return Err(self.missing(of));
        };
        if list.iter().any(|volume| volume.name == name.name) {
            return Err(self.exists(snapshot));
        }
        // It has its name when it can be told from what it was taken of.
        let temporary = format!("tmp_{}", super::unique());
        let made = tool.snapshot(&self.group, &origin, &temporary, Snapshot::Thick(found.size), None).await;
        if let Err(error) = made {
            return Err(self.why_no_snapshot(&tool, error, snapshot, of, found.size).await);
        }
        let finished = async {
            block::make_unique(&self.active(&tool, &temporary).await?).await?;
            self.give_name(&tool, &temporary, &name).await
        };
        if let Err(error) = finished.await {
            tool.remove(&self.group, &[temporary]).await?;
            return Err(error);
        }
        Ok(())
    }

    async fn why_no_snapshot(
        &self,
        tool: &Tool,
        error: RunError,
        volume: &Volume,
        of: &Volume,
        needed: u64,
    ) -> Error {
        let (Ok(list), Ok(name), Ok(origin)) = (self.list(tool).await, self.name(volume), self.name(of))
        else {
            return error.into();
        };
        if list.iter().any(|volume| volume.name == name.name) {
            return self.exists(volume);
        }
        if !list.iter().any(|volume| volume.name == origin.name) {
            if let Volume::Image(fingerprint) = of {
                self.known().images.remove(fingerprint);
            }
            return self.missing(of);
        }
        self.explain(tool, error, Some(volume), needed).await
    }

    /// A thin snapshot becomes a volume of its own. False: it cannot have the size or file system that was
    /// asked for.
    async fn clone_of(
        &self,
        volume: &Volume,
        of: &Volume,
        snapshots: &[SnapshotName],
        config: &VolumeConfig,
    ) -> Result<bool, Error> {
        let tool = self.tool().await?;
        let (name, origin) = (self.name(volume)?, self.name(of)?.name);
        block::flush_btrfs(&self.paths.volume(of)).await?;
        // One step is enough, unless something has to be done before the volume may be seen.
        let plain = snapshots.is_empty() && self.filesystem(config) != Filesystem::Btrfs;
        let first = if plain { name.name.clone() } else { format!("tmp_{}", super::unique()) };
        let tag = name.tag.as_deref().filter(|_| plain);
        if let Err(error) = tool.snapshot(&self.group, &origin, &first, Snapshot::Thin, tag).await {
            return Err(self.why_no_snapshot(&tool, error, volume, of, EXTENT).await);
        }
        let finished = async {
            if !self.fit(&tool, &first, volume, config).await? {
                return Ok(false);
            }
            for snapshot in snapshots {
                let Some(from) = of.snapshot(snapshot) else { continue };
                let (from_name, to) = (self.name(&from)?.name, self.draft_name(&first, snapshot)?);
                let made = tool
                    .snapshot(&self.group, &from_name, &to.name, Snapshot::ThinReadOnly, to.tag.as_deref())
                    .await;
                if let Err(error) = made {
                    return Err(self.why_no_snapshot(&tool, error, volume, &from, EXTENT).await);
                }
            }
            if !plain {
                self.name_with_snapshots(&tool, &first, volume).await?;
            }
            Ok(true)
        };
        let result = finished.await;
        match &result {
            Ok(true) => {}
            // Other volumes' names begin like this one.
            _ if plain => self.remove_named(&tool, vec![first]).await?,
            _ => self.remove_with_prefix(&tool, &first).await?,
        }
        result
    }

    pub(super) fn draft_name(&self, draft: &str, snapshot: &SnapshotName) -> Result<names::Name, Error> {
        names::of_draft(draft, snapshot).ok_or_else(|| {
            let why = "its name is too long for LVM; choose a shorter one".to_owned();
            self.cannot(format!("have a snapshot {snapshot}"), why)
        })
    }

    /// Makes the clone of a volume one of its own: with an identifier, and the size that was asked for. What
    /// nobody asked for it grows to, but never shrinks to. False: it cannot be that.
    async fn fit(
        &self,
        tool: &Tool,
        name: &str,
        volume: &Volume,
        config: &VolumeConfig,
    ) -> Result<bool, Error> {
        let device = self.device(name);
        let found = block::probe_async(&device).await?;
        let found = found.ok_or_else(|| block::BlockError::Unknown { device: device.clone() })?;
        if config.filesystem.is_some_and(|filesystem| filesystem != found.filesystem) {
            return Ok(false);
        }
        if found.filesystem == Filesystem::Btrfs {
            block::make_unique(&device).await?;
        }
        match self.set_size(tool, name, self.size(config), config.size.is_some(), None, Some(volume)).await {
            Ok(Resized::Now) => Ok(true),
            Ok(Resized::Later) | Err(Error::Block(block::BlockError::NeverShrinks { .. })) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A volume with the files of another one.
    async fn copy_of(
        &self,
        volume: &Volume,
        of: &Volume,
        snapshots: &[SnapshotName],
        running: bool,
        config: &VolumeConfig,
    ) -> Result<(), Error> {
        let draft = self.make_draft(VolumeSource::Empty, config).await?;
        let work = async {
            self.copy_into(&draft, of, snapshots, running).await?;
            self.finish_draft(draft.clone(), volume).await
        };
        let result = work.await;
        self.or_discard(&draft, result).await
    }

    /// Fills a draft with the files of a volume, and its snapshots before that.
    pub(super) async fn copy_into(
        &self,
        draft: &Draft,
        of: &Volume,
        snapshots: &[SnapshotName],
        running: bool,
    ) -> Result<(), Error> {
        let states = snapshots.iter().filter_map(|name| Some((of.snapshot(name)?, Some(name))));
        for (number, (from, name)) in states.chain([(of.clone(), None)]).enumerate() {
            let path = self.paths.volume(&from);
            let visible = block::is_mounted(&path)?;
            self.show(&from, &VolumeConfig::default()).await?;
            let copied = self.copy_files(&path, &draft.path, running && name.is_none(), number > 0).await;
            if !visible {
                self.hide(&from).await?;
            }
            copied?;
            if let Some(name) = name {
                self.snapshot_draft(draft, name).await?;
            }
        }
        Ok(())
    }

    /// `again`: there is an earlier state of the files, so that only what differs is written.
    pub(super) async fn copy_files(
        &self,
        from: &Path,
        to: &Path,
        live: bool,
        again: bool,
    ) -> Result<(), Error> {
        if again {
            return Ok(tools::rsync::mirror(from, to, None, live).await?);
        }
        let (from, to) = (from.to_owned(), to.to_owned());
        blocking(move || {
            let options = CopyOptions { live, reflink: &Reflink::default() };
            Ok(tree::copy_tree(&from, &to, options).map(drop)?)
        })
        .await
    }

    /// Sees to it that what was written to a mounted volume is on disk, or says why not.
    pub(super) async fn written(
        &self,
        tool: &Tool,
        path: &Path,
        name: &str,
        volume: Option<&Volume>,
    ) -> Result<(), Error> {
        let directory = path.to_owned();
        let synced = blocking(move || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = openat(CWD, &directory, flags, Mode::empty()).map_err(io_error("open", &directory))?;
            syncfs(&fd).map_err(io_error("write to disk", &directory))
        })
        .await;
        let (Err(error), Some(pool)) = (&synced, &self.thin) else { return synced };
        tracing::debug!(%error, "a volume was not written");
        let (Ok(status), Ok(own)) =
            (tool.status(&self.group, pool).await, tool.status(&self.group, name).await)
        else {
            return synced;
        };
        let needed =
            statvfs(path).map_or(0, |stat| stat.f_blocks.saturating_sub(stat.f_bfree) * stat.f_frsize);
        let needed = needed.saturating_sub(own.used.unwrap_or(0));
        match status.used.and_then(|used| super::missing(status.size, used, needed)) {
            Some(missing) => Err(self.full(volume, model::units::Bytes(missing))),
            None => synced,
        }
    }

    /// Gives a mounted volume the mode of its kind.
    pub(super) async fn set_mode(path: &Path, mode: Mode) -> Result<(), Error> {
        let path = path.to_owned();
        blocking(move || {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
            let fd = openat(CWD, &path, flags, Mode::empty()).map_err(io_error("open", &path))?;
            fchmod(fd, mode).map_err(io_error("set the mode of", path))
        })
        .await
    }
}
