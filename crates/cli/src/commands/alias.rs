//! `lxc alias`.

use crate::aliases;
use crate::args::{AliasCommand, Format};
use crate::output::listing;
use crate::session::Session;
use crate::settings::Settings;
use anyhow::{Context as _, ensure};

pub(crate) fn run(session: &Session, command: AliasCommand) -> anyhow::Result<()> {
    // A session's settings never change under it; what is changed here is for the next command.
    if let AliasCommand::List { format } = command {
        return list(session, format.format);
    }
    let mut settings = Settings::load_to_change()?;
    match command {
        AliasCommand::List { .. } => {}
        AliasCommand::Add { alias, target } => {
            ensure!(!settings.aliases.contains_key(&alias), "Alias {alias} already exists");
            settings.aliases.insert(alias, target);
        }
        AliasCommand::Remove { alias } => {
            settings.aliases.remove(&alias).with_context(|| format!("Alias {alias} doesn't exist"))?;
        }
        AliasCommand::Rename { alias, new_name } => {
            ensure!(!settings.aliases.contains_key(&new_name), "Alias {new_name} already exists");
            let target =
                settings.aliases.remove(&alias).with_context(|| format!("Alias {alias} doesn't exist"))?;
            settings.aliases.insert(new_name, target);
        }
    }
    Ok(settings.save()?)
}

fn list(session: &Session, format: Format) -> anyhow::Result<()> {
    let defined = &session.settings.aliases;
    let built_in = aliases::BUILT_IN.iter().filter(|(alias, _)| !defined.contains_key(*alias));
    let rows = defined.iter().map(|(alias, target)| vec![alias.clone(), target.clone()]);
    let rows = rows.chain(built_in.map(|(alias, target)| vec![(*alias).to_owned(), (*target).to_owned()]));
    listing::show(format, &["ALIAS", "TARGET"], rows.collect(), defined)
}
