//! The pool itself: its volume group and its thin pool, made, found, measured, removed.

use super::{Lvm, Source, names};
use crate::block::{self, MountOptions};
use crate::config::ConfigError;
use crate::drivers::Resources;
use crate::error::{Error, io_error};
use crate::loopfile;
use crate::paths::{PARTS, PASSABLE};
use crate::pool::blocking;
use model::units::Bytes;
use rustix::fs::{CWD, Mode, OFlags, fchmod, mkdirat, openat};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use tools::lvm::{Logical, Lvm as Tool};

/// What was made of a new pool.
#[derive(Default)]
struct Made {
    directories: bool,
    file: bool,
    group: bool,
    tag: bool,
    thin: bool,
}

impl Lvm {
    pub(super) async fn create_pool(&self) -> Result<BTreeMap<String, String>, Error> {
        self.check_new()?;
        load_modules().await;
        let mut made = Made::default();
        match self.create_parts(&mut made).await {
            Ok(record) => Ok(record),
            Err(error) => {
                if let Err(error) = self.undo(&made).await {
                    tracing::warn!(pool = %self.pool, error = &error as &dyn std::error::Error, "cannot remove all of a failed storage pool");
                }
                Err(error)
            }
        }
    }

    fn check_new(&self) -> Result<(), Error> {
        tools::require("lvm")?;
        if matches!(self.source, Source::Group(_)) && self.config.lvm.vg_name.is_some() {
            return Err(Error::Config(ConfigError::Together {
                first: "source",
                second: "lvm.vg_name",
                why: "both name the volume group; leave one out",
            }));
        }
        if let Some(why) = names::wrong_group(&self.group) {
            return Err(self.cannot(format!("have the LVM volume group {:?}", self.group), why));
        }
        if let Some(pool) = &self.thin
            && let Some(why) = names::wrong_pool(pool)
        {
            return Err(self.cannot(format!("have the thin pool {pool:?}"), why));
        }
        MountOptions::parse(
            self.filesystem(&self.config.volume),
            self.config.volume.mount_options.as_deref(),
        )?;
        Ok(())
    }

    async fn create_parts(&self, made: &mut Made) -> Result<BTreeMap<String, String>, Error> {
        let mut record = BTreeMap::from([("lvm.vg_name".to_owned(), self.group.clone())]);
        if let Some(pool) = &self.thin {
            record.insert("lvm.thinpool_name".to_owned(), pool.clone());
        }
        // What is there is looked at before anything is made.
        let thin_is_there = match &self.source {
            Source::Group(name) => self.check_group(name).await?,
            Source::Device(path) => {
                self.check_device(path).await?;
                false
            }
            Source::File(_) => false,
        };
        self.create_directories(made).await?;
        let tool = match &self.source {
            Source::Group(name) => {
                record.insert("source".to_owned(), name.clone());
                let tool = Tool::of_host();
                tool.tag_group(name, &names::pool_tag(self.pool.as_str()), true).await?;
                made.tag = true;
                tool
            }
            Source::Device(path) => {
                record.insert("source".to_owned(), self.group.clone());
                self.create_group(&Tool::of_host(), path, made).await?;
                Tool::of_host()
            }
            Source::File(file) => {
                record.insert("source".to_owned(), file.source());
                let size = match self.config.size {
                    Some(size) => size,
                    None => {
                        let (text, size) = loopfile::default_size(&self.paths)?;
                        record.insert("size".to_owned(), text);
                        size
                    }
                };
                file.create(size).await?;
                made.file = true;
                let device = file.attach().await?;
                self.known().device = Some(device.clone());
                let tool = Tool::of_device(&device);
                self.create_group(&tool, &device, made).await?;
                tool
            }
        };
        if let Some(pool) = &self.thin
            && !thin_is_there
        {
            let group = tool.group(&self.group).await?.ok_or_else(|| self.no_group())?;
            made.thin = true;
            let tag = names::pool_tag(self.pool.as_str());
            tool.create_pool(&self.group, pool, metadata_size(group.free), &tag).await?;
        }
        Ok(record)
    }

