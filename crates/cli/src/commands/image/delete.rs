//! `lxc image delete`.

use crate::session::Session;
use anyhow::Context as _;

pub(crate) async fn run(session: &Session, images: &[String]) -> anyhow::Result<()> {
    for image in images {
        let delete = async {
            let (client, fingerprint) = super::fingerprint(session, image).await?;
            let pending = client.delete_image(&fingerprint).await?;
            crate::commands::wait(session, &pending, "Deleting").await?;
            Ok::<(), anyhow::Error>(())
        };
        delete.await.with_context(|| format!("Cannot delete the image \"{image}\""))?;
    }
    Ok(())
}
