//! `lxc profile edit`.

use crate::commands::holder::profile_put;
use crate::editor;
use crate::session::{Session, Target};
use crate::yaml;
use api::profiles::ProfilePut;
use client::Client;

const HELP: &str = "\
### This is a yaml representation of the profile.
### Any line starting with a '#' will be ignored.
###
### A profile consists of a set of configuration items followed by a set of devices.
###
### An example would look like:
### config:
###   boot.autostart: \"true\"
### description: My custom profile
### devices:
###   eth0:
###     nictype: bridged
###     parent: lxdbr0
###     type: nic
###
### The name cannot be changed here.

";

pub(crate) async fn run(session: &Session, text: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(text, "profile")?;
    if let Some(text) = editor::piped_text()? {
        return put(&client, &name, &text, None).await;
    }
    let current = client.profile(&name).await?;
    let text = format!("{HELP}{}", yaml::to_string(&profile_put(current.value))?);
    editor::edit(&text, async |text| put(&client, &name, &text, current.etag.as_deref()).await).await
}

async fn put(client: &Client, name: &str, text: &str, etag: Option<&str>) -> anyhow::Result<()> {
    // What `lxc profile show` prints has the name in it, and it may be fed back.
    let put = ProfilePut { name: String::new(), ..yaml::from_str(text)? };
    Ok(client.put_profile(name, &put, etag).await?)
}
