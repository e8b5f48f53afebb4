//! `lxd waitready`: returns when the daemon is ready.

use crate::talk::{Daemon, TalkError};
use anyhow::bail;
use http::Method;
use std::time::Duration;

/// How often to look whether somebody listens already.
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn run(daemon: &Daemon, timeout: Option<u64>) -> anyhow::Result<()> {
    let Some(seconds) = timeout else {
        wait(daemon).await;
        return Ok(());
    };
    if tokio::time::timeout(Duration::from_secs(seconds), wait(daemon)).await.is_err() {
        bail!("LXD still not running after {seconds}s timeout");
    }
    Ok(())
}

async fn wait(daemon: &Daemon) {
    while let Err(error) = daemon.ask(Method::GET, "/internal/ready", None).await {
        // A daemon that is not there, or going, may be followed by another.
        let _: TalkError = error;
        tokio::time::sleep(PAUSE).await;
    }
}