    /// Checks a volume group that was there before. True: it has the thin pool.
    async fn check_group(&self, name: &str) -> Result<bool, Error> {
        let refuse = |why: String| Error::Source { source_name: name.to_owned(), driver: "lvm", why };
        let tool = Tool::of_host();
        let Some(group) = tool.group(name).await? else {
            return Err(refuse(
                "there is no such LVM volume group; vgs lists those that there are".to_owned(),
            ));
        };
        if group.missing > 0 {
            return Err(refuse("disks of this volume group are missing".to_owned()));
        }
        if let Some(pool) = names::tagged_pool(&group.tags) {
            return Err(refuse(format!(
                "the storage pool {pool} has this volume group; if there is none any more, run vgchange \
                 --deltag {} {name}",
                names::pool_tag(&pool)
            )));
        }
        let volumes = self.list(&tool).await?;
        let thin = volumes.iter().find(|volume| volume.is_pool && Some(&volume.name) == self.thin.as_ref());
        match volumes.iter().find(|volume| Some(volume.name.as_str()) != thin.map(|thin| thin.name.as_str()))
        {
            None => Ok(thin.is_some()),
            Some(other) if other.is_pool && self.thin.is_some() => Err(refuse(format!(
                "it has a thin pool of another name; set lvm.thinpool_name to {} to use that",
                other.name
            ))),
            Some(other) => Err(refuse(format!(
                "it has the logical volume {}; choose a volume group that is empty, or has nothing but the \
                 thin pool",
                other.name
            ))),
        }
    }

    async fn check_device(&self, path: &Path) -> Result<(), Error> {
        let source_name = path.display().to_string();
        let refuse = |why: String| Error::Source { source_name: source_name.clone(), driver: "lvm", why };
        if path.starts_with(&self.paths.var) {
            return Err(refuse("it lies inside the daemon's directory; leave the source out".to_owned()));
        }
        match std::fs::metadata(path) {
            Ok(found) if found.file_type().is_block_device() => {}
            Ok(_) => {
                return Err(refuse(
                    "it is no block device; give one, or the name of a volume group".to_owned(),
                ));
            }
            Err(error) => return Err(refuse(format!("it cannot be looked at: {error}"))),
        }
        match tools::blkid::filesystem(path).await? {
            None => {}
            // A physical volume of no group is as good as new; LVM itself refuses others.
            Some(kind) if kind == "LVM2_member" => {}
            Some(kind) => {
                return Err(refuse(format!(
                    "it holds data ({kind}); if nobody needs that, run wipefs --all {source_name}"
                )));
            }
        }
        if block::is_free(path).await? { Ok(()) } else { Err(refuse("it is in use".to_owned())) }
    }

    async fn create_group(&self, tool: &Tool, device: &Path, made: &mut Made) -> Result<(), Error> {
        // Also those on devices that this pool never looks at: their names meet in /dev.
        if Tool::of_host().group(&self.group).await?.is_some() {
            let why = "there is a volume group of this name; choose another one with lvm.vg_name".to_owned();
            return Err(self.cannot(format!("make the LVM volume group {}", self.group), why));
        }
        made.group = true;
        Ok(tool.create_group(&self.group, device, &names::pool_tag(self.pool.as_str())).await?)
    }

    async fn create_directories(&self, made: &mut Made) -> Result<(), Error> {
        let (mount, pool) = (self.paths.mount.clone(), self.pool.clone());
        blocking(move || match std::fs::read_dir(&mount) {
            Ok(mut entries) => match entries.next() {
                None => Ok(()),
                Some(_) => Err(Error::PoolExists { pool, path: mount }),
            },
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(io_error("read", mount)(error)),
        })
        .await?;
        made.directories = true;
        self.make_directories().await
    }

    /// Makes the directories that volumes are mounted in, those that are missing.
    async fn make_directories(&self) -> Result<(), Error> {
        let paths = self.paths.clone();
        blocking(move || {
            // The directory of all pools may be missing in an empty daemon directory.
            if let Some(pools) = paths.mount.parent() {
                make_directory(pools, PASSABLE)?;
            }
            make_directory(&paths.mount, PASSABLE)?;
            PARTS.iter().try_for_each(|(part, mode)| make_directory(&paths.part(part), *mode))
        })
        .await
    }

