//! `lxc snapshot`.

use crate::args::SnapshotArgs;
use crate::session::{Session, Target};
use anyhow::ensure;
use api::Time;
use api::instances::SnapshotsPost;

pub(crate) async fn run(session: &Session, args: &SnapshotArgs) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(&args.container, "container")?;
    ensure!(!name.contains('/'), "\"{name}\" is a snapshot, and only containers have snapshots");
    let wanted = args.name.clone().unwrap_or_default();
    if args.reuse && !wanted.is_empty() {
        match client.delete_snapshot(&name, &wanted).await {
            Ok(pending) => drop(super::wait(session, &pending, "Deleting").await?),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    let expires_at = args.no_expiry.then_some(Time::UNSET);
    let request = SnapshotsPost { name: wanted, stateful: args.stateful, expires_at };
    super::wait(session, &client.take_snapshot(&name, &request).await?, "Snapshotting").await?;
    Ok(())
}
