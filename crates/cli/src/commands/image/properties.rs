//! `lxc image get-property`, `set-property` and `unset-property`.

use crate::output;
use crate::session::Session;
use anyhow::Context as _;
use api::images::ImagePut;

pub(crate) async fn get(session: &Session, image: &str, key: &str) -> anyhow::Result<()> {
    let (client, fingerprint) = super::fingerprint(session, image).await?;
    let found = client.image(&fingerprint).await?.value.properties;
    let value = found.get(key).with_context(|| format!("Property {key} not found"))?;
    Ok(output::line(value)?)
}

/// Sets a property, or removes it.
pub(crate) async fn set(
    session: &Session,
    image: &str,
    key: &str,
    value: Option<String>,
) -> anyhow::Result<()> {
    let (client, fingerprint) = super::fingerprint(session, image).await?;
    let current = client.image(&fingerprint).await?;
    let mut properties = current.value.properties;
    match value {
        Some(value) => drop(properties.insert(key.to_owned(), value)),
        None => drop(properties.remove(key).with_context(|| format!("Property {key} not found"))?),
    }
    let (auto_update, public) = (current.value.auto_update, current.value.public);
    let put = ImagePut { auto_update, properties, public };
    Ok(client.put_image(&current.value.fingerprint, &put, current.etag.as_deref()).await?)
}
