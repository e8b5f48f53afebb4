//! `lxc image refresh`.

use crate::output;
use crate::session::Session;

pub(crate) async fn run(session: &Session, images: &[String]) -> anyhow::Result<()> {
    super::each(images, "refresh", async |image| {
        let (client, fingerprint) = super::fingerprint(session, image).await?;
        let pending = client.refresh_image(&fingerprint).await?;
        let ended = crate::commands::wait(session, &pending, "Refreshing the image").await?;
        let refreshed = ended.metadata.as_ref().and_then(|metadata| metadata.get("refreshed")?.as_bool());
        Ok(output::line(match refreshed {
            Some(true) => "Image refreshed successfully!",
            _ => "Image already up to date.",
        })?)
    })
    .await
}
