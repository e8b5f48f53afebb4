//! `lxc config unset`.

use crate::commands::holder::{self, Holder, HolderKind};
use crate::pairs;
use crate::session::Session;
use anyhow::ensure;
use api::server::ServerPut;

pub(crate) async fn run(session: &Session, args: &[String]) -> anyhow::Result<()> {
    let (text, key) = pairs::target_and_key(args);
    let target = session.target(text.unwrap_or_default())?;
    if !target.name.is_empty() {
        let mut container = Holder::load(session, HolderKind::Container, text.unwrap_or_default()).await?;
        holder::unset(container.config(), key)?;
        return container.save(session).await;
    }
    let client = session.client(&target.remote)?;
    let current = client.server().await?;
    let mut config = current.value.config.unwrap_or_default();
    ensure!(config.remove(key).is_some(), "Can't unset key '{key}', it's not currently set");
    Ok(client.put_server(&ServerPut { config }, current.etag.as_deref()).await?)
}
