//! `lxc rename` and `lxc move`.

use crate::session::{Session, Target};
use anyhow::{bail, ensure};

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
    let pending = match (name.split_once('/'), new.name.split_once('/')) {
        (None, None) => client.rename_container(&name, &new.name).await?,
        (Some((container, snapshot)), Some((new_container, new))) => {
            ensure!(
                container == new_container,
                "Invalid new snapshot name, parent container must be the same as source; to make a container of a snapshot, use: lxc copy"
            );
            client.rename_snapshot(container, snapshot, new).await?
        }
        (Some((container, _)), None) => bail!(
            "Invalid new snapshot name, it has to begin with \"{container}/\"; to make a container of a snapshot, use: lxc copy"
        ),
        (None, Some(_)) => bail!("Invalid new name, a container cannot become a snapshot; use: lxc snapshot"),
    };
    super::wait(session, &pending, "Renaming").await?;
    Ok(())
}
