//! `lxc remote`.

use crate::args::{Format, RemoteCommand};
use crate::output::{self, listing};
use crate::session::{RemoteError, Session};
use crate::settings::{Remote, Settings};
use anyhow::{bail, ensure};
use client::Address;

pub(crate) fn run(session: &Session, command: RemoteCommand) -> anyhow::Result<()> {
    let mut settings = Settings::load()?;
    match command {
        RemoteCommand::GetDefault => return Ok(output::line(&session.settings.default_remote)?),
        RemoteCommand::List { format } => return list(session, format.format),
        RemoteCommand::Add { name, address } => add(&mut settings, name, &address)?,
        RemoteCommand::Remove { name } => {
            changeable(&settings, &name)?;
            ensure!(settings.default_remote != name, "Can't remove the default remote");
            settings.remotes.remove(&name);
        }
        RemoteCommand::Rename { name, new_name } => {
            check_name(&settings, &new_name)?;
            let remote = changeable(&settings, &name)?;
            settings.remotes.remove(&name);
            settings.remotes.insert(new_name.clone(), remote);
            if settings.default_remote == name {
                settings.default_remote = new_name;
            }
        }
        RemoteCommand::SetDefault { name } => {
            if !settings.remotes.contains_key(&name) {
                return Err(RemoteError::Unknown(name).into());
            }
            settings.default_remote = name;
        }
        RemoteCommand::SetUrl { name, address } => {
            let remote = changeable(&settings, &name)?;
            settings.remotes.insert(name, Remote { addr: url(&address)?, ..remote });
        }
    }
    Ok(settings.save()?)
}

fn add(settings: &mut Settings, name: String, address: &str) -> anyhow::Result<()> {
    check_name(settings, &name)?;
    let remote = Remote { addr: url(address)?, ..Remote::default() };
    settings.remotes.insert(name, remote);
    Ok(())
}

fn check_name(settings: &Settings, name: &str) -> anyhow::Result<()> {
    if let Some(existing) = settings.remotes.get(name) {
        bail!("Remote {name} exists as <{}>", existing.addr);
    }
    ensure!(
        !name.is_empty() && !name.contains([':', '/']),
        "\"{name}\" cannot be the name of a server: no \":\" and \"/\" in it"
    );
    Ok(())
}

/// The address as it is written down.
fn url(text: &str) -> anyhow::Result<String> {
    match Address::parse(text) {
        Ok(Address::Unix(_)) if text == "unix://" || text == "unix:" => Ok("unix://".to_owned()),
        Ok(Address::Unix(path)) => Ok(format!("unix://{}", path.display())),
        Ok(Address::Https(url)) => Ok(url),
        Err(error) => bail!("{error}"),
    }
}

fn changeable(settings: &Settings, name: &str) -> anyhow::Result<Remote> {
    match settings.remotes.get(name) {
        None => Err(RemoteError::Unknown(name.to_owned()).into()),
        Some(remote) if remote.fixed => bail!("Remote {name} is static and cannot be modified"),
        Some(remote) => Ok(remote.clone()),
    }
}

fn list(session: &Session, format: Format) -> anyhow::Result<()> {
    let settings = &session.settings;
    let rows = settings.remotes.iter().map(|(name, remote)| {
        let protocol = if remote.protocol.is_empty() { "lxd" } else { &remote.protocol };
        let auth = match (remote.auth_type.as_str(), remote.addr.starts_with("https:"), protocol) {
            ("", true, "lxd") if !remote.public => "tls",
            (auth, _, _) => auth,
        };
        let marked = if *name == settings.default_remote { " (default)" } else { "" };
        vec![
            format!("{name}{marked}"),
            remote.addr.clone(),
            protocol.to_owned(),
            auth.to_owned(),
            listing::yes_no(remote.public),
            listing::yes_no(remote.fixed),
        ]
    });
    let headers = ["NAME", "URL", "PROTOCOL", "AUTH TYPE", "PUBLIC", "STATIC"];
    listing::show(format, &headers, rows.collect(), &settings.remotes)
}
