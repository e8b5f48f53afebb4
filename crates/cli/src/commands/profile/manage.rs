//! Profiles as a whole: `lxc profile create`, `copy`, `delete`, `rename` and `show`.

use crate::args::Format;
use crate::commands::holder::profile_put;
use crate::output::{self, object};
use crate::session::{Session, Target};
use anyhow::ensure;
use api::profiles::ProfilePut;

pub(crate) async fn create(session: &Session, text: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(text, "profile")?;
    client.create_profile(&ProfilePut { name: name.clone(), ..ProfilePut::default() }).await?;
    Ok(output::line(format!("Profile {name} created"))?)
}

pub(crate) async fn copy(session: &Session, source: &str, target: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(source, "profile")?;
    let new = session.target(target)?;
    let new_client = session.client(&new.remote)?;
    let new_name = if new.name.is_empty() { name.clone() } else { new.name };
    let profile = profile_put(client.profile(&name).await?.value);
    Ok(new_client.create_profile(&ProfilePut { name: new_name, ..profile }).await?)
}

pub(crate) async fn delete(session: &Session, text: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(text, "profile")?;
    client.delete_profile(&name).await?;
    Ok(output::line(format!("Profile {name} deleted"))?)
}

pub(crate) async fn rename(session: &Session, text: &str, new_name: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(text, "profile")?;
    ensure!(!new_name.contains(':'), "A profile is renamed on its own server; leave out \"{new_name}\"'s");
    client.rename_profile(&name, new_name).await?;
    Ok(output::line(format!("Profile {name} renamed to {new_name}"))?)
}

pub(crate) async fn show(session: &Session, text: &str, format: Format) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(text, "profile")?;
    let mut profile = client.profile(&name).await?.value;
    profile.used_by.sort_unstable();
    object::show(format, &profile)
}
