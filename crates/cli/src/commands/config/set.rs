//! `lxc config set`.

use crate::commands::holder::{self, Holder, HolderKind};
use crate::pairs;
use crate::session::Session;
use api::server::ServerPut;

pub(crate) async fn run(session: &Session, args: &[String]) -> anyhow::Result<()> {
    let (text, rest) = pairs::split_target(args);
    let pairs = pairs::parse_set(rest)?;
    let target = session.target(text.unwrap_or_default())?;
    if target.name.is_empty() {
        let config = pairs.into_iter().map(|(key, value)| (key, value.into())).collect();
        return Ok(session.client(&target.remote)?.patch_server(&ServerPut { config }).await?);
    }
    let mut container = Holder::load(session, HolderKind::Container, text.unwrap_or_default()).await?;
    holder::set(container.config(), pairs);
    container.save(session).await
}
