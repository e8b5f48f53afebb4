//! `lxc image alias`.

use crate::args::ImageAliasCommand;
use crate::output::listing;
use crate::session::{Session, Target};
use anyhow::Context as _;
use api::images::AliasEntry;

pub(crate) async fn run(session: &Session, command: ImageAliasCommand) -> anyhow::Result<()> {
    match command {
        ImageAliasCommand::Create { alias, fingerprint, description } => {
            let (client, Target { name, .. }) = session.named(&alias, "alias")?;
            // The API wants the whole fingerprint.
            let target = client.image(&fingerprint).await?.value.fingerprint;
            Ok(client.create_alias(&AliasEntry { name, description, target, kind: String::new() }).await?)
        }
        ImageAliasCommand::Delete { aliases } => {
            for alias in &aliases {
                let (client, Target { name, .. }) = session.named(alias, "alias")?;
                client.delete_alias(&name).await.with_context(|| format!("Alias {name}"))?;
            }
            Ok(())
        }
        ImageAliasCommand::List { filters, format } => {
            let (remote, filters) = super::list::split_remote(session, &filters)?;
            let mut aliases = match session.image_server(&remote)? {
                Some(server) => super::told(&remote, server.aliases().await?),
                None => session.client(&remote)?.aliases().await?,
            };
            aliases.retain(|alias| {
                filters.iter().all(|text| alias.name.contains(text) || alias.target.starts_with(text))
            });
            let rows = aliases.iter().map(|alias| {
                vec![alias.name.clone(), super::list::short(&alias.target), alias.description.clone()]
            });
            listing::show(format.format, &["ALIAS", "FINGERPRINT", "DESCRIPTION"], rows.collect(), &aliases)
        }
        ImageAliasCommand::Rename { alias, new_name } => {
            let (client, Target { name, .. }) = session.named(&alias, "alias")?;
            Ok(client.rename_alias(&name, &new_name).await?)
        }
    }
}
