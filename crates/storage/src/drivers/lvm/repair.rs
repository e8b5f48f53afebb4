//! After a crash: what was half-made and what was half-deleted goes.

use super::{Lvm, names};
use crate::block;
use crate::drivers::Repaired;
use crate::error::{Error, io_error};
use crate::paths::TEMPORARY;
use crate::pool::blocking;
use crate::volume::Volume;
use std::path::PathBuf;
use tools::lvm::{Logical, Lvm as Tool};

impl Lvm {
    pub(super) async fn repair_pool(&self) -> Result<Repaired, Error> {
        let tool = self.tool().await?;
        let mut repaired = Repaired::default();
        for path in self.scratches().await? {
            block::unmount(&path).await?;
            super::draft::remove_empty(&path)?;
        }
        let list = self.list(&tool).await?;
        for name in leftovers(&list) {
            // A view that somebody looked at when the daemon ended.
            if let Some(of) = list.iter().find(|found| Self::view(&found.name) == name)
                && let Some(volume) = names::parse(&of.name, &of.tags)
            {
                block::unmount(&self.paths.volume(&volume)).await?;
            }
            self.remove_leftover(&tool, name, &mut repaired).await;
        }
        for name in self.remove_hidden(&tool).await? {
            repaired.removed.push(self.device(&name));
        }
        for found in &list {
            match names::parse(&found.name, &found.tags) {
                None | Some(Volume::Image(_)) => {}
                Some(volume) => self.make_mount_point(&volume).await?,
            }
        }
        Ok(repaired)
    }

    async fn remove_leftover(&self, tool: &Tool, name: String, repaired: &mut Repaired) {
        let path = self.device(&name);
        match self.remove_named(tool, vec![name]).await {
            Ok(()) => repaired.removed.push(path),
            Err(error) => repaired.failed.push((path, error)),
        }
    }

    /// Directories that something was mounted on for a moment.
    async fn scratches(&self) -> Result<Vec<PathBuf>, Error> {
        let drafts = self.paths.drafts();
        blocking(move || {
            let mut found = Vec::new();
            for entry in std::fs::read_dir(&drafts).map_err(io_error("read", &drafts))? {
                let entry = entry.map_err(io_error("read", &drafts))?;
                if entry.file_name().as_encoded_bytes().starts_with(TEMPORARY.as_bytes()) {
                    found.push(entry.path());
                }
            }
            Ok(found)
        })
        .await
    }
}

/// What nobody needs, snapshots before what they belong to: volumes in the making, deleted ones, views, and
/// snapshots that had their names before their volume had its own.
fn leftovers(list: &[Logical]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for found in list {
        let Some(own) = found.name.strip_prefix("new_") else { continue };
        let Some(volume) = names::parse(own, &found.tags) else { continue };
        if list.iter().any(|other| other.name == own) {
            continue;
        }
        names.extend(list.iter().filter_map(|other| {
            let snapshot = names::parse(&other.name, &other.tags)?;
            (snapshot.parent().as_ref() == Some(&volume)).then(|| other.name.clone())
        }));
    }
    let doomed =
        |name: &str| ["new_", "tmp_", "trash_", "view_"].iter().any(|prefix| name.starts_with(prefix));
    let mut rest: Vec<&Logical> = list.iter().filter(|found| doomed(&found.name)).collect();
    rest.sort_by_key(|found| found.origin.is_empty());
    names.extend(rest.into_iter().map(|found| found.name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(names: &[&str]) -> Vec<Logical> {
        names.iter().map(|name| Logical { name: (*name).to_owned(), ..Logical::default() }).collect()
    }

    #[test]
    fn half_made_and_half_deleted_volumes_go() {
        let found = list(&[
            "LXDThinpool",
            "containers_c1",
            "containers_c1-s0",
            "containers_c2-s0",
            "new_containers_c2",
            "staged_containers_c1",
            "tmp_1",
            "tmp_1-s0",
            "trash_1",
            "view_containers_c1-s0",
            "hidden_1",
            // Interrupted while it was renamed: whoever did that goes on.
            "containers_c3-s0",
        ]);
        assert_eq!(
            leftovers(&found),
            [
                "containers_c2-s0",
                "new_containers_c2",
                "tmp_1",
                "tmp_1-s0",
                "trash_1",
                "view_containers_c1-s0",
            ]
        );
    }
}
