//! `lxc profile get`, `set` and `unset`.

use crate::commands::holder::{self, Holder, HolderKind};
use crate::output;
use crate::pairs;
use crate::session::Session;

pub(crate) async fn get(session: &Session, profile: &str, key: &str) -> anyhow::Result<()> {
    let mut profile = Holder::load(session, HolderKind::Profile, profile).await?;
    Ok(output::line(profile.config().remove(key).unwrap_or_default())?)
}

pub(crate) async fn set(session: &Session, profile: &str, args: &[String]) -> anyhow::Result<()> {
    let pairs = pairs::parse_set(args)?;
    let mut profile = Holder::load(session, HolderKind::Profile, profile).await?;
    holder::set(profile.config(), pairs);
    profile.save(session).await
}

pub(crate) async fn unset(session: &Session, profile: &str, key: &str) -> anyhow::Result<()> {
    let mut profile = Holder::load(session, HolderKind::Profile, profile).await?;
    holder::unset(profile.config(), key)?;
    profile.save(session).await
}
