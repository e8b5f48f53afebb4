//! `lxc restore`.

use crate::args::RestoreArgs;
use crate::session::{Session, Target};

pub(crate) async fn run(session: &Session, args: &RestoreArgs) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(&args.container, "container")?;
    super::wait(session, &client.restore(&name, &args.snapshot, args.stateful).await?, "Restoring").await?;
    Ok(())
}
