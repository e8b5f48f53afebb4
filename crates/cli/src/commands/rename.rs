//! `lxc rename` and `lxc move`.

use crate::session::{Session, Target};
use anyhow::ensure;

pub(crate) async fn run(session: &Session, source: &str, target: &str) -> anyhow::Result<()> {
    let (client, Target { remote, name }) = session.named(source, "container")?;
    let new = session.target(target)?;
    // A new name without a server stays on the old one's.
    let new_remote = if target.contains(':') { &new.remote } else { &remote };
    ensure!(
        session.same_server(&remote, new_remote),
        "Moving between servers is not supported yet; \"{remote}\" and \"{new_remote}\" are different ones"
    );
    ensure!(!new.name.is_empty(), "Missing the new name of {name}");
    ensure!(!name.contains('/') && !new.name.contains('/'), "Snapshots are not supported yet");
    super::wait(session, &client.rename_container(&name, &new.name).await?, "Renaming").await?;
    Ok(())
}
