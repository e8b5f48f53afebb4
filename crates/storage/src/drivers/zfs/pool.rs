//! The pool itself: made, imported, measured, grown, removed.

use super::names::{self, PARTS};
use super::{State, mounts};
use crate::config::{DriverKind, PoolConfig};
use crate::drivers::Resources;
use crate::error::{Error, io_error};
use crate::loopfile::{LoopFile, default_size};
use crate::paths::{PARTS as DIRECTORIES, PASSABLE};
use model::units::Bytes;
use std::collections::BTreeMap;
use std::os::unix::fs::FileTypeExt as _;
use std::path::{Path, PathBuf};
use tools::zfs::{self, Below, Types};

/// What was made for the pool and goes with it, recorded at the root dataset.
const MADE: &str = "lightervisor:made";

/// Root datasets that we make: nothing is mounted by itself; extended attributes lie with their file, and
/// there are access control lists.
const ROOT: [&str; 5] = ["compression=on", "xattr=sa", "acltype=posixacl", "relatime=on", "canmount=off"];
/// Root datasets that were there.
const GIVEN: [&str; 7] =
    ["mountpoint=none", "canmount=off", "setuid=on", "exec=on", "devices=on", "xattr=sa", "acltype=posixacl"];

/// What a pool is on.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// A file of the daemon's.
    File,
    /// A block device that a ZFS pool is to be made on.
    Device(PathBuf),
    /// A ZFS pool or dataset, by name.
    Named,
}

impl State {
    fn file(&self) -> LoopFile {
        LoopFile::of(&self.paths, &self.pool)
    }

    fn form(&self) -> Form {
        match &self.config.source {
            None => Form::File,
            Some(source) if *source == self.file().source() => Form::File,
            Some(source) if source.starts_with('/') => Form::Device(PathBuf::from(source)),
            Some(_) => Form::Named,
        }
    }

    fn bad_source(&self, why: impl Into<String>) -> Error {
        let source_name = self.config.source.clone().unwrap_or_else(|| self.names.root().to_owned());
        Error::Source { source_name, driver: "zfs", why: why.into() }
    }

