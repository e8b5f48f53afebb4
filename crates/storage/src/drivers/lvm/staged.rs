//! Another content for a volume: made beside it, then put in its place by names.

use super::{EXTENT, Lvm, names, unique};
use crate::block;
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::volume::{Staged, Volume, VolumeSource};
use std::time::Duration;
use tools::lvm::{Logical, Lvm as Tool, Snapshot};

impl Lvm {
    fn staged_name(&self, volume: &Volume) -> Result<names::Name, Error> {
        let own = self.name(volume)?;
        Ok(names::Name { name: format!("staged_{}", own.name), tag: own.tag })
    }

    pub(super) async fn make_staged(
        &self,
        volume: &Volume,
        source: VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Staged, Error> {
        let tool = self.tool().await?;
        let name = self.staged_name(volume)?;
        if let (VolumeSource::Volume { volume: of, .. }, Some(_)) = (&source, &self.thin) {
            return self.stage_clone(&tool, volume, &name, of, config).await;
        }
        self.remove_staged(volume).await?;
        let draft = self.make_draft(source, config).await?;
        let temporary = Self::draft_volume(&draft);
        let work = async {
            Self::set_mode(&draft.path, crate::paths::mode(volume.kind())).await?;
            self.written(&tool, &draft.path, &temporary, Some(volume)).await?;
            block::unmount(&draft.path).await?;
            super::draft::remove_empty(&draft.path)?;
            self.give_name(&tool, &temporary, &name).await?;
            let list = self.list(&tool).await?;
            let made = list.iter().find(|found| found.name == name.name);
            made.map(|made| Staged(number(made))).ok_or_else(|| self.not_staged(volume))
        };
        let result = work.await;
        if result.is_err() {
            self.discard_draft(draft).await?;
        }
        result
    }

    /// With a thin pool, the content of another volume is there at once. Whoever has no number for it yet, after
    /// a crash, has it removed.
    async fn stage_clone(
        &self,
        tool: &Tool,
        volume: &Volume,
        name: &names::Name,
        of: &Volume,
        config: &VolumeConfig,
    ) -> Result<Staged, Error> {
        let origin = self.name(of)?.name;
        block::flush_btrfs(&self.paths.volume(of)).await?;
        let make = || tool.snapshot(&self.group, &origin, &name.name, Snapshot::Thin, name.tag.as_deref());
        if make().await.is_err() {
            // There is another one already.
            self.remove_staged(volume).await?;
            if let Err(error) = make().await {
                let there = self.list(tool).await?.iter().any(|found| found.name == origin);
                return Err(if there {
                    self.explain(tool, error, Some(volume), EXTENT).await
                } else {
                    self.missing(of)
                });
            }
        }
        let work = async {
            block::make_unique(&self.device(&name.name)).await?;
            self.set_size(tool, &name.name, self.size(config), false, None, Some(volume)).await?;
            let list = self.list(tool).await?;
            let made = list.iter().find(|found| found.name == name.name);
            made.map(|made| Staged(number(made))).ok_or_else(|| self.not_staged(volume))
        };
        let result = work.await;
        if result.is_err() {
            self.remove_staged(volume).await?;
        }
        result
    }

    fn not_staged(&self, volume: &Volume) -> Error {
        Error::NotStaged { pool: self.pool.clone(), volume: volume.clone() }
    }

    /// Logical volumes keep their UUID with another name, so that however far an earlier call came, it is
    /// known which is the new content.
    pub(super) async fn exchange_staged(&self, volume: &Volume, staged: Staged) -> Result<(), Error> {
        let tool = self.tool().await?;
        let list = self.list(&tool).await?;
        let (own, new) = (self.name(volume)?, self.staged_name(volume)?);
        let find = |name: &str| list.iter().find(|found| found.name == name);
        let present = find(&own.name);
        if present.is_some_and(|present| number(present) == staged.0) {
            return self.remove_staged(volume).await;
        }
        if find(&new.name).is_none_or(|found| number(found) != staged.0) {
            return Err(self.not_staged(volume));
        }
        let path = self.paths.volume(volume);
        let was_mounted = block::unmount(&path).await? != block::Unmounted::Already;
        let old = match present {
            Some(present) => Some(self.put_aside(&tool, present, &list).await?),
            None => None,
        };
        self.give_name(&tool, &new.name, &own).await?;
        if was_mounted {
            self.show(volume, &VolumeConfig::default()).await?;
        }
        if let Some(old) = old.filter(|old| old.starts_with("trash_")) {
            self.remove_later(&tool, vec![old], Duration::ZERO);
        }
        Ok(())
    }

    /// Without a thin pool, snapshots need what they were taken of.
    async fn put_aside(&self, tool: &Tool, present: &Logical, list: &[Logical]) -> Result<String, Error> {
        let needed = self.thin.is_none() && list.iter().any(|other| other.origin == present.name);
        let name = format!("{}_{}", if needed { "hidden" } else { "trash" }, unique());
        tool.rename(&self.group, &present.name, &name).await?;
        Ok(name)
    }

    pub(super) async fn remove_staged(&self, volume: &Volume) -> Result<(), Error> {
        let tool = self.tool().await?;
        let name = self.staged_name(volume)?.name;
        let list = self.list(&tool).await?;
        if list.iter().any(|found| found.name == name) {
            self.remove_named(&tool, vec![name]).await?;
        }
        Ok(())
    }
}

/// FNV-1a of the UUID: a number as good as that.
fn number(volume: &Logical) -> u64 {
    volume
        .uuid
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
