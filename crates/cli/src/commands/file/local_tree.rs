//! What a directory of this machine holds.

use anyhow::{Context as _, bail};
use client::FileMeta;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// A directory with everything below it.
#[derive(Debug, Default)]
pub(super) struct LocalTree {
    /// By depth, so that parents come before their children: path from the top, and owner.
    pub(super) directories: Vec<Vec<(String, FileMeta)>>,
    pub(super) leaves: Vec<Leaf>,
}

/// What is no directory.
#[derive(Debug)]
pub(super) struct Leaf {
    /// Path from the top.
    pub(super) name: String,
    pub(super) local: PathBuf,
    pub(super) meta: FileMeta,
    /// A file's length, or `None` for a link.
    pub(super) size: Option<u64>,
}

/// Reads the tree under `top`; `name` is what it is to be called.
pub(super) fn walk(top: &Path, name: &str) -> anyhow::Result<LocalTree> {
    let mut tree = LocalTree::default();
    let info = std::fs::metadata(top).with_context(|| top.display().to_string())?;
    tree.directories.push(vec![(name.to_owned(), meta(&info))]);
    let mut level = vec![(top.to_owned(), name.to_owned())];
    while !level.is_empty() {
        let mut below = Vec::new();
        let mut found = Vec::new();
        for (directory, name) in level {
            read(&directory, &name, &mut tree.leaves, &mut found, &mut below)?;
        }
        if !found.is_empty() {
            tree.directories.push(found);
        }
        level = below;
    }
    Ok(tree)
}

fn read(
    directory: &Path,
    name: &str,
    leaves: &mut Vec<Leaf>,
    directories: &mut Vec<(String, FileMeta)>,
    below: &mut Vec<(PathBuf, String)>,
) -> anyhow::Result<()> {
    let failed = || directory.display().to_string();
    for entry in std::fs::read_dir(directory).with_context(failed)? {
        let entry = entry.with_context(failed)?;
        let local = entry.path();
        let info = entry.metadata().with_context(|| local.display().to_string())?;
        let Some(child) = entry.file_name().to_str().map(|child| super::join(name, child)) else {
            bail!("{} has a name that is not UTF-8, which the API cannot carry", local.display());
        };
        let kind = info.file_type();
        if kind.is_dir() {
            directories.push((child.clone(), meta(&info)));
            below.push((local, child));
        } else if kind.is_file() || kind.is_symlink() {
            let size = kind.is_file().then_some(info.len());
            leaves.push(Leaf { name: child, local, meta: meta(&info), size });
        } else {
            bail!("'{}' isn't a supported file type", local.display());
        }
    }
    Ok(())
}

/// Owner and permissions of a local file.
pub(super) fn meta(info: &Metadata) -> FileMeta {
    let mode = info.permissions().mode() & 0o7777;
    FileMeta { uid: Some(info.uid()), gid: Some(info.gid()), mode: Some(mode) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parents_come_first_and_links_are_kept() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(dir.path().join("a/b")).unwrap();
        std::fs::write(dir.path().join("a/b/f"), "12345").unwrap();
        std::os::unix::fs::symlink("nowhere", dir.path().join("l")).unwrap();
        let tree = walk(dir.path(), "top").unwrap();
        let names: Vec<Vec<&str>> = tree
            .directories
            .iter()
            .map(|level| level.iter().map(|(name, _)| name.as_str()).collect())
            .collect();
        assert_eq!(names, [["top"], ["top/a"], ["top/a/b"]]);
        let mut leaves: Vec<_> = tree.leaves.iter().map(|leaf| (leaf.name.as_str(), leaf.size)).collect();
        leaves.sort_unstable();
        assert_eq!(leaves, [("top/a/b/f", Some(5)), ("top/l", None)]);
    }

    #[test]
    fn sockets_and_their_like_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("s")).unwrap();
        let error = walk(dir.path(), "top").unwrap_err().to_string();
        assert!(error.ends_with("isn't a supported file type"), "{error}");
    }
}