    async fn remove_directories(&self) -> Result<(), Error> {
        let paths = self.paths.clone();
        blocking(move || {
            for (part, _) in PARTS {
                crate::tree::remove_tree(&paths.part(part))?;
            }
            match std::fs::remove_dir(&paths.mount) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    Err(io_error("remove", &paths.mount)(error))
                }
                _ => Ok(()),
            }
        })
        .await
    }

    async fn undo(&self, made: &Made) -> Result<(), Error> {
        if made.group || made.tag || made.thin {
            let tool = self.tool().await?;
            if let Some(group) = tool.group(&self.group).await? {
                // The tag tells whether it was made here or was there before.
                let ours = group.tags.contains(&names::pool_tag(self.pool.as_str()));
                if made.group && ours {
                    tool.remove_group(&self.group).await?;
                } else if made.tag {
                    let volumes = self.list(&tool).await?;
                    let thin = volumes.iter().find(|volume| Some(&volume.name) == self.thin.as_ref());
                    if let (true, Some(thin)) = (made.thin, thin) {
                        tool.remove(&self.group, std::slice::from_ref(&thin.name)).await?;
                    }
                    tool.tag_group(&self.group, &names::pool_tag(self.pool.as_str()), false).await?;
                }
            }
            if let (true, Source::Device(path)) = (made.group, &self.source) {
                // It has no mark if nothing came of it.
                let _ = tool.forget_device(path).await;
            }
        }
        if let (true, Source::File(file)) = (made.file, &self.source) {
            self.known().device = None;
            file.remove().await?;
        }
        if made.directories { self.remove_directories().await } else { Ok(()) }
    }

    pub(super) async fn mount_pool(&self) -> Result<bool, Error> {
        tools::require("lvm")?;
        load_modules().await;
        let mut attached = false;
        if let Source::File(file) = &self.source {
            attached = file.device().await?.is_none();
            let device = file.attach().await?;
            self.known().device = Some(device);
        }
        let group = self.tool().await?.group(&self.group).await?.ok_or_else(|| self.no_group())?;
        if group.missing > 0 {
            return Err(self.unusable(format!(
                "{} of the disks of the LVM volume group {} are missing (pvs)",
                group.missing, self.group
            )));
        }
        self.make_directories().await?;
        Ok(attached)
    }

    pub(super) async fn unmount_pool(&self) -> Result<bool, Error> {
        let mut any = self.unmount_everything().await?;
        if let Source::File(file) = &self.source {
            if file.device().await?.is_some() {
                self.tool().await?.deactivate_group(&self.group).await?;
                file.detach().await?;
                any = true;
            }
            self.known().device = None;
        }
        Ok(any)
    }

    pub(super) async fn delete_pool(&self) -> Result<(), Error> {
        self.unmount_everything().await?;
        let usable = match &self.source {
            Source::File(file) if !file.exists() => false,
            Source::File(file) => {
                let device = file.attach().await?;
                self.known().device = Some(device);
                true
            }
            Source::Device(_) | Source::Group(_) => true,
        };
        if usable {
            self.delete_group(&self.tool().await?).await?;
        }
        if let Source::File(file) = &self.source {
            self.known().device = None;
            file.remove().await?;
        }
        self.remove_directories().await
    }

    /// What was there before the pool was made stays: the volume group, or the thin pool in it. So does a group
    /// that has something else by now.
    async fn delete_group(&self, tool: &Tool) -> Result<(), Error> {
        let Some(volumes) = tool.volumes(&self.group).await? else { return Ok(()) };
        let tag = names::pool_tag(self.pool.as_str());
        let is_thin = |volume: &&Logical| Some(&volume.name) == self.thin.as_ref();
        let thin_goes = volumes.iter().find(is_thin).is_some_and(|thin| thin.tags.contains(&tag));
        let ours = |volume: &Logical| names::is_ours(&volume.name) || (is_thin(&volume) && thin_goes);
        let device = self.config.initial_source.as_deref().filter(|source| source.starts_with('/'));
        let group_is_ours = device.is_some() || matches!(self.source, Source::File(_));
        if group_is_ours && volumes.iter().all(ours) {
            tool.remove_group(&self.group).await?;
            if let Some(device) = device {
                // It may have another name by now.
                let _ = tool.forget_device(Path::new(device)).await;
            }
            return Ok(());
        }
        // Snapshots go before what they depend on; what is in a thin pool goes with it.
        let goes_along = |volume: &Logical| thin_goes && Some(&volume.pool) == self.thin.as_ref();
        let mut doomed: Vec<_> =
            volumes.iter().filter(|volume| ours(volume) && !goes_along(volume)).collect();
        doomed.sort_by_key(|volume| volume.origin.is_empty());
        let names: Vec<String> = doomed.into_iter().map(|volume| volume.name.clone()).collect();
        tool.remove(&self.group, &names).await?;
        Ok(tool.tag_group(&self.group, &tag, false).await?)
    }

    pub(super) async fn pool_resources(&self) -> Result<Resources, Error> {
        let tool = self.tool().await?;
        let (space_used, space_total) = match &self.thin {
            Some(pool) => {
                let status = tool.status(&self.group, pool).await?;
                let status = match status.used {
                    Some(_) => status,
                    // After a start of the host, before the first volume is used.
                    None => {
                        tool.activate(&self.group, pool).await?;
                        tool.status(&self.group, pool).await?
                    }
                };
                (status.used.unwrap_or(0), status.size)
            }
            None => {
                let group = tool.group(&self.group).await?.ok_or_else(|| self.no_group())?;
                (group.size.saturating_sub(group.free), group.size)
            }
        };
        Ok(Resources { space_used, space_total, inodes_used: 0, inodes_total: 0 })
    }

    /// Unmounts whatever is mounted in the pool's directory. False: nothing was.
    pub(super) async fn unmount_everything(&self) -> Result<bool, Error> {
        let paths = self.paths.clone();
        let mounted = blocking(move || {
            let mut mounted = Vec::new();
            for (part, _) in PARTS {
                collect_mounted(&paths.part(part), 2, &mut mounted)?;
            }
            Ok(mounted)
        })
        .await?;
        for path in &mounted {
            block::unmount(path).await?;
        }
        Ok(!mounted.is_empty())
    }
}

