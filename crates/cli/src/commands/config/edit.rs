//! `lxc config edit`.

use crate::commands::holder::changeable;
use crate::editor;
use crate::session::Session;
use crate::yaml;
use api::instances::{InstancePut, SnapshotPut};
use api::server::ServerPut;
use client::Client;

const CONTAINER_HELP: &str = "\
### This is a yaml representation of the container's configuration.
### Any line starting with a '#' will be ignored.
###
### A sample configuration looks like:
### config:
###   limits.memory: 512MB
### devices:
###   share:
###     path: /srv
###     source: /home/share
###     type: disk
### ephemeral: false
### profiles:
### - default
###
### What is removed here is removed from the container. The name cannot be changed here.

";

const SNAPSHOT_HELP: &str = "\
### This is a yaml representation of what can be changed of the snapshot.
### Any line starting with a '#' will be ignored.
###
### 1970-01-01T00:00:00Z means that it is never removed by itself.

";

const SERVER_HELP: &str = "\
### This is a yaml representation of the server's configuration.
### Any line starting with a '#' will be ignored.
###
### A sample configuration looks like:
### config:
###   core.https_address: '[::]:8443'

";

pub(crate) async fn run(session: &Session, name: &str) -> anyhow::Result<()> {
    let target = session.target(name)?;
    let client = session.client(&target.remote)?;
    let piped = editor::piped_text()?;
    if target.name.is_empty() {
        if let Some(text) = piped {
            return put_server(&client, &text, None).await;
        }
        let current = client.server().await?;
        let shown = ServerPut { config: current.value.config.unwrap_or_default() };
        let text = format!("{SERVER_HELP}{}", yaml::to_string(&shown)?);
        return editor::edit(&text, async |text| put_server(&client, &text, current.etag.as_deref()).await)
            .await;
    }
    let name = &target.name;
    if let Some((container, snapshot)) = name.split_once('/') {
        let put = async |text: String, etag: Option<String>| -> anyhow::Result<()> {
            let put: SnapshotPut = yaml::from_str(&text)?;
            let pending = client.put_snapshot(container, snapshot, &put, etag.as_deref()).await?;
            crate::commands::wait(session, &pending, "Updating").await?;
            Ok(())
        };
        if let Some(text) = piped {
            return put(text, None).await;
        }
        let current = client.snapshot(container, snapshot).await?;
        let shown = SnapshotPut { expires_at: current.value.expires_at };
        let text = format!("{SNAPSHOT_HELP}{}", yaml::to_string(&shown)?);
        return editor::edit(&text, async |text| put(text, current.etag.clone()).await).await;
    }
    if let Some(text) = piped {
        return put_container(session, &client, name, &text, None).await;
    }
    let current = client.container(name).await?;
    let text = format!("{CONTAINER_HELP}{}", yaml::to_string(&changeable(current.value))?);
    let etag = current.etag.as_deref();
    editor::edit(&text, async |text| put_container(session, &client, name, &text, etag).await).await
}

async fn put_server(client: &Client, text: &str, etag: Option<&str>) -> anyhow::Result<()> {
    let put: ServerPut = yaml::from_str(text)?;
    // Numbers and booleans are written without quotes by people, and are strings on the wire.
    let as_text = |value: serde_json::Value| match value {
        serde_json::Value::Number(number) => number.to_string().into(),
        other => other,
    };
    let config = put.config.into_iter().map(|(key, value)| (key, as_text(value))).collect();
    Ok(client.put_server(&ServerPut { config }, etag).await?)
}

async fn put_container(
    session: &Session,
    client: &Client,
    name: &str,
    text: &str,
    etag: Option<&str>,
) -> anyhow::Result<()> {
    let put: InstancePut = yaml::from_str(text)?;
    let pending = client.put_container(name, &put, etag).await?;
    crate::commands::wait(session, &pending, "Updating").await?;
    Ok(())
}
