//! A new pool. Its loop file gets its name when everything else is done, so that what a crash leaves of a
//! pool that nobody knows of is told from a pool.

use super::pool::{make_directory, mounted_device, remove_directory};
use super::source::{Source, new_uuid};
use super::subvolumes::set_mode;
use super::{State, beneath, options};
use crate::block;
use crate::error::{Error, io_error};
use crate::loopfile::{self, LoopFile};
use crate::paths::PASSABLE;
use crate::pool::blocking;
use model::units::Bytes;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tools::btrfs;

/// What a failed creation takes away again.
#[derive(Default)]
struct Undo {
    file: Option<LoopFile>,
    /// A file system was made here.
    device: Option<PathBuf>,
    mounted: bool,
    parts: bool,
    directories: Vec<PathBuf>,
}

impl State {
    pub(super) async fn create(self: &Arc<Self>) -> Result<BTreeMap<String, String>, Error> {
        options::parse(self.mount_options.as_deref())?;
        tools::require("btrfs")?;
        tools::require("mkfs.btrfs")?;
        let mut undo = Undo::default();
        match self.create_on_source(&mut undo).await {
            Ok(recorded) => Ok(recorded),
            Err(error) => {
                self.undo(undo).await;
                Err(error)
            }
        }
    }

    async fn create_on_source(self: &Arc<Self>, undo: &mut Undo) -> Result<BTreeMap<String, String>, Error> {
        let state = self.clone();
        let source = blocking(move || state.source()).await?;
        self.forget_half_made().await?;
        let own = self.is_here(&source);
        self.make_mount_point(own, undo).await?;
        let record = |source: String, size: Option<String>| {
            let size = size.map(|size| ("size".to_owned(), size));
            BTreeMap::from_iter([("source".to_owned(), source)].into_iter().chain(size))
        };
        let recorded = match source {
            Source::Loop(file) if self.source.is_none() => {
                let size = self.create_loop(&file, undo).await?;
                record(file.source(), size)
            }
            Source::Device(device) => {
                let uuid = self.create_on_device(&device, undo).await?;
                record(uuid, Some(String::new()))
            }
            Source::Subvolume(path) => {
                self.create_in_subvolume(&path, undo).await?;
                record(path.display().to_string(), Some(String::new()))
            }
            Source::Loop(file) => {
                return Err(
                    self.unusable(file.source(), "it is a file; leave the source out for a loop file")
                );
            }
            Source::Uuid(uuid) => {
                return Err(self.unusable(uuid, "give the path of the disk"));
            }
        };
        Ok(recorded)
    }

    /// Removes what a creation that was killed has left. Nobody knows of such a pool.
    async fn forget_half_made(&self) -> Result<(), Error> {
        let file = self.unfinished();
        if !file.exists() {
            return Ok(());
        }
        let (at, device) = (self.paths.mount.clone(), file.device().await?);
        let is_its = blocking(move || Ok(device.is_some() && mounted_device(&at) == device)).await?;
        if is_its {
            self.unmount().await?;
            let path = self.paths.mount.clone();
            blocking(move || remove_directory(&path)).await?;
        }
        file.remove().await
    }

    /// The loop file of a pool that is being made.
    fn unfinished(&self) -> LoopFile {
        // No pool's file ends like this.
        let name = format!("{}.new", self.pool);
        LoopFile::at(LoopFile::of(&self.paths, &self.pool).path().with_file_name(name))
    }

    /// Makes the directory where the pool will be. One that is the pool itself is left to be made.
    async fn make_mount_point(&self, own: bool, undo: &mut Undo) -> Result<(), Error> {
        let (path, pool) = (self.paths.mount.clone(), self.pool.clone());
        let made = blocking(move || {
            // The directory of all pools may be missing in an empty daemon directory.
            if let Some(pools) = path.parent() {
                make_directory(pools)?;
            }
            if own {
                return Ok(false);
            }
            if make_directory(&path)? {
                return Ok(true);
            }
            if block::is_mounted(&path)? || !is_empty(&path)? {
                return Err(Error::PoolExists { pool, path });
            }
            Ok(false)
        });
        if made.await? {
            undo.directories.push(self.paths.mount.clone());
        }
        Ok(())
    }

