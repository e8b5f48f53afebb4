//! `lxc file pull --recursive`: several requests at once, names from the server never trusted.

use super::{IN_FLIGHT, Remote, SMALL, join};
use anyhow::{Context as _, ensure};
use client::{Entry, FileMeta};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Something to fetch, and where to put it.
struct Item {
    path: String,
    local: PathBuf,
}

/// Copies a directory that was read already, and all below it.
pub(super) async fn run(
    remote: &Remote,
    local: &Path,
    meta: FileMeta,
    names: Vec<String>,
) -> anyhow::Result<()> {
    let mut waiting = Vec::new();
    // Permissions are set last: a directory may not be writable.
    let mut directories = Vec::new();
    let top = Item { path: remote.path.clone(), local: local.to_owned() };
    enter(&top, meta, names, &mut waiting, &mut directories)?;
    let mut running = FuturesUnordered::new();
    loop {
        while running.len() < IN_FLIGHT
            && let Some(item) = waiting.pop()
        {
            running.push(fetch(remote, item));
        }
        let Some(fetched) = running.next().await else { break };
        if let Some((item, meta, names)) = fetched? {
            enter(&item, meta, names, &mut waiting, &mut directories)?;
        }
    }
    for (path, mode) in directories.into_iter().rev() {
        fs::set_permissions(&path, Permissions::from_mode(mode))
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// Makes a directory and queues what is in it.
fn enter(
    item: &Item,
    meta: FileMeta,
    names: Vec<String>,
    waiting: &mut Vec<Item>,
    directories: &mut Vec<(PathBuf, u32)>,
) -> anyhow::Result<()> {
    let failed = || item.local.display().to_string();
    match fs::create_dir(&item.local) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // A link left by an earlier pull could lead anywhere.
            let is_directory = fs::symlink_metadata(&item.local).with_context(failed)?.is_dir();
            ensure!(is_directory, "{} is in the way of a directory", item.local.display());
        }
        result => result.with_context(failed)?,
    }
    if let Some(mode) = meta.mode {
        directories.push((item.local.clone(), mode));
    }
    for name in names {
        let plain = !matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']);
        ensure!(plain, "The server names \"{name}\" as a file in {}", item.path);
        waiting.push(Item { path: join(&item.path, &name), local: item.local.join(&name) });
    }
    Ok(())
}

/// Fetches one item. A directory comes back, because there is more to fetch.
async fn fetch(remote: &Remote, item: Item) -> anyhow::Result<Option<(Item, FileMeta, Vec<String>)>> {
    let failed = || item.path.clone();
    match remote.client.file(remote.at(&item.path)).await.with_context(failed)? {
        Entry::Directory(meta, names) => return Ok(Some((item, meta, names))),
        Entry::Symlink(_, link) => write_link(&item.local, &link)?,
        Entry::File(meta, download) => {
            let local = item.local.clone();
            if download.length().is_some_and(|length| length <= SMALL) {
                let content = download.bytes().await.with_context(failed)?;
                tokio::task::spawn_blocking(move || {
                    create(&local, meta)?.write_all(&content).with_context(|| local.display().to_string())
                })
                .await??;
            } else {
                download.copy_to(create(&local, meta)?, |_| {}).await.with_context(failed)?;
            }
        }
    }
    Ok(None)
}

/// Makes a file of its own at the path, never writing through a link that is there.
fn create(local: &Path, meta: FileMeta) -> anyhow::Result<File> {
    let failed = || local.display().to_string();
    remove_old(local).with_context(failed)?;
    let file =
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(local).with_context(failed)?;
    if let Some(mode) = meta.mode {
        file.set_permissions(Permissions::from_mode(mode)).with_context(failed)?;
    }
    Ok(file)
}

/// Makes a link in place of whatever file is there.
pub(super) fn write_link(local: &Path, target: &str) -> anyhow::Result<()> {
    let failed = || local.display().to_string();
    remove_old(local).with_context(failed)?;
    std::os::unix::fs::symlink(target, local).with_context(failed)
}

fn remove_old(local: &Path) -> io::Result<()> {
    match fs::remove_file(local) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_in_the_way_are_replaced_and_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let (victim, link) = (dir.path().join("victim"), dir.path().join("link"));
        fs::write(&victim, "precious").unwrap();
        write_link(&link, "victim").unwrap();
        let meta = FileMeta { mode: Some(0o640), ..FileMeta::default() };
        create(&link, meta).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(fs::read_to_string(&link).unwrap(), "new");
        assert_eq!(fs::metadata(&link).unwrap().permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn names_that_lead_elsewhere_and_links_for_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let item = |name: &str| Item { path: "/d".into(), local: dir.path().join(name) };
        let mut queues = (Vec::new(), Vec::new());
        for name in ["../x", "..", "", "a/b"] {
            let names = vec![name.to_owned()];
            let result = enter(&item("d"), FileMeta::default(), names, &mut queues.0, &mut queues.1);
            assert!(result.is_err(), "{name}");
        }
        write_link(&dir.path().join("l"), "/").unwrap();
        assert!(enter(&item("l"), FileMeta::default(), Vec::new(), &mut queues.0, &mut queues.1).is_err());
        assert!(queues.0.is_empty());
    }
}
