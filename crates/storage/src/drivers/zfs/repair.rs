//! After a crash: what was half-made and what was half-deleted goes, and what was half-exchanged is finished.

use super::names::is_copy;
use super::rows::{Row, Tree};
use super::staged::{interrupted, staged_for, tidy};
use super::volume::tree;
use super::{State, mounts};
use crate::drivers::Repaired;
use crate::error::Error;
use crate::paths::{PARTS as DIRECTORIES, PRIVATE, STAGED, TEMPORARY};
use crate::volume::Kind;
use std::path::PathBuf;
use tools::RunError;
use tools::zfs;

/// Something of a crash.
#[derive(Debug, PartialEq, Eq)]
enum Left {
    /// Half-made.
    Half(String),
    /// What was to take a volume's place, with the volume below it.
    Exchange(String, String),
    /// A snapshot that something was made of.
    Copy(String),
    /// A volume that has shelves, or is to get a quota.
    Untidy(String),
}

/// What a crash left, in the order in which it is mended. A pure function.
fn left(root: &str, tree: &Tree) -> Vec<Left> {
    let mut left = Vec::new();
    let volume = |row: &&Row| row.name[root.len()..].split('/').count() == 3;
    let deleted = format!("{root}/deleted/");
    let hidden = |row: &&Row| row.name.starts_with(&deleted);
    for row in tree.snapshots().filter(|row| !hidden(row)) {
        if row.snapshot().is_some_and(is_copy) && !row.deferred {
            left.push(Left::Copy(row.name.clone()));
        }
    }
    let mut untidy = Vec::new();
    for row in tree.below(root).filter(volume).filter(|row| !hidden(row)) {
        let name = row.name.rsplit('/').next().unwrap_or_default();
        if name.starts_with(TEMPORARY) {
            left.push(Left::Half(row.name.clone()));
        } else if name.starts_with(STAGED) {
            let Some(main) = staged_for(&row.name) else { continue };
            if tree.dataset(&main).is_none() && interrupted(&row.name, tree).is_some() {
                left.push(Left::Exchange(row.name.clone(), main.clone()));
                untidy.push(main);
            }
        } else if row.quota.is_some() || row.newer.is_some() || tree.below(&row.name).next().is_some() {
            untidy.push(row.name.clone());
        }
    }
    left.extend(untidy.into_iter().map(Left::Untidy));
    left
}

impl State {
    pub(super) async fn repair(&self) -> Result<Repaired, Error> {
        let mut repaired = Repaired::default();
        self.unmount_hidden(&mut repaired).await?;
        let root = self.names.root();
        let tree = tree(root).await?;
        for left in left(root, &tree) {
            let (name, result) = match left {
                Left::Half(name) => {
                    let result = zfs::rename(&name, &self.names.ghost()).await;
                    if result.is_ok() {
                        repaired.removed.push(PathBuf::from(&name));
                    }
                    (name, result.map_err(Error::from))
                }
                Left::Exchange(new, main) => {
                    let result = zfs::rename(&new, &main).await.map_err(Error::from);
                    (new, result)
                }
                Left::Copy(name) => {
                    let result = zfs::destroy_deferred(&name).await;
                    (name, ignore_busy(result))
                }
                Left::Untidy(name) => {
                    let result = tidy(&name).await;
                    (name, result)
                }
            };
            if let Err(error) = result {
                repaired.failed.push((PathBuf::from(name), error));
            }
        }
        self.sweep_later();
        self.make_mount_points(&tree)?;
        Ok(repaired)
    }

    /// Whatever links to volumes leads somewhere.
    fn make_mount_points(&self, tree: &Tree) -> Result<(), Error> {
        for row in tree.below(self.names.root()) {
            for kind in [Kind::Container, Kind::Custom] {
                if let Some(volume) = self.names.parse(kind, &row.name) {
                    self.make_mount_point(&volume)?;
                }
            }
        }
        for row in tree.snapshots() {
            let snapshot = self.names.parse_snapshot(Kind::ContainerSnapshot, &row.name);
            if let Some(of) = snapshot.and_then(|snapshot| snapshot.parent()) {
                mounts::make(&self.paths.snapshots(&of), PRIVATE)?;
            }
        }
        Ok(())
    }

    /// Half-made volumes that are mounted, and the directories that they were mounted in.
    async fn unmount_hidden(&self, repaired: &mut Repaired) -> Result<(), Error> {
        for (part, _) in DIRECTORIES {
            let Ok(entries) = self.paths.part(part).read_dir() else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let hidden = |prefix: &str| name.as_encoded_bytes().starts_with(prefix.as_bytes());
                if hidden(TEMPORARY) || hidden(STAGED) {
                    if let Err(error) = mounts::unmount(&entry.path()).await {
                        repaired.failed.push((entry.path(), error));
                    }
                    let _ = std::fs::remove_dir(entry.path());
                }
            }
        }
        Ok(())
    }
}

/// What somebody uses goes at the next start.
fn ignore_busy(result: Result<(), RunError>) -> Result<(), Error> {
    match result {
        Err(error) if zfs::busy(&error) || zfs::missing(&error) => Ok(()),
        other => other.map_err(Error::from),
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::row;
    use super::*;

    #[test]
    fn what_a_crash_left_is_told_from_what_is_whole() {
        let names = [
            "t",
            "t/containers",
            "t/containers/c1",
            "t/containers/c1@snapshot-a",
            "t/containers/c1@copy-1",
            "t/containers/.tmp-1",
            "t/containers/.staged-c2",
            "t/containers/.staged-c2/.shelf-1",
            "t/containers/.staged-c1",
            "t/snapshots/.tmp-2",
            "t/custom/v",
            "t/custom/v/.shelf-1",
            "t/deleted",
            "t/deleted/1",
            "t/deleted/1/.shelf-1",
            "t/deleted/1@copy-2",
        ];
        let mut rows: Vec<Row> = names.iter().map(|name| row(name, 1)).collect();
        rows.push(Row { deferred: true, ..row("t/containers/c1@copy-3", 1) });
        rows.push(Row { quota: Some("5".to_owned()), ..row("t/containers/c3", 1) });
        let text = str::to_owned;
        assert_eq!(
            left("t", &Tree::new(rows)),
            [
                Left::Copy(text("t/containers/c1@copy-1")),
                Left::Exchange(text("t/containers/.staged-c2"), text("t/containers/c2")),
                Left::Half(text("t/containers/.tmp-1")),
                Left::Half(text("t/snapshots/.tmp-2")),
                Left::Untidy(text("t/containers/c2")),
                Left::Untidy(text("t/containers/c3")),
                Left::Untidy(text("t/custom/v")),
            ]
        );
    }
}
