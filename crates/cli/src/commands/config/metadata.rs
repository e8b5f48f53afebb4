//! `lxc config metadata`.

use crate::args::MetadataCommand;
use crate::editor;
use crate::output::object;
use crate::session::Session;
use crate::yaml;
use client::Client;

const HELP: &str = "\
### This is a yaml representation of the metadata of the container's image.
### Any line starting with a '#' will be ignored.
###
### A sample configuration looks like:
### architecture: x86_64
### creation_date: 1477146654
### properties:
###   os: Busybox
### templates:
###   /etc/hostname:
###     template: hostname.tpl
###     when: [create, copy]

";

pub(crate) async fn run(session: &Session, command: MetadataCommand) -> anyhow::Result<()> {
    match command {
        MetadataCommand::Show { name, format } => {
            let (client, target) = session.named(&name, "container")?;
            object::show(format.format, &client.image_metadata(&target.name).await?)
        }
        MetadataCommand::Edit { name } => {
            let (client, target) = session.named(&name, "container")?;
            if let Some(text) = editor::piped_text()? {
                return put(&client, &target.name, &text).await;
            }
            let current = client.image_metadata(&target.name).await?;
            let text = format!("{HELP}{}", yaml::to_string(&current)?);
            editor::edit(&text, async |text| put(&client, &target.name, &text).await).await
        }
    }
}

async fn put(client: &Client, name: &str, text: &str) -> anyhow::Result<()> {
    Ok(client.put_image_metadata(name, &yaml::from_str(text)?).await?)
}