    /// Returns the size, as it is recorded; `None`: as it was given.
    async fn create_loop(
        self: &Arc<Self>,
        file: &LoopFile,
        undo: &mut Undo,
    ) -> Result<Option<String>, Error> {
        if file.exists() {
            let why = "there is such a file already: remove it if it is left over, or choose another name for the pool";
            return Err(self.unusable(file.source(), why));
        }
        let (text, size) = match self.size {
            Some(size) => (None, size),
            None => {
                let (text, size) = loopfile::default_size(&self.paths)?;
                (Some(text), size)
            }
        };
        let unfinished = self.unfinished();
        undo.file = Some(unfinished.clone());
        unfinished.create(size).await?;
        self.make_filesystem(unfinished.path(), size).await?;
        self.mount_loop(&unfinished).await?;
        undo.mounted = true;
        self.fill_new().await?;
        let (from, to) = (unfinished.path().to_owned(), file.path().to_owned());
        let name = move || super::trash::rename_new(&from, &to).map_err(io_error("make", to));
        blocking(name).await?;
        Ok(text)
    }

    /// Returns the UUID of the file system.
    async fn create_on_device(self: &Arc<Self>, device: &Path, undo: &mut Undo) -> Result<String, Error> {
        let uuid = self.make_filesystem(device, Bytes(u64::MAX)).await?;
        undo.device = Some(device.to_owned());
        self.mount_device(device).await?;
        undo.mounted = true;
        self.fill_new().await?;
        Ok(uuid)
    }

    async fn make_filesystem(&self, on: &Path, size: Bytes) -> Result<String, Error> {
        let uuid = blocking(new_uuid).await?;
        btrfs::make_filesystem(on, self.pool.as_str(), &uuid).await.map_err(|error| {
            let why = if size < SMALLEST {
                format!("{size} are too few for a btrfs; it needs {} at least", SMALLEST.human_binary(0))
            } else {
                format!("no file system can be made there; one that has something already must be wiped first (wipefs --all): {error}")
            };
            self.unusable(on.display().to_string(), why)
        })?;
        Ok(uuid)
    }

    async fn fill_new(&self) -> Result<(), Error> {
        let path = self.paths.mount.clone();
        blocking(move || set_mode(&path, PASSABLE)).await?;
        self.make_parts().await
    }

    async fn create_in_subvolume(self: &Arc<Self>, path: &Path, undo: &mut Undo) -> Result<(), Error> {
        if path.starts_with(&self.paths.var) && *path != self.paths.mount {
            return Err(Error::SourceInside { path: path.to_owned(), allowed: self.paths.mount.clone() });
        }
        let of = path.to_owned();
        if blocking(move || wants_subvolume(&of)).await? {
            self.expect_btrfs(path).await?;
            self.create_subvolume(path, PASSABLE).await?;
            undo.directories.insert(0, path.to_owned());
        }
        self.mount_source(&Source::Subvolume(path.to_owned())).await?;
        undo.mounted = *path != self.paths.mount;
        undo.parts = true;
        self.make_parts().await
    }

    /// A subvolume is made in a directory on btrfs only.
    async fn expect_btrfs(&self, path: &Path) -> Result<(), Error> {
        let parent = path.parent().unwrap_or(path).to_owned();
        let is_btrfs = blocking(move || Ok(parent.is_dir() && beneath::is_btrfs(&parent)?));
        if is_btrfs.await? {
            return Ok(());
        }
        let why = "it is neither a disk nor on a btrfs; leave the source out for a loop file";
        Err(self.unusable(path.display().to_string(), why))
    }

    async fn undo(&self, undo: Undo) {
        let report = |result: Result<(), Error>| {
            if let Err(error) = result {
                tracing::warn!(pool = %self.pool, error = &error as &dyn std::error::Error, "cannot undo the creation of a storage pool");
            }
        };
        if undo.parts {
            for (part, _) in crate::paths::PARTS {
                report(self.remove(&self.paths.part(part)).await);
            }
        }
        if undo.mounted {
            report(self.unmount().await.map(drop));
        }
        if let Some(file) = undo.file {
            report(file.remove().await);
        }
        if let Some(device) = undo.device {
            report(tools::wipefs::wipe(&device).await.map_err(Error::from));
        }
        for path in undo.directories.into_iter().rev() {
            report(blocking(move || remove_directory(&path)).await);
        }
    }
}

/// What `mkfs.btrfs` needs for its default profiles.
const SMALLEST: Bytes = Bytes(115 << 20);

/// True if a subvolume is to be made at a path; false: there is an empty one. An empty directory makes way.
fn wants_subvolume(path: &Path) -> Result<bool, Error> {
    if path.symlink_metadata().is_err() {
        return Ok(true);
    }
    if !path.is_dir() || !is_empty(path)? {
        return Err(Error::SourceNotEmpty { path: path.to_owned() });
    }
    if beneath::is_subvolume(path)? {
        return Ok(false);
    }
    if beneath::is_btrfs(path)? {
        std::fs::remove_dir(path).map_err(io_error("make a subvolume of", path))?;
    }
    Ok(true)
}

fn is_empty(path: &Path) -> Result<bool, Error> {
    Ok(std::fs::read_dir(path).map_err(io_error("read", path))?.next().is_none())
}
