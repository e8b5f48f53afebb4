//! Another content for a volume: made beside it, then given its place.
//!
//! The new dataset gets the volume's name, and the old one becomes a shelf of it, so that no snapshot is ever
//! without a place. Then the volume is put in order (see [`plans::tidy`]): it becomes the owner of the snapshots
//! up to the one that it was made of, and what the old one holds beside newer snapshots is freed.

use super::fill::{Copy, UNMOUNTED};
use super::names::{shelf, unique};
use super::plans::{self, Step};
use super::rows::{NEWER, QUOTA, STAGED};
use super::volume::tree;
use super::{State, sweep};
use crate::config::VolumeConfig;
use crate::error::Error;
use crate::volume::{Staged, Volume, VolumeSource};
use model::units::Bytes;
use std::collections::HashSet;
use tools::zfs::{self, Below, Types};

impl State {
    /// What a volume is made of by its own snapshot shares data with it whatever the pool says of copies.
    pub(super) async fn stage(
        &self,
        volume: &Volume,
        source: &VolumeSource,
        config: &VolumeConfig,
    ) -> Result<Staged, Error> {
        self.check_length(volume)?;
        let dataset = self.names.staged(volume);
        let own =
            matches!(source, VolumeSource::Volume { volume: of, .. } if of.parent().as_ref() == Some(volume));
        let copy = if own { Copy::Clone } else { self.copies(source) };
        if copy == Copy::Whole {
            self.expect_room(volume, source).await?;
        }
        let staged = Staged(number());
        let mut properties = staged_properties(config);
        properties.push(format!("{STAGED}={}", staged.0));
        if let VolumeSource::Volume { volume: of, .. } = source
            && own
            && config.remove_snapshots == Some(true)
        {
            let row = self.find(of).await?.ok_or_else(|| self.no(of))?;
            properties.push(format!("{NEWER}={}", row.created));
        }
        let mut made = self.fill(&dataset, source, &properties, copy).await;
        if matches!(&made, Err(Error::Tool(error)) if zfs::taken(error)) {
            self.discard_staged(volume).await?;
            made = self.fill(&dataset, source, &properties, copy).await;
        }
        if made.is_ok() && matches!(source, VolumeSource::Empty | VolumeSource::Draft(_)) {
            made = self.set_up(&dataset, volume.kind(), false).await;
        }
        match made {
            Ok(()) => Ok(staged),
            Err(error) => {
                self.bury(&dataset).await;
                Err(error)
            }
        }
    }

    async fn number(&self, dataset: &str) -> Result<Option<u64>, Error> {
        let rows = zfs::list(dataset, Below::Itself, Types::Filesystems, &[STAGED]).await?;
        Ok(rows.and_then(|rows| rows.first()?.first()?.parse().ok()))
    }

    fn not_staged(&self, volume: &Volume) -> Error {
        Error::NotStaged { pool: self.pool.clone(), volume: volume.clone() }
    }

    /// Every content has a number of its own, so that however far an earlier call came, it is known which is
    /// the new one.
    pub(super) async fn commit_staged(&self, volume: &Volume, staged: &Staged) -> Result<(), Error> {
        let (main, new) = (self.names.volume(volume), self.names.staged(volume));
        if self.number(&new).await? == Some(staged.0) {
            self.unmount_volume(volume).await?;
            let put = |error| self.explain(error, || format!("give the {volume} its new files"));
            match zfs::rename(&main, &shelf(&new)).await {
                // That is how far an earlier call came.
                Err(error) if zfs::missing(&error) => {}
                result => result.map_err(put)?,
            }
            zfs::rename(&new, &main).await.map_err(put)?;
            self.make_mount_point(volume)?;
        } else if self.number(&main).await? != Some(staged.0) {
            return Err(self.not_staged(volume));
        }
        // It is done; that something old takes space is no reason to take it back.
        if let Err(error) = tidy(&main).await {
            tracing::warn!(%volume, error = &error as &dyn std::error::Error, "cannot remove the old content; the next start will");
        }
        Ok(())
    }

