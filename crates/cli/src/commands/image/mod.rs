//! `lxc image`.

mod alias;
mod copy;
mod delete;
mod edit;
mod export;
mod export_streams;
mod filters;
mod import;
mod info;
mod list;
mod properties;
mod refresh;
mod tree;

use crate::args::ImageCommand;
use crate::session::{Session, Target};
use anyhow::{Context as _, ensure};
use api::images::Image;
use client::Client;

pub(crate) async fn run(session: &Session, command: ImageCommand) -> anyhow::Result<()> {
    match command {
        ImageCommand::Alias(command) => alias::run(session, command).await,
        ImageCommand::Copy(args) => copy::run(session, &args).await,
        ImageCommand::Delete { images } => delete::run(session, &images).await,
        ImageCommand::Edit { image } => edit::edit(session, &image).await,
        ImageCommand::Export(args) => export::run(session, &args).await,
        ImageCommand::GetProperty { image, key } => properties::get(session, &image, &key).await,
        ImageCommand::Import(args) => import::run(session, &args).await,
        ImageCommand::Info { image, format } => info::run(session, &image, format.format).await,
        ImageCommand::List(args) => list::run(session, &args).await,
        ImageCommand::Refresh { images } => refresh::run(session, &images).await,
        ImageCommand::SetProperty { image, key, value } => {
            properties::set(session, &image, &key, Some(value)).await
        }
        ImageCommand::Show { image, format } => edit::show(session, &image, format.format).await,
        ImageCommand::UnsetProperty { image, key } => properties::set(session, &image, &key, None).await,
    }
}

/// What is known about an image, here or on an image server.
async fn found(session: &Session, text: &str) -> anyhow::Result<Image> {
    let target = session.target(text)?;
    if let Some(server) = session.image_server(&target.remote)? {
        let name = if target.name.is_empty() { "default" } else { &target.name };
        return Ok(server.image(name).await?.0);
    }
    let (client, fingerprint) = fingerprint(session, text).await?;
    Ok(client.image(&fingerprint).await?.value)
}

/// What an image server lists; says so when the server itself could not be asked.
fn told<T>(remote: &str, (listed, stale): (T, Option<String>)) -> T {
    if let Some(why) = stale {
        eprintln!("{remote} cannot be asked ({why}); this is what it said last");
    }
    listed
}

/// The fingerprint, or the beginning of one, that a text stands for: an alias wins.
async fn fingerprint(session: &Session, text: &str) -> anyhow::Result<(Client, String)> {
    let (client, Target { name, .. }) = session.named(text, "image")?;
    match client.alias(&name).await {
        Ok(alias) => Ok((client, alias.target)),
        Err(error) if error.is_not_found() => Ok((client, name)),
        Err(error) => Err(error.into()),
    }
}

/// Does something to several images, one after the other and whatever becomes of the others. A single
/// failure is returned as it is; of several images each failure gets a line `name: error: why`.
async fn each(
    images: &[String],
    verb: &str,
    mut act: impl AsyncFnMut(&str) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    if let [only] = images {
        return act(only).await.with_context(|| format!("Cannot {verb} the image \"{only}\""));
    }
    let mut failed = false;
    for image in images {
        if let Err(error) = act(image).await {
            eprintln!("{image}: error: {error:#}");
            failed = true;
        }
    }
    ensure!(!failed, "Some images failed to {verb}");
    Ok(())
}
