//! `lxc storage edit`.

use crate::commands::finish;
use crate::editor;
use crate::session::{Session, Target};
use crate::yaml;
use api::storage::PoolPut;

const HELP: &str = "\
### This is a yaml representation of a storage pool.
### Any line starting with a '#' will be ignored.
###
### A storage pool consists of a set of configuration items.
###
### An example would look like:
### config:
###   source: /dev/sdb
###   volume.size: 5GB
### description: For the databases
###
### Its name, its driver and most of what it was made with cannot be changed.

";

pub(crate) async fn run(session: &Session, pool: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(pool, "storage pool")?;
    let put = async |text: String, etag: Option<&str>| -> anyhow::Result<()> {
        // What `lxc storage show` prints has more in it, and may be fed back.
        let put: PoolPut = yaml::from_str(&text)?;
        Ok(finish(session, client.put_pool(&name, &put, etag).await?, "Updating").await?)
    };
    if let Some(text) = editor::piped_text()? {
        return put(text, None).await;
    }
    let current = client.pool(&name).await?;
    let shown = PoolPut { config: current.value.config, description: current.value.description };
    let text = format!("{HELP}{}", yaml::to_string(&shown)?);
    editor::edit(&text, async |text| put(text, current.etag.as_deref()).await).await
}
