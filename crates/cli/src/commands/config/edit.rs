//! `lxc config edit`.

use crate::commands::holder::changeable;
use crate::editor;
use crate::session::Session;
use crate::yaml;
use api::instances::InstancePut;
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