    /// What was interrupted between the two steps of an exchange is taken back.
    pub(super) async fn discard_staged(&self, volume: &Volume) -> Result<(), Error> {
        let (main, new) = (self.names.volume(volume), self.names.staged(volume));
        let tree = tree(&new).await?;
        if tree.dataset(&new).is_none() {
            return Ok(());
        }
        if let Some(old) = interrupted(&new, &tree)
            && !self.has_dataset(&main).await?
        {
            zfs::rename(old, &main).await?;
        }
        zfs::rename(&new, &self.names.ghost()).await?;
        self.sweep_later();
        Ok(())
    }
}

/// Puts a volume in order, as far as it can be.
pub(super) async fn tidy(main: &str) -> Result<(), Error> {
    let mut promote = true;
    let mut tried: HashSet<Step> = HashSet::new();
    loop {
        let tree = tree(main).await?;
        let mut steps = plans::tidy(main, &tree, promote);
        steps.retain(|step| !tried.contains(step));
        let again = steps.iter().any(Step::leads_on);
        for step in steps {
            let promotes = matches!(step, Step::Promote(_));
            let result = sweep::act(&step).await;
            if let Err(error) = &result {
                promote &= !promotes;
                tracing::debug!(?step, %error, "cannot put a volume in order");
            }
            // A volume may be promoted more than once, to what its shelf itself was made of.
            if !promotes || result.is_err() {
                tried.insert(step);
            }
        }
        if !again {
            return Ok(());
        }
    }
}

/// Something that tells one content from all others.
fn number() -> u64 {
    let mut bytes = [0; 8];
    // The kernel's source of random numbers is there long before any daemon; else the name of a dataset
    // is as good.
    match rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty()) {
        Ok(8) => u64::from_le_bytes(bytes),
        _ => u64::from_str_radix(&unique(), 16).unwrap_or(u64::MAX),
    }
}

/// The dataset of a volume whose exchange was interrupted: it lies below what was to take its place.
pub(super) fn interrupted<'a>(staged: &'a str, tree: &'a super::rows::Tree) -> Option<&'a str> {
    let directly = |name: &&str| !name[staged.len() + 1..].contains('/');
    tree.below(staged).map(|row| row.name.as_str()).find(directly)
}

/// A quota counts what lies on shelves, too, and is set when those are in order.
fn staged_properties(config: &VolumeConfig) -> Vec<String> {
    let mut properties = vec![UNMOUNTED.to_owned()];
    if let Some(Bytes(size)) = config.size {
        let name = if config.use_refquota == Some(true) { "refquota" } else { QUOTA };
        properties.push(format!("{name}={size}"));
    }
    properties
}

/// The volume's name for a staged dataset's; `None`: it is none.
pub(super) fn staged_for(dataset: &str) -> Option<String> {
    let (part, name) = dataset.rsplit_once('/')?;
    Some(format!("{part}/{}", name.strip_prefix(crate::paths::STAGED)?))
}

#[cfg(test)]
mod tests {
    use super::super::rows::Tree;
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn an_interrupted_exchange_is_seen() {
        let staged = "t/containers/.staged-c1";
        assert_eq!(staged_for(staged).unwrap(), "t/containers/c1");
        assert_eq!(staged_for("t/containers/c1"), None);
        let whole = Tree::new([row(staged, 1)]);
        assert_eq!(interrupted(staged, &whole), None);
        let rows = [format!("{staged}/.shelf-2/.shelf-1"), format!("{staged}/.shelf-2"), staged.to_owned()];
        let between = Tree::new(rows.iter().map(|name| row(name, 1)));
        assert_eq!(interrupted(staged, &between), Some("t/containers/.staged-c1/.shelf-2"));
    }
}
