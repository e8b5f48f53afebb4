//! `lxc move`: another name on one server, or another server.

use super::copy::{change, original};
use super::transfer::{Transfer, check_target};
use crate::args::MoveArgs;
use crate::session::{Session, Target};
use anyhow::{Context as _, ensure};
use api::instances::StatePut;
use client::Client;

pub(crate) async fn run(session: &Session, args: &MoveArgs) -> anyhow::Result<()> {
    let (from, Target { remote, name }) = session.named(&args.source, "container")?;
    let target = session.target(&args.target)?;
    if session.same_server(&remote, &target.remote) {
        return super::rename::run(session, &args.source, &args.target).await;
    }
    ensure!(
        !name.contains('/'),
        "A snapshot cannot be moved to another server without its container; make a container of it there with: lxc copy"
    );
    check_target(&target.name)?;
    let to = session.client(&target.remote)?;
    let source = original(&from, &name).await?;
    let (runs, live) = (source.runs, source.runs && !args.stateless);
    let new_name = if target.name.is_empty() { &name } else { &target.name };
    let mut request = source.into_request(new_name, &args.config, &args.profile, args.no_profiles)?;
    change(&to, &mut request.devices, &args.device, args.storage.as_deref()).await?;
    let transfer = Transfer {
        session,
        from: &from,
        to: &to,
        name: &name,
        request,
        mode: args.mode,
        live,
        container_only: args.container_only,
        refresh: false,
    };
    let created = transfer.run().await?;
    // Only now, when the target has said that everything is there.
    let removed = remove(session, &from, &name, runs).await;
    removed
        .with_context(|| format!("{name} is on the other server as {created}, but cannot be removed here"))?;
    Ok(())
}

async fn remove(session: &Session, from: &Client, name: &str, runs: bool) -> anyhow::Result<()> {
    if runs {
        let stop = StatePut { action: "stop".to_owned(), force: true, ..StatePut::default() };
        super::wait(session, &from.set_state(name, &stop).await?, "Stopping").await?;
    }
    super::wait(session, &from.delete_container(name).await?, "Removing the source").await?;
    Ok(())
}
