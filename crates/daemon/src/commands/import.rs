//! `lxd import`: takes one container over from the storage pool that it is on.

use crate::args::Import;
use crate::talk::Daemon;
use http::Method;
use serde_json::json;

pub(super) async fn run(daemon: &Daemon, import: &Import) -> anyhow::Result<()> {
    let body = json!({"name": import.container, "force": import.force});
    daemon.ask(Method::POST, "/internal/containers", Some(&body)).await?;
    Ok(())
}
