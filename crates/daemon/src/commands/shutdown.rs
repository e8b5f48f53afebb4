//! `lxd shutdown`: stops all containers and the daemon, and returns when it is gone.

use crate::talk::Daemon;
use anyhow::{Context as _, bail};
use http::Method;
use std::time::Duration;

pub(super) async fn run(daemon: &Daemon, timeout: Option<u64>) -> anyhow::Result<()> {
    let (_, gone) = daemon
        .converse(Method::PUT, "/internal/shutdown", None)
        .await
        .context("cannot ask the daemon to shut down")?;
    let Some(seconds) = timeout else {
        gone.await;
        return Ok(());
    };
    if tokio::time::timeout(Duration::from_secs(seconds), gone).await.is_err() {
        bail!("LXD still running after {seconds}s timeout");
    }
    Ok(())
}
