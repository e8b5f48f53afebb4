//! `lxc image delete`.

use crate::session::Session;

pub(crate) async fn run(session: &Session, images: &[String]) -> anyhow::Result<()> {
    super::each(images, "delete", async |image| {
        let (client, fingerprint) = super::fingerprint(session, image).await?;
        let pending = client.delete_image(&fingerprint).await?;
        crate::commands::wait(session, &pending, "Deleting").await?;
        Ok(())
    })
    .await
}
