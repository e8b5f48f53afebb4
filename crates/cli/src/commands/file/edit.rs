//! `lxc file edit`.

use super::Remote;
use crate::editor;
use crate::session::Session;
use anyhow::{Context as _, bail};
use client::{Body, Entry};
use std::path::Path;

pub(crate) async fn run(session: &Session, text: &str) -> anyhow::Result<()> {
    let remote = Remote::parse(session, text)?;
    let (meta, download) = match remote.client.file(remote.place()).await.with_context(|| text.to_owned())? {
        Entry::File(meta, download) => (meta, download),
        Entry::Directory(..) => bail!("{text} is a directory"),
        Entry::Symlink(_, target) => bail!("{text} is a link to {target}; edit that file"),
    };
    let before = download.bytes().await?;
    let after = match editor::piped()? {
        Some(content) => content,
        None => {
            // The editor may tell the kind of file by its name.
            let extension =
                Path::new(&remote.path).extension().map(|text| format!(".{}", text.to_string_lossy()));
            editor::edit_once(&before, &extension.unwrap_or_default())?
        }
    };
    if after == before {
        return Ok(());
    }
    remote.client.push_file(remote.place(), meta, Body::full(after)).await.with_context(|| text.to_owned())
}