    /// Undoes what it did when it fails.
    pub(super) async fn create(&self) -> Result<BTreeMap<String, String>, Error> {
        let form = self.form();
        self.check_name(&form)?;
        load().await?;
        if self.paths.mount.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            return Err(Error::PoolExists { pool: self.pool.clone(), path: self.paths.mount.clone() });
        }
        let mut recorded = BTreeMap::from([("zfs.pool_name".to_owned(), self.names.root().to_owned())]);
        match &form {
            Form::File => recorded.extend(self.create_on_file().await?),
            Form::Device(device) => {
                self.create_on_device(device).await?;
                recorded.insert("source".to_owned(), self.names.root().to_owned());
            }
            Form::Named => {
                self.take_dataset().await?;
                recorded.insert("source".to_owned(), self.names.root().to_owned());
            }
        }
        if !matches!(form, Form::File) {
            // It was computed for a file, if at all.
            recorded.insert("size".to_owned(), String::new());
        }
        match self.make_parts().await {
            Ok(()) => Ok(recorded),
            Err(error) => {
                if let Err(undo) = self.remove().await {
                    tracing::warn!(pool = %self.pool, error = &undo as &dyn std::error::Error, "cannot undo the creation of a storage pool");
                }
                Err(error)
            }
        }
    }

    fn check_name(&self, form: &Form) -> Result<(), Error> {
        let root = self.names.root();
        if !names::is_dataset(root) {
            return Err(self.bad_source(
                "give a block device, or the name of a ZFS pool or of a dataset in one, such as tank or tank/lxd",
            ));
        }
        match form {
            Form::Named if self.config.source.as_deref() != Some(root) => Err(self.bad_source(
                "it names the dataset already; leave the key zfs.pool_name out",
            )),
            Form::File | Form::Device(_) if root.contains('/') => Err(self.bad_source(
                "a new ZFS pool cannot have a slash in its name; give another zfs.pool_name, or an existing dataset as the source",
            )),
            _ => Ok(()),
        }
    }

    async fn expect_no_pool(&self) -> Result<(), Error> {
        let name = self.names.zpool();
        if zfs::pools().await?.iter().any(|(pool, _)| pool == name) {
            return Err(self.bad_source(format!(
                "this host has a ZFS pool {name} already; give another zfs.pool_name, or source={name} to use that one"
            )));
        }
        Ok(())
    }

    async fn create_on_file(&self) -> Result<BTreeMap<String, String>, Error> {
        self.expect_no_pool().await?;
        let file = self.file();
        let (text, size) = match self.config.size {
            Some(size) => (None, size),
            None => default_size(&self.paths).map(|(text, size)| (Some(text), size))?,
        };
        file.create(size).await?;
        if let Err(error) = self.create_zpool(file.path()).await {
            file.remove().await?;
            return Err(error);
        }
        let mut recorded = BTreeMap::from([("source".to_owned(), file.source())]);
        recorded.extend(text.map(|text| ("size".to_owned(), text)));
        Ok(recorded)
    }

    async fn create_on_device(&self, device: &Path) -> Result<(), Error> {
        let found = device.metadata().map_err(io_error("look at", device))?;
        if !found.file_type().is_block_device() {
            return Err(self.bad_source(
                "it is no block device; leave the source out for a file of the daemon's own, or give the name of a ZFS pool or dataset",
            ));
        }
        self.expect_no_pool().await?;
        self.create_zpool(device).await
    }

    /// A pool whose devices are gone answers with errors instead of making everybody wait for ever. We import
    /// it ourselves, so the host's list of pools does not name it.
    async fn create_zpool(&self, device: &Path) -> Result<(), Error> {
        let root = ROOT.iter().map(|property| (*property).to_owned()).chain([format!("{MADE}=pool")]);
        let properties = ["cachefile=none".to_owned(), "failmode=continue".to_owned()];
        let root: Vec<String> = root.collect();
        Ok(zfs::create_pool(self.names.zpool(), device, &properties, &root).await?)
    }

    /// Takes an existing ZFS pool or dataset, which must be empty, or makes a dataset in an existing pool.
    async fn take_dataset(&self) -> Result<(), Error> {
        let (root, zpool) = (self.names.root(), self.names.zpool());
        if !zfs::pools().await?.iter().any(|(pool, _)| pool == zpool) {
            return Err(self.bad_source(format!(
                "this host has no ZFS pool {zpool}; make it or import it (zpool import {zpool}), or give a block device"
            )));
        }
        match zfs::list(root, Below::Children, Types::Anything, &["name"]).await? {
            Some(rows) if rows.len() > 1 => Err(self.bad_source(
                "it has datasets or snapshots already; give one that is empty, or a new name in it",
            )),
            Some(_) => {
                let given = GIVEN.iter().map(|property| (*property).to_owned());
                let given: Vec<String> = given.chain([format!("{MADE}=parts")]).collect();
                Ok(zfs::set(root, &given).await?)
            }
            None => {
                let own = ROOT.iter().map(|property| (*property).to_owned());
                let own: Vec<String> =
                    own.chain(["mountpoint=none".to_owned(), format!("{MADE}=dataset")]).collect();
                Ok(zfs::create_with_parents(root, &own).await?)
            }
        }
    }

    /// Makes what is missing: datasets for each kind of volume, and the directories they are mounted in.
    async fn make_parts(&self) -> Result<(), Error> {
        let listed = zfs::list(self.names.root(), Below::Children, Types::Filesystems, &["name"]).await?;
        let Some(there) = listed else { return Err(self.no_root()) };
        for part in PARTS {
            let dataset = self.names.part(part);
            if !there.iter().any(|row| row.first() == Some(&dataset)) {
                let properties = ["mountpoint=none".to_owned(), "canmount=off".to_owned()];
                zfs::create(&dataset, &properties).await?;
            }
        }
        if let Some(pools) = self.paths.mount.parent() {
            mounts::make(pools, PASSABLE)?;
        }
        mounts::make(&self.paths.mount, PASSABLE)?;
        for (part, mode) in DIRECTORIES {
            mounts::make(&self.paths.part(part), mode)?;
        }
        Ok(())
    }

    fn no_root(&self) -> Error {
        self.cannot("be used", format!("there is no ZFS dataset {}", self.names.root()))
    }

    pub(super) async fn mount(&self) -> Result<bool, Error> {
        load().await?;
        let zpool = self.names.zpool();
        let health =
            zfs::pools().await?.into_iter().find(|(pool, _)| pool == zpool).map(|(_, health)| health);
        let imported = match health.as_deref() {
            None => self.import().await.map(|()| true)?,
            Some("ONLINE" | "DEGRADED") => false,
            Some(health) => {
                let why = format!("the ZFS pool {zpool} is {health}; `zpool status {zpool}` tells more");
                return Err(self.cannot("be used", why));
            }
        };
        self.expect_ours().await?;
        self.make_parts().await?;
        Ok(imported)
    }

    /// Another ZFS pool may have the name by now.
    async fn expect_ours(&self) -> Result<(), Error> {
        let made = self.made().await?.ok_or_else(|| self.no_root())?;
        if made != "-" || self.has_dataset(&self.names.part("containers")).await? {
            return Ok(());
        }
        let why = format!("the ZFS dataset {} was not made for a storage pool", self.names.root());
        Err(self.cannot("be used", why))
    }

    /// A file of the daemon's own is nobody else's, whichever host used it last.
    async fn import(&self) -> Result<(), Error> {
        let (zpool, file) = (self.names.zpool(), self.file());
        let properties = ["cachefile=none".to_owned()];
        let result = if matches!(self.form(), Form::File) {
            if !file.exists() {
                let why = format!("its file {} is gone", file.path().display());
                return Err(self.cannot("be used", why));
            }
            zfs::import_pool(zpool, Some(file.path()), true, &properties).await
        } else {
            let device = match self.form() {
                Form::Device(device) => Some(device),
                Form::File | Form::Named => None,
            };
            zfs::import_pool(zpool, device.as_deref(), false, &properties).await
        };
        result.map_err(|error| {
            let why = match &error {
                tools::RunError::Failed { stderr, .. } => stderr.trim().to_owned(),
                other => other.to_string(),
            };
            self.cannot("be used", format!("the ZFS pool {zpool} cannot be imported: {why}"))
        })
    }

    async fn unmount_volumes(&self) -> Result<bool, Error> {
        let mut any = false;
        for path in mounts::below(&self.paths.mount)? {
            any |= mounts::unmount(&path).await?;
        }
        Ok(any)
    }

    /// Lets go of ZFS pools that are ours alone, so that they may go to another host.
    pub(super) async fn unmount(&self) -> Result<bool, Error> {
        let zpool = self.names.zpool();
        if !zfs::pools().await?.iter().any(|(pool, _)| pool == zpool) {
            return Ok(false);
        }
        let any = self.unmount_volumes().await?;
        if self.made().await?.as_deref() != Some("pool") {
            return Ok(any);
        }
        zfs::export_pool(zpool).await.map_err(|error| self.explain(error, || "be unmounted".to_owned()))?;
        Ok(true)
    }

    /// What was made with the pool, as recorded at its root; `None`: it has no root.
    async fn made(&self) -> Result<Option<String>, Error> {
        let rows = zfs::list(self.names.root(), Below::Itself, Types::Filesystems, &[MADE]).await?;
        Ok(rows.and_then(|rows| rows.into_iter().flatten().next()))
    }

    pub(super) async fn delete(&self) -> Result<(), Error> {
        // One that is gone for good can be deleted, too.
        if let Err(error) = self.mount().await {
            tracing::warn!(pool = %self.pool, error = &error as &dyn std::error::Error, "deleting a storage pool that cannot be used");
        }
        self.remove().await
    }

    async fn remove(&self) -> Result<(), Error> {
        self.unmount_volumes().await?;
        match self.made().await?.as_deref() {
            Some("pool") => zfs::destroy_pool(self.names.zpool()).await?,
            Some("dataset") => {
                self.remove_parts().await?;
                zfs::destroy_everything(self.names.root()).await?;
            }
            // What the pool was put into stays, without what it got.
            Some(_) => {
                self.remove_parts().await?;
                // Its own value, because that of a dataset above it would mean something else.
                zfs::set(self.names.root(), &[format!("{MADE}=nothing")]).await?;
            }
            None => {}
        }
        if matches!(self.form(), Form::File) {
            self.file().remove().await?;
        }
        for (part, _) in DIRECTORIES {
            mounts::remove_empty(&self.paths.part(part));
        }
        match std::fs::remove_dir(&self.paths.mount) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(io_error("remove", &self.paths.mount)(error))
            }
            _ => Ok(()),
        }
    }

    async fn remove_parts(&self) -> Result<(), Error> {
        self.sweep().await?;
        for part in PARTS {
            match zfs::destroy_everything(&self.names.part(part)).await {
                Err(error) if !zfs::missing(&error) => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    /// The only thing about a pool that ZFS has to be told is how large its file is.
    pub(super) async fn update(&self, new: &PoolConfig) -> Result<(), Error> {
        let Some(size) = new.size.filter(|_| new.size != self.config.size) else { return Ok(()) };
        let grow = format!("become {} large", size.human_binary(2));
        if !matches!(self.form(), Form::File) {
            return Err(self.cannot(grow, "it is not on a file of the daemon's own".to_owned()));
        }
        let file = self.file();
        let present = file.size().await?;
        if size < present {
            let why = format!("it has {} already, and ZFS pools only grow", present.human_binary(2));
            return Err(self.cannot(grow, why));
        }
        file.grow(size).await?;
        zfs::expand_pool(self.names.zpool(), file.path()).await.map_err(|error| self.explain(error, || grow))
    }

    pub(super) async fn resources(&self) -> Result<Resources, Error> {
        let rows =
            zfs::list(self.names.root(), Below::Itself, Types::Filesystems, &["used", "available"]).await?;
        let row = rows.and_then(|rows| rows.into_iter().next()).ok_or_else(|| self.no_root())?;
        let number = |at: usize| row.get(at).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        let (used, available) = (number(0), number(1));
        Ok(Resources {
            space_used: used,
            space_total: used.saturating_add(available),
            inodes_used: 0,
            inodes_total: 0,
        })
    }

    /// What is free in it.
    pub(super) async fn available(&self) -> Result<Bytes, Error> {
        let resources = self.resources().await?;
        Ok(Bytes(resources.space_total.saturating_sub(resources.space_used)))
    }
}

/// Loads the kernel's part of ZFS.
async fn load() -> Result<(), Error> {
    tools::require("zfs")?;
    if Path::new("/dev/zfs").exists() {
        return Ok(());
    }
    Ok(tools::modprobe::load("zfs").await?)
}

/// The root dataset that a configuration means.
pub(super) fn root(pool: &str, config: &PoolConfig) -> String {
    debug_assert!(!DriverKind::Zfs.has_blocks());
    let named = config.source.clone().filter(|source| !source.starts_with('/'));
    config.zfs_pool_name.clone().or(named).unwrap_or_else(|| names::zpool(pool))
}

#[cfg(test)]
mod tests {
    use super::super::tests::state;
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let form = |source: &str| state("p1", &[("source", source)]).form();
        assert_eq!(form(""), Form::File);
        assert_eq!(form("/var/lib/x/disks/p1.img"), Form::File);
        assert_eq!(form("/dev/sdb"), Form::Device("/dev/sdb".into()));
        assert_eq!(form("tank"), Form::Named);
        let root = |keys: &[(&str, &str)]| state("my pool", keys).names.root().to_owned();
        assert_eq!(root(&[]), "lxd:my:20pool");
        assert_eq!(root(&[("source", "/dev/sdb")]), "lxd:my:20pool");
        assert_eq!(root(&[("source", "tank/lxd")]), "tank/lxd");
        assert_eq!(root(&[("zfs.pool_name", "other")]), "other");
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let check = |keys: &[(&str, &str)]| {
            let state = state("p1", keys);
            state.check_name(&state.form())
        };
        assert!(check(&[]).is_ok());
        assert!(check(&[("source", "tank/lxd")]).is_ok());
        assert!(check(&[("source", "tank"), ("zfs.pool_name", "tank")]).is_ok());
        let says = |keys: &[(&str, &str)]| check(keys).unwrap_err().to_string();
        assert!(says(&[("source", "tank"), ("zfs.pool_name", "other")]).contains("leave the key"));
        assert!(says(&[("zfs.pool_name", "a/b")]).contains("slash"));
        assert!(says(&[("source", "tank/../x")]).contains("such as tank"));
    }
}
