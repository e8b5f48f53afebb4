//! Which volumes there are, and other names for them.

use super::{Lvm, names};
use crate::block;
use crate::error::Error;
use crate::volume::{Kind, Volume};
use model::SnapshotName;
use tools::lvm::Logical;

impl Lvm {
    pub(super) async fn all_volumes(&self, kind: Kind) -> Result<Vec<Volume>, Error> {
        let list = self.list(&self.tool().await?).await?;
        let all = list.iter().filter_map(|found| names::parse(&found.name, &found.tags));
        let mut volumes: Vec<Volume> = all.filter(|volume| volume.kind() == kind).collect();
        volumes.sort();
        Ok(volumes)
    }

    /// An image with another file system than new volumes have is as good as none: what is made of it would
    /// have that too.
    pub(super) async fn has_volume(&self, volume: &Volume) -> Result<bool, Error> {
        let Volume::Image(fingerprint) = volume else { return self.is_there(volume).await };
        if self.known().images.contains(fingerprint) {
            return Ok(true);
        }
        let list = self.list(&self.tool().await?).await?;
        let name = self.name(volume)?.name;
        let tag = names::filesystem_tag(self.filesystem(&self.config.volume).name());
        let has = list.iter().any(|found| found.name == name && found.tags.contains(&tag));
        if has {
            self.known().images.insert(fingerprint.clone());
        }
        Ok(has)
    }

    async fn is_there(&self, volume: &Volume) -> Result<bool, Error> {
        // A name that is too long for one.
        let Some(name) = names::of(volume) else { return Ok(false) };
        if self.device(&name.name).exists() {
            return Ok(true);
        }
        let list = self.list(&self.tool().await?).await?;
        Ok(list.iter().any(|found| found.name == name.name))
    }

    pub(super) fn snapshots_in(list: &[Logical], of: &Volume) -> Vec<Volume> {
        let all = list.iter().filter_map(|found| names::parse(&found.name, &found.tags));
        let mut snapshots: Vec<Volume> = all.filter(|volume| volume.parent().as_ref() == Some(of)).collect();
        snapshots.sort();
        snapshots
    }

    pub(super) async fn snapshots_of(&self, of: &Volume) -> Result<Vec<SnapshotName>, Error> {
        let list = self.list(&self.tool().await?).await?;
        let found = Self::snapshots_in(&list, of);
        Ok(found.iter().filter_map(|volume| SnapshotName::parse(volume.name()).ok()).collect())
    }

    /// The volume first, then its snapshots: whoever finds the first done goes on with the second.
    pub(super) async fn rename_volume(&self, old: &Volume, new: &Volume) -> Result<(), Error> {
        let tool = self.tool().await?;
        let list = self.list(&tool).await?;
        let (from, to) = (self.name(old)?, self.name(new)?);
        let there = |name: &str| list.iter().any(|found| found.name == name);
        if there(&from.name) {
            if there(&to.name) {
                return Err(self.exists(new));
            }
            self.hide(old).await?;
            self.give_name(&tool, &from.name, &to).await?;
        } else if !there(&to.name) {
            return Err(self.missing(old));
        }
        for snapshot in Self::snapshots_in(&list, old) {
            let Some(other) = SnapshotName::parse(snapshot.name()).ok().and_then(|name| new.snapshot(&name))
            else {
                continue;
            };
            self.hide(&snapshot).await?;
            self.give_name(&tool, &self.name(&snapshot)?.name, &self.name(&other)?).await?;
            self.make_mount_point(&other).await?;
            self.remove_mount_point(&snapshot).await?;
        }
        self.make_mount_point(new).await?;
        let path = self.paths.volume(old);
        if block::is_mounted(&path)? { Ok(()) } else { self.remove_mount_point(old).await }
    }
}
