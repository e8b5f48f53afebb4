//! `lxc delete`.

use crate::args::DeleteArgs;
use crate::session::{Session, Target, for_each};
use anyhow::{Context as _, bail};
use api::StatusCode;
use api::instances::StatePut;
use client::Client;
use std::io::Write as _;

pub(crate) async fn run(session: &Session, args: &DeleteArgs) -> anyhow::Result<()> {
    if args.interactive {
        for name in &args.names {
            confirm(name)?;
        }
    }
    for_each(&args.names, "delete", |text| async move {
        let (client, Target { name, .. }) = session.named(&text, "container")?;
        if let Some((container, snapshot)) = name.split_once('/') {
            let pending = client.delete_snapshot(container, snapshot).await?;
            super::wait(session, &pending, "Deleting").await?;
            return Ok(());
        }
        if args.force && stop(session, &client, &name).await? {
            return Ok(());
        }
        let deleted =
            async { super::wait(session, &client.delete_container(&name).await?, "Deleting").await };
        let Err(error) = deleted.await else { return Ok(()) };
        // The server's refusal names no flag of ours.
        if !args.force && !error.is_not_found() && runs(&client, &name).await {
            bail!("The container is currently running, stop it first or pass --force.");
        }
        Err(error.into())
    })
    .await
}

async fn runs(client: &Client, name: &str) -> bool {
    client.container(name).await.is_ok_and(|found| found.value.status_code != StatusCode::Stopped)
}

/// Stops by force what is up; true when that deleted it already.
async fn stop(session: &Session, client: &Client, name: &str) -> anyhow::Result<bool> {
    let container = client.container(name).await?.value;
    if container.status_code == StatusCode::Stopped {
        return Ok(false);
    }
    let put = StatePut { action: "stop".to_owned(), timeout: -1, force: true, stateful: false };
    let pending = client.set_state(name, &put).await.with_context(|| format!("Cannot stop {name}"))?;
    super::wait(session, &pending, "Stopping").await.with_context(|| format!("Cannot stop {name}"))?;
    Ok(container.ephemeral)
}

fn confirm(name: &str) -> anyhow::Result<()> {
    eprint!("Remove {name} (yes/no): ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer")?;
    if answer.trim() != "yes" {
        bail!("User aborted delete operation");
    }
    Ok(())
}