/// Mount points in a directory, so many levels deep.
fn collect_mounted(directory: &Path, levels: u32, mounted: &mut Vec<PathBuf>) -> Result<(), Error> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(()) };
    for entry in entries {
        let path = entry.map_err(io_error("read", directory))?.path();
        if block::is_mounted(&path)? {
            mounted.push(path);
        } else if levels > 1 && path.is_dir() {
            collect_mounted(&path, levels - 1, mounted)?;
        }
    }
    Ok(())
}

/// Makes a directory with a mode, or gives it to the one that is there.
pub(super) fn make_directory(path: &Path, mode: Mode) -> Result<(), Error> {
    match mkdirat(CWD, path, mode) {
        Ok(()) | Err(Errno::EXIST) => {}
        Err(errno) => return Err(io_error("make", path)(errno)),
    }
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let directory = openat(CWD, path, flags, Mode::empty()).map_err(io_error("open", path))?;
    fchmod(directory, mode).map_err(io_error("set the mode of", path))
}

/// LVM asks the kernel to load them, which may not know how. If it fails, LVM says what is missing.
async fn load_modules() {
    for module in ["dm_mod", "dm_thin_pool", "dm_snapshot"] {
        let _ = tools::modprobe::load(module).await;
    }
}

/// How much of a thin pool's space is for its own notes: enough for many snapshots. LVM's own choice is a
/// tenth of this, and a pool whose notes are full is hard to rescue. A spare of the same size is kept.
fn metadata_size(space: u64) -> u64 {
    const MIB: u64 = 1 << 20;
    (space / 200 / MIB).clamp(8, 15 << 10) * MIB
}

/// What of a size is a whole number of extents, rounded up.
pub(super) fn rounded(size: Bytes, extent: u64) -> u64 {
    size.0.div_ceil(extent.max(1)).saturating_mul(extent.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        assert_eq!(metadata_size(0), 8 << 20);
        assert_eq!(metadata_size(100 << 30), 512 << 20);
        assert_eq!(metadata_size(u64::MAX), 15 << 30);
        assert_eq!(rounded(Bytes(10_000_000_000), 4 << 20), 10_003_415_040);
        assert_eq!(rounded(Bytes(8 << 20), 4 << 20), 8 << 20);
        assert_eq!(rounded(Bytes(0), 0), 0);
    }
}
