//! `lxc file push --recursive`: directories level by level, then everything else at once.

use super::local_tree::{self, Leaf};
use super::{IN_FLIGHT, Remote, SMALL, join};
use anyhow::Context as _;
use client::Body;
use futures_util::stream::{self, TryStreamExt as _};
use std::fs::File;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use tokio::sync::mpsc;

/// A leaf with what it holds.
enum Loaded {
    Small(Vec<u8>),
    Large(File, u64),
    Link(String),
}

/// Pushes a directory, or a file, under the remote path.
pub(super) async fn run(remote: &Remote, source: &Path) -> anyhow::Result<()> {
    let top = PathBuf::from(source);
    let named = source.canonicalize().with_context(|| source.display().to_string())?;
    let name = source.file_name().or_else(|| named.file_name()).and_then(|name| name.to_str());
    let name = join(&remote.path, name.with_context(|| format!("{} has no usable name", source.display()))?);
    if !named.is_dir() {
        let info = std::fs::metadata(&top).with_context(|| top.display().to_string())?;
        let leaf = Leaf { name, local: top, meta: local_tree::meta(&info), size: Some(info.len()) };
        return push(remote, load(leaf)?).await;
    }
    let tree = tokio::task::spawn_blocking(move || local_tree::walk(&top, &name)).await??;
    for level in &tree.directories {
        stream::iter(level.iter().map(Ok))
            .try_for_each_concurrent(IN_FLIGHT, async |(path, meta)| {
                let made = remote.client.push_directory(remote.at(path), *meta).await;
                made.with_context(|| format!("Cannot create {path}"))
            })
            .await?;
    }
    // One thread reads ahead of the requests.
    let (sender, mut receiver) = mpsc::channel(2 * IN_FLIGHT);
    tokio::task::spawn_blocking(move || {
        for leaf in tree.leaves {
            if sender.blocking_send(load(leaf)).is_err() {
                return;
            }
        }
    });
    stream::poll_fn(move |context| receiver.poll_recv(context))
        .try_for_each_concurrent(IN_FLIGHT, |loaded| push(remote, loaded))
        .await
}

fn load(leaf: Leaf) -> anyhow::Result<(Leaf, Loaded)> {
    let failed = || leaf.local.display().to_string();
    let loaded = match leaf.size {
        None => {
            let target = std::fs::read_link(&leaf.local).with_context(failed)?;
            let target = std::str::from_utf8(target.as_os_str().as_bytes()).with_context(failed)?;
            Loaded::Link(target.to_owned())
        }
        Some(size) => {
            let mut file = File::open(&leaf.local).with_context(failed)?;
            if size <= SMALL {
                let mut content = Vec::with_capacity(usize::try_from(size)? + 1);
                file.read_to_end(&mut content).with_context(failed)?;
                Loaded::Small(content)
            } else {
                Loaded::Large(file, size)
            }
        }
    };
    Ok((leaf, loaded))
}

async fn push(remote: &Remote, (leaf, loaded): (Leaf, Loaded)) -> anyhow::Result<()> {
    let (client, place) = (&remote.client, remote.at(&leaf.name));
    let pushed = match loaded {
        Loaded::Small(content) => client.push_file(place, leaf.meta, Body::full(content)).await,
        Loaded::Large(file, size) => client.push_file(place, leaf.meta, Body::reader(file, Some(size))).await,
        Loaded::Link(target) => client.push_symlink(place, leaf.meta, &target).await,
    };
    pushed.with_context(|| format!("Cannot push {} to {}", leaf.local.display(), leaf.name))
}
