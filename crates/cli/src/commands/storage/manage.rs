//! Pools as a whole: `lxc storage create`, `delete` and `show`.

use crate::args::{Format, StorageCreateArgs};
use crate::commands::finish;
use crate::output::{self, object};
use crate::pairs;
use crate::session::{Session, Target};
use api::storage::PoolsPost;

pub(crate) async fn create(session: &Session, args: StorageCreateArgs) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(&args.pool, "storage pool")?;
    let post = PoolsPost {
        name: name.clone(),
        driver: args.driver,
        config: pairs::parse(&args.config)?,
        description: args.description.unwrap_or_default(),
    };
    finish(session, client.create_pool(&post).await?, "Creating the pool").await?;
    Ok(output::line(format!("Storage pool {name} created"))?)
}

pub(crate) async fn delete(session: &Session, pool: &str) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(pool, "storage pool")?;
    finish(session, client.delete_pool(&name).await?, "Deleting the pool").await?;
    Ok(output::line(format!("Storage pool {name} deleted"))?)
}

pub(crate) async fn show(
    session: &Session,
    pool: &str,
    resources: bool,
    format: Format,
) -> anyhow::Result<()> {
    let (client, Target { name, .. }) = session.named(pool, "storage pool")?;
    if resources {
        return object::show(format, &client.pool_resources(&name).await?);
    }
    let mut pool = client.pool(&name).await?.value;
    pool.used_by.sort_unstable();
    object::show(format, &pool)
}
