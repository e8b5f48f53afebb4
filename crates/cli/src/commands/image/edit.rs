//! `lxc image edit` and `lxc image show`.

use crate::args::Format;
use crate::editor;
use crate::output::object;
use crate::session::Session;
use crate::yaml;
use api::images::{Image, ImagePut};
use client::Client;

const HELP: &str = "\
### This is a yaml representation of the image properties.
### Any line starting with a '#' will be ignored.
###
### Each property is represented by a single line:
### properties:
###   description: My custom image

";

pub(crate) async fn show(session: &Session, image: &str, format: Format) -> anyhow::Result<()> {
    let image = super::found(session, image).await?;
    object::show(format, &changeable(image))
}

pub(crate) async fn edit(session: &Session, image: &str) -> anyhow::Result<()> {
    let (client, fingerprint) = super::fingerprint(session, image).await?;
    if let Some(text) = editor::piped_text()? {
        return put(&client, &fingerprint, &text, None).await;
    }
    let current = client.image(&fingerprint).await?;
    let text = format!("{HELP}{}", yaml::to_string(&changeable(current.value))?);
    editor::edit(&text, async |text| put(&client, &fingerprint, &text, current.etag.as_deref()).await).await
}

fn changeable(image: Image) -> ImagePut {
    ImagePut { auto_update: image.auto_update, properties: image.properties, public: image.public }
}

async fn put(client: &Client, fingerprint: &str, text: &str, etag: Option<&str>) -> anyhow::Result<()> {
    let put: ImagePut = yaml::from_str(text)?;
    Ok(client.put_image(fingerprint, &put, etag).await?)
}
