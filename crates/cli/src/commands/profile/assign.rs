//! Which profiles a container has: `lxc profile assign`, `add` and `remove`.

use crate::commands::holder::{Holder, HolderKind};
use crate::output;
use crate::session::Session;
use anyhow::{Context as _, ensure};

pub(crate) async fn assign(session: &Session, container: &str, profiles: &str) -> anyhow::Result<()> {
    let wanted: Vec<String> =
        profiles.split(',').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    let shown = if wanted.is_empty() { "(none)" } else { profiles };
    let (name, ()) = change(session, container, |current| {
        *current = wanted;
        Ok(())
    })
    .await?;
    Ok(output::line(format!("Profiles {shown} applied to {name}"))?)
}

pub(crate) async fn add(session: &Session, container: &str, profile: String) -> anyhow::Result<()> {
    let (name, profile) = change(session, container, |current| {
        ensure!(!current.contains(&profile), "The container has the profile {profile} already");
        current.push(profile.clone());
        Ok(profile)
    })
    .await?;
    Ok(output::line(format!("Profile {profile} added to {name}"))?)
}

pub(crate) async fn remove(session: &Session, container: &str, profile: &str) -> anyhow::Result<()> {
    let (name, ()) = change(session, container, |current| {
        let found = current.iter().position(|candidate| candidate == profile);
        current.remove(
            found.with_context(|| format!("Profile {profile} isn't currently applied to {container}"))?,
        );
        Ok(())
    })
    .await?;
    Ok(output::line(format!("Profile {profile} removed from {name}"))?)
}

/// Changes a container's profiles and returns its name.
async fn change<T>(
    session: &Session,
    container: &str,
    change: impl FnOnce(&mut Vec<String>) -> anyhow::Result<T>,
) -> anyhow::Result<(String, T)> {
    let mut holder = Holder::load(session, HolderKind::Container, container).await?;
    let name = holder.name.clone();
    let mut none = Vec::new();
    let result = change(holder.profiles().unwrap_or(&mut none))?;
    holder.save(session).await?;
    Ok((name, result))
}
