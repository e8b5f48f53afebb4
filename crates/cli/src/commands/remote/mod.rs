//! `lxc remote`.

mod add;
mod address;
mod list;

use crate::args::RemoteCommand;
use crate::output;
use crate::session::{RemoteError, Session};
use crate::settings::{Remote, Settings};
use add::Found;
use anyhow::{bail, ensure};

pub(crate) async fn run(session: &Session, command: RemoteCommand) -> anyhow::Result<()> {
    let command = match command {
        RemoteCommand::GetDefault => return Ok(output::line(&session.settings.default_remote)?),
        RemoteCommand::List { format } => return list::run(session, format.format),
        // Others can change the settings while a server or a person is waited for.
        RemoteCommand::Add(args) => return add(add::run(&Settings::load()?, args).await?),
        other => other,
    };
    let mut settings = Settings::load_to_change()?;
    match command {
        RemoteCommand::GetDefault | RemoteCommand::List { .. } | RemoteCommand::Add(_) => {}
        RemoteCommand::Remove { name } => {
            changeable(&settings, &name)?;
            ensure!(settings.default_remote != name, "Can't remove the default remote");
            settings.remotes.remove(&name);
            settings.save()?;
            return Ok(settings.keys()?.forget(&name)?);
        }
        RemoteCommand::Rename { name, new_name } => {
            let remote = changeable(&settings, &name)?;
            check_name(&settings, &new_name)?;
            settings.keys()?.rename(&name, &new_name)?;
            settings.remotes.remove(&name);
            if settings.default_remote == name {
                settings.default_remote.clone_from(&new_name);
            }
            settings.remotes.insert(new_name, remote);
        }
        RemoteCommand::SetDefault { name } => {
            if !settings.remotes.contains_key(&name) {
                return Err(RemoteError::Unknown(name).into());
            }
            settings.default_remote = name;
        }
        RemoteCommand::SetUrl { name, address } => {
            let remote = changeable(&settings, &name)?;
            let place = match remote.protocol.as_str() {
                "simplestreams" => address::read_streams(&address)?,
                _ => address::read(&address)?,
            };
            settings.remotes.insert(name, Remote { addr: place.url, ..remote });
        }
    }
    Ok(settings.save()?)
}

fn add(found: Found) -> anyhow::Result<()> {
    let mut settings = Settings::load_to_change()?;
    let Found { name, remote, certificate } = found;
    check_name(&settings, &name)?;
    match certificate {
        Some(certificate) => settings.keys()?.keep(&name, &certificate)?,
        // One of an earlier server of this name would be in the way.
        None => settings.keys()?.forget(&name)?,
    }
    settings.remotes.insert(name, remote);
    Ok(settings.save()?)
}

fn check_name(settings: &Settings, name: &str) -> anyhow::Result<()> {
    if let Some(existing) = settings.remotes.get(name) {
        bail!("Remote {name} exists as <{}>", existing.addr);
    }
    ensure!(
        !name.is_empty() && !name.contains([':', '/']) && !name.chars().any(char::is_whitespace),
        "\"{name}\" cannot be the name of a server: no blanks, \":\" and \"/\" in it"
    );
    Ok(())
}

fn changeable(settings: &Settings, name: &str) -> anyhow::Result<Remote> {
    match settings.remotes.get(name) {
        None => Err(RemoteError::Unknown(name.to_owned()).into()),
        Some(remote) if remote.fixed => bail!("Remote {name} is static and cannot be modified"),
        Some(remote) => Ok(remote.clone()),
    }
}
