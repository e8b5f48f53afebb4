//! `lxc file delete`.

use super::Remote;
use crate::session::Session;
use anyhow::Context as _;

pub(crate) async fn run(session: &Session, paths: &[String]) -> anyhow::Result<()> {
    for text in paths {
        let remote = Remote::parse(session, text)?;
        remote.client.delete_file(remote.place()).await.with_context(|| format!("Cannot delete {text}"))?;
    }
    Ok(())
}
