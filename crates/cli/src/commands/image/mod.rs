//! `lxc image`.

mod alias;
mod delete;
mod edit;
mod export;
mod import;
mod info;
mod list;

use crate::args::ImageCommand;
use crate::session::{Session, Target};
use client::Client;

pub(crate) async fn run(session: &Session, command: ImageCommand) -> anyhow::Result<()> {
    match command {
        ImageCommand::Alias(command) => alias::run(session, command).await,
        ImageCommand::Delete { images } => delete::run(session, &images).await,
        ImageCommand::Edit { image } => edit::edit(session, &image).await,
        ImageCommand::Export { image, target } => export::run(session, &image, &target).await,
        ImageCommand::Import(args) => import::run(session, &args).await,
        ImageCommand::Info { image } => info::run(session, &image).await,
        ImageCommand::List(args) => list::run(session, &args).await,
        ImageCommand::Show { image } => edit::show(session, &image).await,
    }
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
